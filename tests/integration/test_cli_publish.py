"""`ganglion model publish` with what is not a package."""

from pathlib import Path
from typing import cast

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.model import publish


def test_a_bare_model_file_is_refused_with_the_way_to_a_package(tmp_path: Path) -> None:
    file = tmp_path / "gate.onnx"
    file.write_bytes(b"\x08\x08")
    never_asked = cast("Session", object())

    with pytest.raises(InvalidRequest, match=r"gate\.onnx is a model file; `ganglion model build` makes a package"):
        publish(never_asked, file)
