"""What a camera shows of itself, from the request on the node to the counts on the hub, over real files."""

from pathlib import Path

import numpy as np

from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensor
from ganglion.node.services.serving.runs import Package
from integration.look_world import LookWorld
from unit.core.builders import a_manifest

MINUTES, PICTURES_PER_MINUTE = 3, 20
LOOKS_PER_MINUTE = 4
CAMERA = TensorSpec("image", "UINT8", (-1, 48, 48, 3), layout="NHWC")


def camera() -> Package:
    manifest = a_manifest(inputs=(CAMERA,), prediction=None)
    return Package(Pipeline(manifest, lambda feeds: {"scores": feeds["image"].mean(axis=(1, 2))}), lambda: ({}, {}))


def test_a_frozen_dark_camera_shows_in_the_hubs_counts_and_no_picture_leaves_the_node(tmp_path: Path) -> None:
    world = LookWorld(tmp_path, camera(), looks_per_minute=LOOKS_PER_MINUTE)
    dark: Tensor = np.zeros((1, 48, 48, 3), np.uint8)

    for _ in range(MINUTES * PICTURES_PER_MINUTE):
        world.ask({"image": dark}, pause_s=60.0 / PICTURES_PER_MINUTE)
    quality = world.counts().quality

    looks = MINUTES * LOOKS_PER_MINUTE
    assert (quality["brightness"][0], quality["covered"][-1]) == (looks, looks)
    assert quality["change"][0] == looks - 1
    assert world.sent_bytes < dark.nbytes
