"""Decisions are pure: no I/O, no clock, no logging (style guide, section 2). The import-linter says it too."""

import ast

import pytest

from source_tree import SourceFile, source_files

PURE = (
    "ganglion.core",
    "ganglion.wire",
    "ganglion.trust",
    "ganglion.hub.domain",
    "ganglion.node.domain",
    "ganglion.factory.domain",
    "ganglion.advisor",
)
IMPURE_MODULES = {
    "anyio", "asyncio", "concurrent", "fcntl", "glob", "http", "logging", "mmap", "multiprocessing", "os",
    "pathlib", "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl",
    "structlog", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}


def imported_modules(source: SourceFile) -> set[str]:
    found = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_imports_nothing_that_reaches_the_world(package: str) -> None:
    sources = [source for source in source_files("src") if f"{source.name}.".startswith(f"{package}.")]

    impure = [
        f"{source.path} imports {module}: decide here, act in a service or an adapter"
        for source in sources
        for module in sorted(imported_modules(source) & IMPURE_MODULES)
    ]

    assert sources
    assert not impure, "\n".join(impure)


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_does_no_io_and_never_waits(package: str) -> None:
    impure = [
        f"{source.place(node)}: {ast.unparse(node)[:60]}"
        for source in source_files("src")
        if f"{source.name}.".startswith(f"{package}.")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS)
    ]

    assert not impure, "\n".join(impure)
