"""The pictures of the demo's report."""

import re

import pytest

from ganglion.entrypoints.demo import plots
from ganglion.entrypoints.demo.plots import Band, Series, Strip


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [(77.0, ["0", "40", "80"]), (200.0, ["0", "100", "200"]), (0.3, ["0", "0.2", "0.4"]), (0.0, ["0", "0.5", "1"])],
)
def test_a_value_axis_has_round_numbers_up_to_the_highest_value(highest: float, ticks: list[str]) -> None:
    picture = plots.lines("Requests", [Series("all", "good", [(0.0, 0.0), (9.0, highest)])], [], end_s=10.0)

    assert re.findall(r'text-anchor="end">([^<]*)<', picture) == ticks


def test_names_cannot_break_out_of_the_picture() -> None:
    name = '<script>"'

    picture = plots.lanes(name, [Strip(name, 0.0, 1.0, "good", name)], [Band(name, 0.0, 1.0)], end_s=2.0)

    assert "<script" not in picture
    assert picture.count("&lt;script&gt;") == 6


def test_names_of_neighbouring_bands_do_not_run_into_each_other() -> None:
    bands = [Band("cable out", 10.0, 20.0), Band("agent killed", 12.0, 14.0), Band("serving killed", 13.0, 15.0)]

    picture = plots.lanes(
        "Versions", [Strip("n1", 0.0, 1.0, "good", "")], [*bands, Band("late", 90.0, 95.0)], end_s=100
    )

    assert re.findall(r'class="band" x="[0-9.]*" y="([0-9]*)">([^<]*)<', picture) == [
        ("10", "cable out"),
        ("20", "agent killed"),
        ("30", "serving killed"),
        ("10", "late"),
    ]
