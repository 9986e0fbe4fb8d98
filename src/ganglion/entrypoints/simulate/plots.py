"""The pictures of a simulated fleet, as inline SVG: no library, no script, no network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 960, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 14, 26
_STEPS_H = (0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 720, 1440)
_TICKS_MAX = 12
_WHOLE = 10
"""From here on half machines look odd."""
_ROUND = (1, 2, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over the hours; `colour` is the name of a CSS variable."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Span:
    """A shaded time, in hours."""

    name: str
    from_h: float
    until_h: float


def lines(title: str, curves: Sequence[Curve], spans: Sequence[Span], *, end_h: float, y_max: float = 0.0) -> str:
    """Draw curves; the value axis ends at `y_max` or at a round number above the highest value."""
    frame = _Frame(end_h, _rounded(max([y_max, *(y for curve in curves for _, y in curve.points)])))
    parts = [frame.spans(spans), frame.axes()]
    parts += [
        f'<polyline points="{frame.path(curve.points)}" fill="none" stroke="var(--{curve.colour})" stroke-width="1.8"/>'
        for curve in curves
    ]
    return _svg(title, parts) + _legend([(curve.name, curve.colour) for curve in curves])


def stack(title: str, curves: Sequence[Curve], spans: Sequence[Span], *, end_h: float, y_max: float) -> str:
    """Draw areas one upon the other; every curve has its points at the same hours."""
    frame = _Frame(end_h, y_max)
    parts = []
    below = [0.0] * max((len(curve.points) for curve in curves), default=0)
    for curve in curves:
        hours = [at_h for at_h, _ in curve.points]
        above = [low + value for low, (_, value) in zip(below, curve.points, strict=True)]
        outline = [*zip(hours, above, strict=True), *reversed(list(zip(hours, below, strict=True)))]
        parts.append(f'<polygon points="{frame.path(outline)}" fill="var(--{curve.colour})"/>')
        below = above
    return _svg(title, [*parts, frame.spans(spans), frame.axes()]) + _legend(
        [(curve.name, curve.colour) for curve in curves]
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps hours and values to pixels."""

    end_h: float
    y_max: float

    def x(self, at_h: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(at_h / self.end_h, 0.0), 1.0)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(value / self.y_max, 1.0)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(at_h):.1f},{self.y(value):.1f}" for at_h, value in points)

    def spans(self, spans: Sequence[Span]) -> str:
        return "".join(
            f'<rect x="{self.x(span.from_h):.1f}" y="{_TOP}" width="{self._width(span):.1f}"'
            f' height="{HEIGHT - _TOP - _BOTTOM}" fill="var(--band)"><title>{escape(span.name)}</title></rect>'
            for span in spans
        )

    def _width(self, span: Span) -> float:
        return max(1.0, self.x(span.until_h) - self.x(span.from_h))

    def axes(self) -> str:
        base = HEIGHT - _BOTTOM
        step_h = next((each for each in _STEPS_H if self.end_h / each <= _TICKS_MAX), self.end_h / 4)
        marks = [f'<line x1="{_LEFT}" y1="{base}" x2="{WIDTH - _RIGHT}" y2="{base}" stroke="var(--line)"/>']
        for number in range(int(self.end_h / step_h) + 1):
            at_h = number * step_h
            marks.append(
                f'<text x="{self.x(at_h):.1f}" y="{base + 16}" text-anchor="middle">{_hours(at_h, step_h)}</text>'
            )
        for share in (0.0, 0.5, 1.0):
            value = self.y_max * share
            if self.y_max >= _WHOLE and value != round(value):
                continue
            marks.append(f'<text x="{_LEFT - 8}" y="{self.y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
        return "".join(marks)


def _hours(at_h: float, step_h: float) -> str:
    return f"{at_h / 24:g} d" if step_h >= 24 else f"{at_h:g} h"  # noqa: PLR2004 - a day


def _rounded(value: float) -> float:
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in _ROUND if step * unit >= value)


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    shown = "".join(
        f'<span><i style="background:var(--{colour})"></i>{escape(name)}</span>' for name, colour in entries
    )
    return f'<p class="legend">{shown}</p>'


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
