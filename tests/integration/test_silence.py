"""Nothing that we bring along speaks to its maker."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "module", ["adapters.onnxruntime", "factory.steps.quantise", "entrypoints.node.serving_process"]
)
def test_the_engine_is_told_to_send_no_usage_figures_before_it_is_imported(module: str, tmp_path: Path) -> None:
    program = f"import ganglion.{module}, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"

    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"TMPDIR": str(tmp_path)}
    )

    assert told.stdout.strip() == "1"
    # The engine notes the session that it would report among the temporary files.
    assert list(tmp_path.iterdir()) == []
