"""Puts sandboxes together."""

import sys
from functools import partial

from ganglion.adapters.package_files import PackageArchives, PackageLimits
from ganglion.adapters.sandbox import ProcessSandbox
from ganglion.entrypoints.settings.tree import sandbox_environment
from ganglion.ports.sandbox_limits import SandboxLimits
from ganglion.trust.model_files import gate as model_file
from ganglion.trust.model_files.limits import ModelFileLimits

# Without the current directory among the places to import from.
_COMMAND = (sys.executable, "-P", "-m", "ganglion.entrypoints.processes.sandbox_child")


def open_sandbox(limits: SandboxLimits, gate: ModelFileLimits) -> ProcessSandbox:
    """Return a sandbox with these limits."""
    return ProcessSandbox(command=_COMMAND, environment=sandbox_environment(), limits=limits, gate=gate)


def gated_archives(gate: ModelFileLimits, limits: PackageLimits | None = None) -> PackageArchives:
    """Return a reader of packages that refuses what the gate refuses."""
    return PackageArchives(limits, gate=partial(model_file.check_package, limits=gate))
