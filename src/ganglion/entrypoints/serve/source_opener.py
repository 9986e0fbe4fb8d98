"""Opens what a folder of models holds as the serving core wants it: checked, loaded, and with its golden inputs."""

from functools import partial
from pathlib import Path

from ganglion.adapters.package_files import PackageArchives, read_golden, read_manifest
from ganglion.adapters.run_marks import Label
from ganglion.core.manifest import MANIFEST_PATH, Manifest
from ganglion.entrypoints.models import bare_models, engines
from ganglion.entrypoints.models.chosen_target import ChosenTarget
from ganglion.entrypoints.models.local_packages import OpenPackage
from ganglion.entrypoints.models.model_folder import PACKAGE_SUFFIX, Source
from ganglion.entrypoints.serving.marked_models import MarkedModels
from ganglion.node.services.serving.runs import Package
from ganglion.ports.runtime import Engine
from ganglion.trust.model_files.limits import ModelFileLimits


class SourceOpener:
    """Package files are unpacked below `scratch`, which must live as long as the models."""

    def __init__(
        self,
        *,
        scratch: Path,
        threads: int,
        batch_max: int,
        gate: ModelFileLimits,
        models: MarkedModels,
        target: ChosenTarget,
    ) -> None:
        self.target = target
        self._scratch, self._threads, self._batch_max, self._gate = scratch, threads, batch_max, gate
        self._models = models
        self._sources: dict[Path, Source] = {}

    def learn(self, source: Source) -> None:
        """Remember what the model at a path is called: a bare file does not say it."""
        self._sources[source.path] = source

    def open(self, path: Path) -> Package:
        """Load the model at a learnt path.

        Raises: NotFound, InvalidPackage, TargetMismatch, MissingExtra, ModelQuarantined.
        """
        source = self._sources[path]
        label = Label(source.name, source.version, stamp_of(path))
        with self._models.loading(label):
            manifest, engine, directory = self._opened(source)
        return self._models.package(label, manifest, engine, partial(read_golden, directory, manifest))

    def _opened(self, source: Source) -> tuple[Manifest, Engine, Path]:
        path = source.path
        if bare_models.is_model_file(path):
            bare = bare_models.load_bare(
                path,
                threads=self._threads,
                name=source.name,
                version=source.version,
                batch_max=self._batch_max,
                gate=self._gate,
                target=self.target.for_file(path),
            )
            return bare.manifest, bare.engine, path.parent
        directory, unpacked = self._unpacked(source)
        manifest = self.target.applied(unpacked)
        opened = OpenPackage(directory, manifest)
        opened.check_arch()
        opened.pass_gate(self._gate)
        engine = engines.load_engine(manifest.target, directory / manifest.model, threads=self._threads)
        return manifest, engine, directory

    def _unpacked(self, source: Source) -> tuple[Path, Manifest]:
        """Return a checked package as a directory."""
        if source.path.suffix != PACKAGE_SUFFIX or source.path.is_dir():
            return source.path, read_manifest(source.path)
        directory = self._scratch / source.name / source.version
        directory.parent.mkdir(exist_ok=True)
        return directory, PackageArchives().unpack(source.path, directory)


def stamp_of(path: Path) -> str:
    """Return what changes when a model file or package does."""
    try:
        status = (path / MANIFEST_PATH if path.is_dir() else path).stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}"
