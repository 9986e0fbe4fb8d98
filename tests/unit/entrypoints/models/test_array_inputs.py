import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.entrypoints.models.array_inputs import Inputs, named

IMAGE = TensorSpec("image", "UINT8", (-1, 2, 2))
VECTOR = TensorSpec("x", "FP32", (-1, 3))


def test_an_array_that_fits_is_passed_on_and_not_copied() -> None:
    rows = np.ones((4, 3), np.float32)

    assert named(rows, [VECTOR])["x"] is rows


@pytest.mark.parametrize("value", [[1, 2, 3], [[1.0, 2.0, 3.0]], np.array([1, 2, 3], np.int64), (1, 2, 3)])
def test_whatever_numpy_understands_becomes_a_row_of_the_declared_type(value: Inputs) -> None:
    tensor = named(value, [VECTOR])["x"]

    assert tensor.dtype == np.float32
    assert tensor.tolist() == [[1.0, 2.0, 3.0]]


def test_one_row_gets_its_batch_dimension_where_that_is_fixed_to_one() -> None:
    assert named(np.zeros((2, 2), np.uint8), [TensorSpec("image", "UINT8", (1, 2, 2))])["image"].shape == (1, 2, 2)


def test_a_row_of_a_larger_fixed_batch_is_left_for_the_check_to_refuse() -> None:
    assert named(np.zeros((2, 2), np.uint8), [TensorSpec("image", "UINT8", (8, 2, 2))])["image"].shape == (2, 2)


def test_whole_numbers_that_fit_change_their_type() -> None:
    assert named([[0, 255], [1, 2]], [IMAGE])["image"].dtype == np.uint8


@pytest.mark.parametrize("value", [[[0, 256], [1, 2]], [[0, -1], [1, 2]], [[0.5, 0], [1, 2]], [["a", "b"], ["c", "d"]]])
def test_nothing_is_converted_that_would_change_its_meaning(value: Inputs) -> None:
    with pytest.raises(InvalidRequest, match="image"):
        named(value, [IMAGE])


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="'x' cannot be made an array"):
        named([[1, 2, 3], [1]], [VECTOR])


def test_several_inputs_are_given_by_name() -> None:
    tensors = named({"x": [1, 2, 3], "image": np.zeros((1, 2, 2), np.uint8)}, [VECTOR, IMAGE])

    assert {name: tensor.shape for name, tensor in tensors.items()} == {"x": (1, 3), "image": (1, 2, 2)}


def test_one_array_for_several_inputs_is_refused_with_their_names() -> None:
    with pytest.raises(InvalidRequest, match="'x', 'image'"):
        named([1, 2, 3], [VECTOR, IMAGE])


def test_names_that_the_model_does_not_know_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"\['y'\], this model takes \['x'\]"):
        named({"y": [1, 2, 3]}, [VECTOR])


PHOTO = TensorSpec("photo", "BYTES", (-1,))


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        (b"file", [b"file"]),
        (bytearray(b"file"), [b"file"]),
        ("größe", ["größe".encode()]),
        ([b"one", b"two"], [b"one", b"two"]),
        (np.array(["one", "two"]), [b"one", b"two"]),
    ],
)
def test_an_input_of_bytes_takes_bytes_and_texts(value: Inputs, rows: list[bytes]) -> None:
    assert named(value, [PHOTO])["photo"].tolist() == rows


def test_a_number_is_no_text() -> None:
    with pytest.raises(InvalidRequest, match="bytes, a text or a path, not int"):
        named(7, [PHOTO])


def test_bytes_are_no_numbers() -> None:
    with pytest.raises(InvalidRequest, match="takes numbers"):
        named(b"file", [VECTOR])


def test_a_scalar_stays_a_scalar() -> None:
    assert named(16000, [TensorSpec("rate", "INT64", ())])["rate"].shape == ()
