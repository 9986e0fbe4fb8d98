"""The little Markdown that the reference pages are made of."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


def page(title: str, *blocks: str) -> str:
    """Return a page: title, the remark that it is generated, and its blocks."""
    return "\n\n".join([f"# {title}", GENERATED, *(block for block in blocks if block)]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells may hold any text."""
    lines = [_row(header), _row(["---"] * len(header)), *(_row([_cell(text) for text in row]) for row in rows)]
    return "\n".join(lines)


def code(text: object) -> str:
    """Return `text` as code, or nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
