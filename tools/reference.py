"""Writes docs/reference from the code, or checks that it is up to date (`--check`, for CI)."""

import argparse
import difflib
import sys
from collections.abc import Callable

import advise_schemas
from reference_pages import advise, cli, errors, rest, settings, steps, wire
from source_tree import ROOT

FOLDER = ROOT / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "advise.md": advise.render,
    "cli.md": cli.render,
    "errors.md": errors.render,
    "rest.md": rest.render,
    "settings.md": settings.render,
    "steps.md": steps.render,
    "wire.md": wire.render,
}


def main() -> int:
    """Write every page and schema, or name the pages that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is out of date")
    if parser.parse_args().check:
        return check()
    FOLDER.mkdir(parents=True, exist_ok=True)
    advise_schemas.main()
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
    return 0


def check() -> int:
    """Print what would change and return the exit code."""
    changes = [change for name in PAGES for change in difference(name)]
    sys.stdout.writelines(changes)
    if changes:
        print("\ndocs/reference is out of date: run `make docs` and commit the result.")
    return 1 if changes else 0


def difference(name: str) -> list[str]:
    """Return the changes that `make docs` would make to a page."""
    file = FOLDER / name
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    new = PAGES[name]()
    return list(
        difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), f"docs/reference/{name}", "what the code says"
        )
    )


if __name__ == "__main__":
    sys.exit(main())
