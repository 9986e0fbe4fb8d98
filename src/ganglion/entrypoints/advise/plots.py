"""The pictures of an advisor's report, as inline SVG: no library, no script, no network."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 920
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 78, 24, 22, 46, 320
_BAR, _NAMES = 30, 170
_ROUND = (1, 2, 2.5, 5, 10)
_STEPS = 5
_MARK_ROOM = 24
_CROWDED = 0.3
"""Where, as a share of the width, a name has room on its left."""


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y) of one colour; `colour` is a CSS variable of the page."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point with a name, as where two lines cross."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a tornado: outcomes at the two ends of an input, which are named."""

    name: str
    low: float
    high: float
    low_text: str
    high_text: str


def lines(title: str, series: Sequence[Line], *, x_title: str, y_title: str, marks: Sequence[Mark] = ()) -> str:
    """Draw lines over one axis, with their names at the right end and marks where something happens."""
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points] + [0.0]
    x_ticks, y_ticks = ticks(0.0, max(xs)), ticks(min(ys), max(ys))
    plot = _Plot((x_ticks[0], max(xs)), (y_ticks[0], y_ticks[-1]))
    parts = [
        *_grid(plot, x_ticks, y_ticks),
        *(_curve(plot, one) for one in series),
        *(_mark(plot, one) for one in marks),
    ]
    parts.append(
        f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>'
    )
    parts.append(f'<text x="{_LEFT - 8}" y="13" text-anchor="end">{escape(y_title)}</text>')
    legend = "".join(f'<span><i style="background:var(--{one.colour})"></i>{escape(one.name)}</span>' for one in series)
    return _svg(title, _HEIGHT, parts) + f'<p class="legend">{legend}</p>'


def tornado(title: str, bars: Sequence[Bar], *, base: float, unit: str) -> str:
    """Draw how far each input moves the outcome around its base; the line at zero is where the winner changes."""
    ends = [base, *(end for bar in bars for end in (bar.low, bar.high))]
    reach = max(ends) - min(ends) or 1.0
    low, high = min(ends) - 0.18 * reach, max(ends) + 0.18 * reach
    height = _TOP + len(bars) * _BAR + 34

    def x(value: float) -> float:
        return _NAMES + (WIDTH - _RIGHT - _NAMES) * (value - low) / (high - low)

    parts = [f'<line x1="{x(base):.1f}" y1="{_TOP - 6}" x2="{x(base):.1f}" y2="{height - 30}" stroke="var(--ink)"/>']
    if low < 0 < high:
        parts.append(
            f'<line x1="{x(0):.1f}" y1="{_TOP - 6}" x2="{x(0):.1f}" y2="{height - 30}" stroke="var(--bad)"'
            ' stroke-dasharray="5 4"/>'
            f'<text x="{x(0):.1f}" y="{_TOP - 10}" text-anchor="middle" style="fill:var(--bad)">'
            "the winner changes</text>"
        )
    for number, bar in enumerate(bars):
        parts.extend(_tornado_bar(bar, _TOP + number * _BAR, x, base))
    parts.append(
        f'<text x="{x(base):.1f}" y="{height - 12}" text-anchor="middle">now: {short(base)} {escape(unit)}</text>'
    )
    return _svg(title, height, parts)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers from at most `low` to at least `high`."""
    if high <= low:
        high = low + 1.0
    raw = (high - low) / _STEPS
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(each * unit for each in _ROUND if each * unit >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def short(value: float) -> str:
    """Return a number as an axis shows it: 1.2k, 3.4M."""
    for least, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= least:
            return f"{value / least:.3g}{name}"
    return f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class _Plot:
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / ((high - low) or 1.0)


def _grid(plot: _Plot, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> Iterator[str]:
    right, base = WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for value in y_ticks:
        y = plot.y(value)
        colour = "var(--ink)" if value == 0 else "var(--line)"
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{colour}" stroke-width="0.7"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'
    for value in x_ticks:
        if value <= plot.x_range[1] * (1 + 1e-9):
            yield f'<text x="{plot.x(value):.1f}" y="{base + 18}" text-anchor="middle">{short(value)}</text>'


def _curve(plot: _Plot, one: Line) -> str:
    points = " ".join(f"{plot.x(x):.1f},{plot.y(y):.1f}" for x, y in one.points)
    return f'<polyline points="{points}" fill="none" stroke="var(--{one.colour})" stroke-width="2.4"/>'


def _mark(plot: _Plot, one: Mark) -> str:
    x, y = plot.x(one.x), plot.y(one.y)
    # Left of a crossing both lines are below it, and right of it both are above: the name stands where there is room.
    anchor, dx = ("end", -8) if x > WIDTH * _CROWDED else ("start", 6)
    dy = 17 if anchor == "start" and y + _MARK_ROOM < _HEIGHT - _BOTTOM else -9
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}" stroke="var(--ink)"'
        ' stroke-dasharray="3 3"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="var(--ink)"/>'
        f'<text class="mark" x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{escape(one.name)}</text>'
    )


def _tornado_bar(bar: Bar, top: float, x: Callable[[float], float], base: float) -> Iterator[str]:
    middle = top + 16
    yield f'<text class="name" x="{_NAMES - 10}" y="{middle}" text-anchor="end">{escape(bar.name)}</text>'
    for end, text, colour in ((bar.low, bar.low_text, "cloud"), (bar.high, bar.high_text, "edge")):
        left, right = sorted((x(base), x(end)))
        yield (
            f'<rect x="{left:.1f}" y="{top + 4}" width="{max(right - left, 0.6):.1f}" height="17" rx="2"'
            f' fill="var(--{colour})"/>'
        )
        is_left = end < base
        place, anchor = (left - 5, "end") if is_left else (right + 5, "start")
        yield (f'<text x="{place:.1f}" y="{middle}" text-anchor="{anchor}">{escape(text)}</text>')


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f"{''.join(parts)}</svg>"
    )
