"""What a path holds to be served: one model file, one package, or a folder of them.

A folder is read like this: a model file is a model of its name; a folder with a manifest is a package; a folder whose
subfolders have numbers for names is one model with its versions; a folder with a single model file is a model of the
folder's name. What is none of these is left alone; what looks like a model and cannot be one is refused with a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ganglion.adapters.package_files import PackageArchives, peek_manifest
from ganglion.core.errors import GanglionError, InvalidPackage, InvalidRequest, NotFound
from ganglion.core.ids import ModelName, Version
from ganglion.core.implicit import name_from
from ganglion.core.manifest import MANIFEST_PATH, Manifest
from ganglion.entrypoints.models.bare_models import FIRST_VERSION, is_model_file
from ganglion.entrypoints.models.engines import MODEL_SUFFIXES

PACKAGE_SUFFIX = ".ganglion"


@dataclass(frozen=True, slots=True)
class Source:
    """One version of a model, and the file or package directory that holds it."""

    name: ModelName
    version: Version
    path: Path
    is_numbered: bool = True
    """The version stands in a manifest or is the name of a folder; otherwise it is just the first that was seen."""
    manifest: Manifest | None = field(default=None, compare=False, repr=False)
    """Of a package."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Something that looks like a model and cannot be served."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything found, in the order of names; of each model the newest version comes last.

    Several sources of one name and version stand side by side: variants, or the same model twice.
    """

    sources: tuple[Source, ...]
    unusable: tuple[Unusable, ...]


def contents_of(path: Path) -> Contents:
    """Look at what `path` holds, without loading it. Raises: NotFound: nothing there is a model. InvalidRequest."""
    if not path.exists():
        raise NotFound(f"there is no {path}")
    if not (path.is_file() or path.is_dir()):
        raise InvalidRequest(f"{path} is no model: it is neither a file nor a folder")
    if path.is_file() and not _is_candidate(path):
        known = ", ".join((*MODEL_SUFFIXES, PACKAGE_SUFFIX))
        raise InvalidRequest(f"{path} is no model: files that can be served end in {known}")
    found = list(_of_folder(path) if path.is_dir() and not _is_model_folder(path) else _of_entry(path))
    if not found:
        raise NotFound(f"{path} holds no model: no {', '.join(MODEL_SUFFIXES)} file, and no package")
    sources = sorted((each for each in found if isinstance(each, Source)), key=_order)
    return Contents(tuple(sources), tuple(each for each in found if isinstance(each, Unusable)))


def _order(source: Source) -> tuple[str, int, str]:
    version = source.version
    return source.name, int(version) if version.isdigit() else -1, version


def _of_folder(folder: Path) -> Iterator[Source | Unusable]:
    for entry in _entries(folder):
        if entry.is_dir() or _is_candidate(entry):
            yield from _of_entry(entry)


def _of_entry(path: Path) -> Iterator[Source | Unusable]:
    try:
        yield from _sources(path)
    except GanglionError as error:
        yield Unusable(path, error.message)


def _sources(path: Path) -> Iterator[Source | Unusable]:
    versions = _numbered(path)
    if path.is_file():
        yield _of_file(path)
    elif (path / MANIFEST_PATH).is_file():
        manifest = peek_manifest(path)
        yield Source(manifest.name, manifest.version, path, manifest=manifest)
    elif versions:
        for version in versions:
            yield from (_as_version(found, path, version) for found in _of_entry(version))
    else:
        file = _only_model_file(path)
        if file is not None:
            yield Source(name_from(path.resolve().name), FIRST_VERSION, file, is_numbered=False)


def _as_version(found: Source | Unusable, model: Path, version: Path) -> Source | Unusable:
    """A package says itself what it is; a bare file is named by the folders around it."""
    if isinstance(found, Unusable) or not is_model_file(found.path):
        return found
    return Source(name_from(model.resolve().name), Version(version.name), found.path)


def _of_file(file: Path) -> Source:
    if file.suffix == PACKAGE_SUFFIX:
        manifest = PackageArchives().inspect(file)
        return Source(manifest.name, manifest.version, file, manifest=manifest)
    return Source(name_from(file.stem), FIRST_VERSION, file, is_numbered=False)


def _only_model_file(folder: Path) -> Path | None:
    files = [entry for entry in _entries(folder) if is_model_file(entry)]
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:3])
        raise InvalidPackage(f"it holds several model files ({names}): give each its own folder, or none")
    return files[0] if files else None


def _is_model_folder(path: Path) -> bool:
    """Whether a folder is one model, and not a folder of models."""
    return (path / MANIFEST_PATH).is_file() or bool(_numbered(path))


def _numbered(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [entry for entry in _entries(path) if entry.is_dir() and entry.name.isascii() and entry.name.isdigit()]


def _is_candidate(path: Path) -> bool:
    return is_model_file(path) or (path.suffix == PACKAGE_SUFFIX and path.is_file())


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise NotFound(f"{folder} cannot be read: {error.strerror}") from error
