"""One word per idea, and no word without one (style guide, sections 1 and 5)."""

import ast

from source_tree import source_files

CATCH_ALL_MODULES = {"utils", "util", "common", "helpers", "helper", "misc", "base", "shared"}
EMPTY_ENDINGS = ("Manager", "Handler", "Helper", "Data", "Info")


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = [
        f"{source.path}: name the idea that holds its content together"
        for folder in ("src", "tools", "tests")
        for source in source_files(folder)
        if source.path.stem in CATCH_ALL_MODULES or source.path.parent.name in CATCH_ALL_MODULES
    ]

    assert not drawers, "\n".join(drawers)


def test_no_class_ends_in_a_word_that_says_nothing() -> None:
    empty = [
        f"{source.place(node)} {node.name}: name the thing, not that it manages something"
        for source in source_files("src")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(EMPTY_ENDINGS)
    ]

    assert not empty, "\n".join(empty)


def test_no_function_begins_with_do() -> None:
    empty = [
        f"{source.place(node)} {node.name}: say what it does"
        for source in source_files("src")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.lstrip("_").startswith("do_")
    ]

    assert not empty, "\n".join(empty)
