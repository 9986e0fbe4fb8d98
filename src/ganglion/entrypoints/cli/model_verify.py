"""What `ganglion model verify` does with an opened package."""

from ganglion.core import golden
from ganglion.core.golden import GoldenResult
from ganglion.entrypoints.models.local_packages import OpenPackage
from ganglion.entrypoints.processes.sandboxes import open_sandbox
from ganglion.entrypoints.settings.tree import load_settings
from ganglion.ports.sandbox import Trial


def verify(package: OpenPackage, *, sandbox: bool) -> tuple[GoldenResult, Trial | None]:
    """Pass the gate and run the golden inputs, with the limits that a node has: in a sandbox, or in this process.

    Raises: GoldenMissing: there is nothing to prove. InvalidPackage, TargetMismatch, MissingExtra, ModelFailed.
    """
    golden.golden_of(package.manifest)
    limits = load_settings().node
    if sandbox:
        trial = open_sandbox(limits.sandbox, limits.model_files).try_out(package.directory)
        return trial.proof, trial
    package.pass_gate(limits.model_files)
    return package.prove(), None
