"""Model files without a package: what the file says of itself is all that is known of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganglion.adapters.package_files import map_file
from ganglion.core import implicit
from ganglion.core.errors import InvalidPackage, NotFound
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Manifest, Target
from ganglion.entrypoints.models import engines, local_packages
from ganglion.entrypoints.models.engines import MODEL_SUFFIXES, WEIGHTS_SUFFIX
from ganglion.entrypoints.models.local_packages import OpenPackage
from ganglion.ports.runtime import Engine
from ganglion.trust.model_files import gate as model_file
from ganglion.trust.model_files.limits import ModelFileLimits

FIRST_VERSION = Version("1")
BATCH_MAX = 1024
"""Rows in one request, where nobody said how many the model was made for."""
DEFAULT_GATE = ModelFileLimits()
_IR_HEAD_BYTES = 4096
_IR_ROOT = b"<net"


@dataclass(frozen=True, slots=True)
class BareModel:
    """A loaded model file, and the manifest that it would have."""

    manifest: Manifest
    engine: Engine


def is_model_file(path: Path) -> bool:
    """Whether a runtime may be able to load this file; of XML files only OpenVINO's models, which begin with a net."""
    if path.suffix.lower() not in MODEL_SUFFIXES or not path.is_file():
        return False
    return path.suffix.lower() != ".xml" or _IR_ROOT in _head(path)


@contextmanager
def open_model(path: Path) -> Iterator[OpenPackage]:
    """Open a package in either form, or a model file as if it were one. Raises: NotFound, InvalidPackage."""
    if path.suffix.lower() in MODEL_SUFFIXES and not path.is_dir():
        yield OpenPackage(path.parent, describe_bare(path))
        return
    with local_packages.open_package(path) as package:
        yield package


def describe_bare(file: Path) -> Manifest:
    """Return the manifest that a model file would have. Raises: NotFound, InvalidPackage, MissingExtra."""
    return load_bare(file, threads=1).manifest


def load_bare(
    file: Path,
    *,
    threads: int,
    name: ModelName | None = None,
    version: Version = FIRST_VERSION,
    batch_max: int = BATCH_MAX,
    gate: ModelFileLimits = DEFAULT_GATE,
    target: Target | None = None,
) -> BareModel:
    """Look through a model file, and load it. Raises: NotFound, InvalidPackage, MissingExtra."""
    if not file.is_file():
        raise NotFound(f"there is no model file {file}")
    if not is_model_file(file):
        raise InvalidPackage(f"{file} is XML, but no model of OpenVINO")
    _pass_gate(file, gate)
    target = target or Target(runtime=engines.runtime_of_file(file))
    engine = engines.load_engine(target, file, threads=threads)
    manifest = implicit.manifest_of(
        name or implicit.name_from(file.stem),
        version,
        file=file.name,
        target=target,
        inputs=engine.inputs,
        outputs=engine.outputs,
        batch_max=batch_max,
    )
    return BareModel(manifest, engine)


def _pass_gate(file: Path, limits: ModelFileLimits) -> None:
    """Look at the file, and at the weights beside it, before an engine opens them. Raises: InvalidPackage."""
    with ExitStack() as stack:
        weights = file.with_suffix(WEIGHTS_SUFFIX)
        present = [file, weights] if weights.is_file() else [file]
        files = {each.name: stack.enter_context(map_file(each)) for each in present}
        model_file.check_file(file.name, files, limits)


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_IR_HEAD_BYTES)
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from error
