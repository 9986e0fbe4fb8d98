"""The whole way round on the command line: train, publish, label what came back, retrain, publish again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import structlog
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # it ships no types
from typer.testing import CliRunner

from ganglion.core.errors import Conflict, InvalidPackage, InvalidRequest, NotFound
from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire.records import RecordClass, SampleRecord, SampleTensor
from integration.hub_api_world import ServedHub, serving

DIGITS = load_digits()
TRAINING = ["--hidden", "48", "--no-int8"]


@dataclass(frozen=True, slots=True)
class Desk:
    """A person with a hub, a folder of data files, and version 1 of a model released."""

    served: ServedHub
    folder: Path

    def ganglion(self, *words: str) -> str:
        """Run a command and return what it printed. Raises what it raised."""
        result = CliRunner().invoke(
            tree(words), words, env={"XDG_CONFIG_HOME": str(self.folder), "HOME": str(self.folder)}
        )
        if result.exception:
            raise result.exception
        return result.stdout

    def on_hub(self, *words: str) -> str:
        """Run a command against the hub."""
        served = self.served
        return self.ganglion(*words, "--hub", served.url, "--token", served.token, "--ca-pin", served.ca_pin)

    def retrain(self, *words: str) -> str:
        """Retrain with this desk's files."""
        files = ["--base", f"{self.folder}/base.npz", "--held-out", f"{self.folder}/held.npz", "-d", str(self.folder)]
        return self.on_hub("model", "retrain", *words, *files, *TRAINING)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a desk. The hub's log must not mix with what commands print."""
    folder = tmp_path_factory.mktemp("desk")
    np.savez(folder / "base.npz", x=DIGITS.images[:150], y=DIGITS.target[:150], labels=np.arange(10))
    np.savez(folder / "held.npz", x=DIGITS.images[1200:], y=DIGITS.target[1200:], labels=np.arange(10))
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with serving(HubSettings(data_dir=str(tmp_path_factory.mktemp("hub")), port=0)) as served:
        desk = Desk(served, folder)
        options = ["--scale", "0.0625", "--image", "8x8", "--held-out", f"{folder}/held.npz", "-d", str(folder)]
        desk.ganglion("model", "train", f"{folder}/base.npz", "--name", "meter", *options, *TRAINING)
        desk.on_hub("model", "publish", f"{folder}/meter-1-fp32.ganglion")
        yield desk
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def labelled(desk: Desk) -> Desk:
    """Let a node keep samples, and label them with the truth."""
    images = DIGITS.data[200:500].astype("<f4")
    truths = [str(label) for label in DIGITS.target[200:500]]
    desk.served.join("gate").send(*[(RecordClass.SAMPLE, a_sample(image)) for image in images])
    samples = json.loads(desk.on_hub("sample", "list", "--limit", "1000", "-o", "json"))
    by_pixels = {image.tobytes(): truth for image, truth in zip(images, truths, strict=True)}
    lines = ["sample_id,label"]
    for sample in samples:
        pixels = np.array(sample["inputs"]["pixels"]["values"], "<f4").tobytes()
        lines.append(f"{sample['sample_id']},{by_pixels[pixels]}")
    (desk.folder / "labels.csv").write_text("\n".join(lines) + "\n")
    desk.on_hub("sample", "label", "-f", f"{desk.folder}/labels.csv")
    desk.on_hub("dataset", "build", "meter-labels", "--model", "meter")
    return desk


def a_sample(image: np.ndarray) -> SampleRecord:
    tensor = SampleTensor("FP32", (1, 64), image.tobytes())
    return SampleRecord("meter", "1", "r", "random", "0", 0.5, {"pixels": tensor})


def test_what_nodes_kept_and_people_labelled_makes_the_next_released_version(labelled: Desk) -> None:
    made = json.loads(labelled.retrain("meter", "--dataset", "meter-labels", "-o", "json"))
    released = json.loads(labelled.on_hub("model", "publish", made["file"], "-o", "json"))
    listed = json.loads(labelled.on_hub("model", "list", "--model", "meter", "-o", "json"))

    assert (made["version"], made["training_rows"]) == ("2", 450)
    assert made["accuracy"] > made["parent_accuracy"]
    assert released["parent"] == "meter:1"
    assert [release["version"] for release in listed] == ["2", "1"]


def test_a_data_set_or_a_model_that_is_not_there_is_named(labelled: Desk) -> None:
    with pytest.raises(NotFound, match="no data set 'nothing'"):
        labelled.retrain("meter:1", "--dataset", "nothing")
    with pytest.raises(NotFound, match="no release of valve"):
        labelled.retrain("valve", "--dataset", "meter-labels")
    with pytest.raises(InvalidRequest, match="numbers"):
        labelled.retrain("meter:1", "--dataset", "meter-labels:new")


def test_publishing_the_same_package_again_changes_nothing_and_other_bytes_are_refused(desk: Desk) -> None:
    file = f"{desk.folder}/meter-1-fp32.ganglion"
    options = ["--name", "meter", "-d", f"{desk.folder}/other", "--held-out", f"{desk.folder}/held.npz", *TRAINING]
    desk.ganglion("model", "train", f"{desk.folder}/base.npz", "--seed", "5", *options)

    desk.on_hub("model", "publish", file)
    with pytest.raises(Conflict):
        desk.on_hub("model", "publish", f"{desk.folder}/other/meter-1-fp32.ganglion")


def test_a_damaged_package_is_refused_by_the_hub(desk: Desk) -> None:
    content = bytearray((desk.folder / "meter-1-fp32.ganglion").read_bytes())
    content[-3000] ^= 1
    (desk.folder / "damaged.ganglion").write_bytes(content)

    with pytest.raises(InvalidPackage):
        desk.on_hub("model", "publish", f"{desk.folder}/damaged.ganglion")


def test_a_model_without_releases_is_an_empty_list(desk: Desk) -> None:
    assert desk.on_hub("model", "list", "--model", "none", "-o", "json").strip() == "[]"
