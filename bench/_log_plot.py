"""A plot with two logarithmic axes as SVG: points of some series, and the straight line through each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 30, 50
_STYLE = "<style>text{font:13px sans-serif;fill:#4d5662}</style>"
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Series:
    """Points with positive values."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


def line_through(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return (exponent, factor) of the power law that fits best: y = factor * x ** exponent."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(each[i] for each in logs) / len(logs) for i in (0, 1))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)
    return slope, math.exp(mean_y - slope * mean_x)


def drawn(title: str, series: Sequence[Series], *, x_name: str, y_name: str) -> str:
    """Return the picture."""
    axis_x = _Axis([x for each in series for x, _ in each.points], _LEFT, WIDTH - _RIGHT)
    axis_y = _Axis([y for each in series for _, y in each.points], HEIGHT - _BOTTOM, _TOP)
    parts = [_grid(axis_x, axis_y)]
    for number, each in enumerate(series):
        parts.append(_one(each, axis_x, axis_y))
        parts.append(
            f'<circle cx="{_LEFT + 16}" cy="{_TOP + 14 + 20 * number}" r="5" fill="{each.colour}"/>'
            f'<text x="{_LEFT + 28}" y="{_TOP + 18 + 20 * number}">{escape(each.name)}</text>'
        )
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_name)}</text>')
    parts.append(f'<text x="12" y="{_TOP - 12}">{escape(y_name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}">{_STYLE}<title>{escape(title)}</title>{"".join(parts)}</svg>\n'
    )


class _Axis:
    """Maps values to pixels."""

    def __init__(self, values: Sequence[float], from_px: float, to_px: float) -> None:
        self.low, self.high = min(values) / 1.3, max(values) * 1.3
        self._from, self._to = from_px, to_px

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self._from + share * (self._to - self._from)

    def ticks(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        marks = [step * 10.0**decade for decade in decades for step in _STEPS]
        return [mark for mark in marks if self.low <= mark <= self.high]


def _grid(axis_x: _Axis, axis_y: _Axis) -> str:
    left, right, top, base = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    across = "".join(
        f'<line x1="{axis_x.at(mark):.1f}" y1="{top}" x2="{axis_x.at(mark):.1f}" y2="{base}" stroke="#dfe3e8"/>'
        f'<text x="{axis_x.at(mark):.1f}" y="{base + 18}" text-anchor="middle">{mark:g}</text>'
        for mark in axis_x.ticks()
    )
    up = "".join(
        f'<line x1="{left}" y1="{axis_y.at(mark):.1f}" x2="{right}" y2="{axis_y.at(mark):.1f}" stroke="#dfe3e8"/>'
        f'<text x="{left - 8}" y="{axis_y.at(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>'
        for mark in axis_y.ticks()
    )
    size = f'width="{right - left}" height="{base - top}"'
    return f'{across}{up}<rect x="{left}" y="{top}" {size} fill="none" stroke="#8a93a0"/>'


def _one(series: Series, axis_x: _Axis, axis_y: _Axis) -> str:
    slope, factor = line_through(series.points)
    ends = [min(x for x, _ in series.points), max(x for x, _ in series.points)]
    path = " ".join(f"{axis_x.at(x):.1f},{axis_y.at(factor * x**slope):.1f}" for x in ends)
    dots = "".join(
        f'<circle cx="{axis_x.at(x):.1f}" cy="{axis_y.at(y):.1f}" r="5" fill="{series.colour}"/>'
        for x, y in series.points
    )
    return f'<polyline points="{path}" fill="none" stroke="{series.colour}" stroke-width="1.6"/>{dots}'
