"""Model packages in the file system, in either form, as commands are given them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganglion.adapters.package_files import PackageArchives, map_members, pack, read_golden, read_manifest
from ganglion.adapters.system import node_facts
from ganglion.core import golden
from ganglion.core.errors import TargetMismatch
from ganglion.core.golden import GoldenResult
from ganglion.core.manifest import Arch, Manifest
from ganglion.core.pipeline import Pipeline
from ganglion.entrypoints.models import engines
from ganglion.trust.model_files import gate as model_file
from ganglion.trust.model_files.limits import ModelFileLimits

_ARCHITECTURES: dict[str, Arch] = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class OpenPackage:
    """A checked package as a directory, for as long as the block lasts."""

    directory: Path
    manifest: Manifest

    def pipeline(self, *, threads: int = 1) -> Pipeline:
        """Load the model and return it, ready to answer. Raises: InvalidPackage, TargetMismatch, MissingExtra."""
        engine = engines.load_engine(self.manifest.target, self.directory / self.manifest.model, threads=threads)
        return Pipeline(self.manifest, engine.infer)

    def pass_gate(self, limits: ModelFileLimits) -> None:
        """Look through the files before an engine opens one. Raises: InvalidPackage."""
        with map_members(self.directory, self.manifest) as members:
            model_file.check_package(self.manifest, members, limits)

    def check_arch(self) -> None:
        """Raises: TargetMismatch: the package is for other hardware."""
        arch = self.manifest.target.arch
        if arch not in {"any", machine_arch()}:
            raise TargetMismatch(f"{self.manifest.name}:{self.manifest.version} is for {arch}, not for this machine")

    def prove(self) -> GoldenResult:
        """Run the golden inputs here. Raises: TargetMismatch: it is for other hardware. InvalidPackage, ModelFailed."""
        self.check_arch()
        inputs, expected = read_golden(self.directory, self.manifest)
        return golden.prove(self.pipeline(), inputs, expected)


@contextmanager
def open_package(path: Path) -> Iterator[OpenPackage]:
    """Check a package directory, or unpack a package file for the while. Raises: NotFound, InvalidPackage."""
    if path.is_dir():
        yield OpenPackage(path, read_manifest(path))
        return
    with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch:
        directory = Path(scratch, "package")
        yield OpenPackage(directory, PackageArchives().unpack(path, directory))


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """Return the single-file form of a package: the file itself, or a directory packed for the while."""
    if not path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch:
        file = Path(scratch, f"{path.name}.ganglion")
        pack(path, file)
        yield file


def machine_arch() -> Arch:
    """Return this machine's architecture as manifests name it, "any" when they have no word for it."""
    return _ARCHITECTURES.get(node_facts(runtimes=(), release="").arch, "any")


def release() -> str:
    """Return this program's release."""
    from importlib import metadata  # noqa: PLC0415 - it brings a parser of mails along, and few ask for this

    return metadata.version("ganglion")
