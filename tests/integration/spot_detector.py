"""A real detector without training: it finds bright squares in a grid of cells."""

import json
from pathlib import Path

import numpy as np
from onnx import helper, numpy_helper

from ganglion.core.steps import Tensor
from integration.models import save, value

SIDE, CELLS = 64, 4

PREPROCESS = [
    {"step": "decode_image", "tensor": "image"},
    {"step": "resize", "tensor": "image", "height": SIDE, "width": SIDE, "fit": "letterbox", "fill": 0},
    {"step": "scale", "tensor": "image", "factor": 1 / 255},
    {"step": "layout", "tensor": "image", "to": "nchw"},
    {"step": "rename", "tensor": "image", "to": "pixels"},
]
POSTPROCESS = [{"step": "detect", "tensor": "brightness", "boxes": "cells", "score_min": 0.8, "limit": 5}]


def spot_detector(path: Path, *, batch: int | str = "N") -> Path:
    """Write a model: pixels [N, 3, 64, 64] give the brightness [N, 16, 1] of each cell, and where it is [N, 16, 4]."""
    row, column = np.divmod(np.arange(CELLS * CELLS), CELLS)
    corners = np.stack([column, row, column + 1, row + 1], axis=1).astype(np.float32) / CELLS
    shape = np.array([-1, CELLS * CELLS, 1], np.int64)
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["grid"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["grid", "shape"], ["brightness"]),
        helper.make_node("Mul", ["brightness", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "corners"], ["cells"]),
    ]
    return save(
        path,
        nodes,
        inputs=[value("pixels", batch, 3, SIDE, SIDE)],
        outputs=[value("brightness", batch, CELLS * CELLS, 1), value("cells", batch, CELLS * CELLS, 4)],
        initializers=[
            numpy_helper.from_array(shape, "shape"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(corners, "corners"),
        ],
    )


def write_steps(directory: Path) -> tuple[Path, Path]:
    """Write the steps for the command line."""
    before, after = directory / "before.json", directory / "after.json"
    before.write_text(json.dumps(PREPROCESS))
    after.write_text(json.dumps(POSTPROCESS))
    return before, after


def with_spot(height: int, width: int, box: tuple[int, int, int, int]) -> Tensor:
    """Return a dark picture that is white in a box (left, top, right, bottom)."""
    picture = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    picture[top:bottom, left:right] = 255
    return picture
