"""Small enough to read in one go (style guide, section 6)."""

import ast

import pytest

from source_tree import SourceFile, source_files

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
POSITIONAL_MAX = 5

FOLDERS = ("src", "tools", "tests", "bench")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: SourceFile) -> list[FunctionNode]:
    return [node for node in ast.walk(source.tree) if isinstance(node, FunctionNode)]


def positional(function: FunctionNode) -> list[str]:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_is_longer_than_400_lines(folder: str) -> None:
    long = [
        f"{source.path}: {lines} lines; split it by idea, at most {MODULE_LINES_MAX} are allowed"
        for source in source_files(folder)
        if (lines := source.text.count("\n")) > MODULE_LINES_MAX
    ]

    assert not long, "\n".join(long)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_function_is_longer_than_70_lines(folder: str) -> None:
    long = [
        f"{source.place(function)} {function.name}: {lines} lines; move straight-line work into pure functions"
        for source in source_files(folder)
        for function in functions(source)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_no_function_has_more_than_5_positional_parameters() -> None:
    wide = [
        f"{source.place(function)} {function.name}{tuple(names)}: make options keyword-only, or group them in a value"
        for source in source_files("src")
        if not source.name.startswith("ganglion.entrypoints.cli")  # typer reads options from parameters
        for function in functions(source)
        if len(names := positional(function)) > POSITIONAL_MAX
    ]

    assert not wide, "\n".join(wide)
