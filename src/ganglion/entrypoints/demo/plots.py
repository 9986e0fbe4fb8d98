"""The report's pictures, as inline SVG: no library, no script, no network. Colours come from the page's variables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 960, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 36, 24
_NAME_ROWS = 3
_NAME_LETTER = 5.5
"""Width of a letter of a band's name, about."""
_TICKS = 6
_ROUND = (1, 2, 4, 6, 8, 10)
"""A value axis ends at one of these, times a power of ten: half of each is a round number too."""


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded time, with a name above it."""

    name: str
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Series:
    """Points (x in seconds, y) of one colour; `colour` is the name of a CSS variable."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Strip:
    """A stretch of one lane in one colour."""

    lane: str
    from_s: float
    until_s: float
    colour: str
    label: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps values to pixels."""

    end_s: float
    y_max: float
    height: int = HEIGHT

    def x(self, at_s: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(at_s / self.end_s, 0.0), 1.0)

    def y(self, value: float) -> float:
        return self.height - _BOTTOM - (self.height - _TOP - _BOTTOM) * min(value / self.y_max, 1.0)


def lines(title: str, series: Sequence[Series], bands: Sequence[Band], *, end_s: float) -> str:
    """Draw curves over time, with shaded bands behind them."""
    frame = _Frame(end_s, y_max=_rounded_up(max((y for one in series for _, y in one.points), default=0.0)))
    parts = [_bands(frame, bands), _axes(frame), _value_axis(frame)]
    parts += [_curve(frame, one) for one in series]
    return _svg(title, HEIGHT, parts) + _legend(series)


def lanes(title: str, strips: Sequence[Strip], bands: Sequence[Band], *, end_s: float) -> str:
    """Draw one row for each lane, in the order of their first strips."""
    names = list(dict.fromkeys(strip.lane for strip in strips))
    height = _TOP + _BOTTOM + 34 * len(names)
    frame = _Frame(end_s, 1.0, height)
    parts = [_bands(frame, bands), _axes(frame)]
    for strip in strips:
        top = _TOP + 34 * names.index(strip.lane) + 14
        left, right = frame.x(strip.from_s), frame.x(strip.until_s)
        parts.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 0.8):.1f}" height="16" rx="2"'
            f' fill="var(--{strip.colour})"><title>{escape(strip.label)}</title></rect>'
        )
    for number, name in enumerate(names):
        parts.append(f'<text x="{_LEFT}" y="{_TOP + 34 * number + 10}">{escape(name)}</text>')
    return _svg(title, height, parts)


def bars(title: str, values: Sequence[tuple[str, float]]) -> str:
    """Draw horizontal bars of shares between 0 and 1, each with its figure."""
    height = 20 + 34 * len(values)
    parts = []
    for number, (name, value) in enumerate(values):
        top = 12 + 34 * number
        parts.append(f'<text x="0" y="{top + 16}">{escape(name)}</text>')
        parts.append(f'<rect x="110" y="{top}" width="{700 * value:.0f}" height="22" rx="3" fill="var(--good)"/>')
        parts.append(f'<text x="{118 + 700 * value:.0f}" y="{top + 16}">{value:.1%}</text>')
    return _svg(title, height, parts)


def _curve(frame: _Frame, series: Series) -> str:
    points = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in series.points)
    return f'<polyline points="{points}" fill="none" stroke="var(--{series.colour})" stroke-width="1.8"/>'


def _bands(frame: _Frame, bands: Sequence[Band]) -> str:
    parts = []
    for band, row in zip(bands, _name_rows(frame, bands), strict=True):
        left, right = frame.x(band.from_s), frame.x(band.until_s)
        parts.append(
            f'<rect x="{left:.1f}" y="{_TOP}" width="{max(right - left, 1):.1f}"'
            f' height="{frame.height - _TOP - _BOTTOM}" fill="var(--band)"><title>{escape(band.name)}</title></rect>'
        )
        parts.append(f'<text class="band" x="{left:.1f}" y="{10 + 10 * row}">{escape(band.name)}</text>')
    return "".join(parts)


def _name_rows(frame: _Frame, bands: Sequence[Band]) -> list[int]:
    """Return for each band's name the first row in which it does not run into the one before."""
    ends, rows = [0.0] * _NAME_ROWS, []
    for band in bands:
        left = frame.x(band.from_s)
        row = next((row for row, end in enumerate(ends) if end <= left), _NAME_ROWS - 1)
        ends[row] = left + _NAME_LETTER * len(band.name)
        rows.append(row)
    return rows


def _axes(frame: _Frame) -> str:
    base = frame.height - _BOTTOM
    step = max(1, round(frame.end_s / _TICKS / 10)) * 10
    ticks = range(0, int(frame.end_s) + 1, step)
    marks = "".join(
        f'<text x="{frame.x(second):.1f}" y="{base + 16}" text-anchor="middle">{second} s</text>' for second in ticks
    )
    return f'<line x1="{_LEFT}" y1="{base}" x2="{WIDTH - _RIGHT}" y2="{base}" stroke="var(--line)"/>{marks}'


def _value_axis(frame: _Frame) -> str:
    marks = []
    for share in (0.0, 0.5, 1.0):
        value = frame.y_max * share
        marks.append(f'<text x="{_LEFT - 6}" y="{frame.y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    return "".join(marks)


def _rounded_up(value: float) -> float:
    """Return the round number at which a value axis ends."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in _ROUND if step * unit >= value)


def _legend(series: Sequence[Series]) -> str:
    entries = "".join(
        f'<span><i style="background:var(--{one.colour})"></i>{escape(one.name)}</span>' for one in series
    )
    return f'<p class="legend">{entries}</p>'


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
