"""Writes src/ganglion/advisor/schema: the published JSON Schemas of the advisor's answers."""

import msgspec

from ganglion.entrypoints.advise.schema import ANSWERS, answer_schema
from source_tree import ROOT

FOLDER = ROOT / "src" / "ganglion" / "advisor" / "schema"


def text_of(command: str) -> str:
    """Return the content of one file."""
    return msgspec.json.format(msgspec.json.encode(answer_schema(command)), indent=2).decode() + "\n"


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(exist_ok=True)
    for command in ANSWERS:
        (FOLDER / f"{command}.json").write_text(text_of(command), encoding="utf-8")


if __name__ == "__main__":
    main()
