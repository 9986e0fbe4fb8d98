"""Bars on a logarithmic scale, as SVG: CPU time per request in multiples of bare `session.run`."""

import math
from html import escape

_ROW, _LEFT, _WIDTH, _TOP = 20, 190, 640, 46
_FONT = 'font-family="sans-serif" font-size="12"'
_COLOURS = {"json": "#b8860b", "binary": "#2f6f9f", "grpc": "#5a8f3d"}


def bars(rows: list[dict[str, object]]) -> str:
    """Return the picture of a summary; `cpu_ratio` is the length of a bar, its quartiles the whisker."""
    shown = [(row, figures) for row in rows[1:] if isinstance(figures := row["cpu_ratio"], dict)]
    shown.sort(key=lambda each: (str(each[0]["request"]), each[0]["connections"], each[1]["median"]))
    longest = max(figures["high"] for _, figures in shown)
    decades = math.ceil(math.log10(longest) * 2) / 2

    def at(ratio: float) -> float:
        return _LEFT + _WIDTH * math.log10(max(1.0, ratio)) / decades

    height = _TOP + _ROW * len(shown) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 70} {height}" {_FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="20" font-size="15">CPU time per request of the tiny model, in multiples of session.run</text>',
    ]
    for tick in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300):
        if math.log10(tick) <= decades:
            x = at(tick)
            parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height - 24}" stroke="#ddd"/>')
            parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick}</text>')
    for number, (row, figures) in enumerate(shown):
        y, kind = _TOP + _ROW * number, str(row["request"])
        weight = ' font-weight="bold"' if row["server"] == "ganglion" else ""
        label = escape(f"{row['server']} {kind} c={row['connections']}")
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end"{weight}>{label}</text>')
        width = at(figures["median"]) - _LEFT
        parts.append(f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="13" fill="{_COLOURS[kind]}"/>')
        low, high = at(figures["low"]), at(figures["high"])
        parts.append(f'<line x1="{low:.1f}" y1="{y + 8}" x2="{high:.1f}" y2="{y + 8}" stroke="black"/>')
        parts.append(f'<text x="{high + 5:.1f}" y="{y + 12}">{figures["median"]:g}</text>')
    return "\n".join([*parts, "</svg>", ""])
