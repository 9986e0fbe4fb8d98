"""What `ganglion apply` refuses before the hub is asked."""

from pathlib import Path
from typing import cast

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.apply import apply, diff
from ganglion.entrypoints.cli.context import Session


@pytest.mark.parametrize("command", [apply, diff])
def test_files_that_declare_nothing_are_not_a_wish_to_remove_everything(tmp_path: Path, command: object) -> None:
    (tmp_path / "fleet.yaml").write_text("# {{ .Values }}\n", encoding="utf-8")
    assert callable(command)

    with pytest.raises(InvalidRequest, match="declare nothing"):
        command(cast("Session", None), file=tmp_path, prune=True)
