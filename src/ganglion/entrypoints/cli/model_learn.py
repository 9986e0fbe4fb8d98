"""Options and names of the learning commands, turned into what `entrypoints.learning` takes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.core.ids import parse_name
from ganglion.entrypoints import learning
from ganglion.entrypoints.cli.output import note
from ganglion.entrypoints.learning import InputSettings, LearningSettings, TrainedVersion
from ganglion.factory.domain.ladder import LadderSettings
from ganglion.factory.domain.promotion import PromotionSettings
from ganglion.factory.domain.rows import LabelledRows
from ganglion.factory.steps.data_file import read_rows
from ganglion.factory.steps.dataset import LabelledDataset
from ganglion.factory.steps.train import TrainSettings
from ganglion.factory.steps.version import VersionSettings

if TYPE_CHECKING:
    from ganglion.entrypoints.hub_client.client import HubClient

__all__ = ["RetrainFiles", "input_settings", "read_rows", "retrain", "settings"]

_IMAGE_DIMENSIONS = 2


@dataclass(frozen=True, slots=True)
class RetrainFiles:
    """The rows that stay on this machine, and where the new package goes."""

    base: LabelledRows
    held_out: LabelledRows
    directory: Path


def input_settings(name: str, scale: float, image: str) -> InputSettings:
    """Return the input of a model to be trained. Raises: InvalidRequest: `image` is not HxW."""
    sizes = _numbers(image.lower().replace("x", ","), "--image") if image else ()
    if not sizes:
        return InputSettings(name=name, scale=scale)
    if len(sizes) != _IMAGE_DIMENSIONS:
        raise InvalidRequest(f"--image {image!r} should read HxW, for example 8x8")
    return InputSettings(name=name, scale=scale, image=(sizes[0], sizes[1]))


def settings(
    *, hidden: str, seed: int, budget: float, optimise: bool, accuracy_loss_max: float = 0.02
) -> LearningSettings:
    """Return learning settings. Raises: InvalidRequest: `hidden` is no list of sizes."""
    version = VersionSettings(
        train=TrainSettings(hidden=_numbers(hidden, "--hidden"), seed=seed),
        ladder=LadderSettings(accuracy_loss_max=budget),
        optimise=optimise,
    )
    return LearningSettings(version=version, promotion=PromotionSettings(accuracy_loss_max=accuracy_loss_max))


def retrain(
    client: "HubClient", names: tuple[str, str], version: str, *, files: RetrainFiles, settings: LearningSettings
) -> TrainedVersion:
    """Bring the current package and the data set (`names`) here and make the next version.

    Raises: NotFound, NotGoodEnough, InvalidRequest.
    """
    current, dataset = names
    with _current_package(client, current) as package:
        return learning.retrain_version(
            package,
            files.base,
            _dataset(client, dataset),
            held_out=files.held_out,
            directory=files.directory,
            version=version,
            settings=settings,
            progress=note,
        )


@contextmanager
def _current_package(client: "HubClient", name: str) -> Iterator[Path]:
    if Path(name).exists():
        yield Path(name)
        return
    model, _, version = name.partition(":")
    releases = client.releases(parse_name(model, what="model"))
    release = next((each for each in releases if not version or each.version == version), None)
    if release is None:
        raise NotFound(f"no release of {name} is on the hub, and there is no file of that name")
    note(f"the current version is {release.model}:{release.version} {release.variant}")
    with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch:
        file = Path(scratch, "current.ganglion")
        client.fetch_package(release.model, release.version, release.variant, file)
        yield file


def _dataset(client: "HubClient", name: str) -> LabelledDataset:
    plain, _, number = name.partition(":")
    versions = {view.version for view in client.datasets(parse_name(plain, what="data set"))}
    if not versions:
        raise NotFound(f"the hub has no data set {plain!r}")
    if number and not number.isdigit():
        raise InvalidRequest(f"data set versions are numbers, {number!r} is none")
    manifest, arrays = client.dataset(plain, int(number) if number else max(versions))
    return LabelledDataset(manifest, arrays)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise InvalidRequest(f"{option} {text!r} should be positive whole numbers")
    return tuple(int(part) for part in parts)
