from ganglion.entrypoints.cli.shading import shaded
from ganglion.wire.resources import SampleTensorView


def tensor_of(values: list[float]) -> SampleTensorView:
    return SampleTensorView("FP32", [1, len(values)], values)


def test_a_square_input_is_drawn_from_dark_to_bright() -> None:
    image = [0.0] * 4 + [0.0, 16.0, 16.0, 0.0] * 2 + [8.0] * 4

    assert shaded(tensor_of(image)).splitlines() == ["", "  @@@@", "  @@@@", "=" * 8]


def test_an_even_input_is_drawn_without_dividing_by_zero() -> None:
    assert shaded(tensor_of([3.0] * 16)) == "\n\n\n"


def test_any_other_input_shows_its_first_values() -> None:
    assert shaded(tensor_of([1.0, 2.5])) == "1 2.5"
    assert shaded(tensor_of([1.0] * 30)).endswith("1 …")
