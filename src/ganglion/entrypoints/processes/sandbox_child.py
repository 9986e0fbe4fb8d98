"""The child of a sandbox: passes one package through the gate, loads it, answers its golden inputs, and reports.

    python -m ganglion.entrypoints.processes.sandbox_child JOB

Everything that it imports, it imports before the walls go up; everything after that is the model's doing.
"""

import os
import sys
import threading
from pathlib import Path

from ganglion.adapters.package_files import read_golden, read_manifest
from ganglion.adapters.sandbox import (
    Job,
    MemoryGauge,
    Refusal,
    confine,
    confine_memory,
    decode_job,
    encode_outcome,
)
from ganglion.adapters.sandbox.report import READY
from ganglion.adapters.system import SystemClock
from ganglion.core import golden
from ganglion.core.errors import GanglionError, InvalidPackage
from ganglion.core.manifest import Manifest
from ganglion.entrypoints.models import engines
from ganglion.entrypoints.models.local_packages import OpenPackage
from ganglion.ports.sandbox import Trial

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_CPU_ONLY = ("cpu",)


def main() -> None:
    """Carry out the job in the first argument."""
    job = decode_job(sys.argv[1])
    report = _take_report_pipe()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    confine(job.limits)
    os.write(report, READY)
    os.write(report, encode_outcome(_outcome(job)))
    # Whatever the model left running in threads of its own ends here.
    os._exit(0)


def _outcome(job: Job) -> Trial | Refusal:
    try:
        return _try_out(job)
    except GanglionError as error:
        return Refusal(error.code, f"in the sandbox: {error.message}")
    except MemoryError:
        return Refusal(InvalidPackage.code, "in the sandbox the model needed more memory than it may have")
    except Exception as error:  # noqa: BLE001 - the edge to the model: what it made go wrong here is its reason
        return Refusal(InvalidPackage.code, f"in the sandbox: {type(error).__name__}: {error}")


def _try_out(job: Job) -> Trial:
    directory, clock = Path(job.directory), SystemClock()
    manifest = read_manifest(directory)
    package = OpenPackage(directory, manifest)
    package.pass_gate(job.gate)
    package.check_arch()
    confine_memory(job.limits.memory_bytes_max, is_cpu_only=False)
    inputs, expected = read_golden(directory, manifest)
    engines.runtime_for(manifest.target.runtime)
    gauge = _wall_off_memory(job, manifest)
    began_s = clock.monotonic_s()
    pipeline = package.pipeline()
    loaded_s = clock.monotonic_s()
    golden.prove(pipeline, inputs, expected)
    warm_s = clock.monotonic_s()
    proof = golden.prove(pipeline, inputs, expected)
    return Trial(
        proof=proof,
        load_ms=(loaded_s - began_s) * 1e3,
        golden_ms=(clock.monotonic_s() - warm_s) * 1e3,
        memory_bytes_peak=gauge.peak_bytes(),
    )


def _wall_off_memory(job: Job, manifest: Manifest) -> MemoryGauge:
    bytes_max = min(job.limits.memory_bytes_max, manifest.limits.memory_bytes_max)
    confine_memory(bytes_max, is_cpu_only=manifest.target.options.providers == _CPU_ONLY)
    return MemoryGauge()


def _take_report_pipe() -> int:
    """Keep standard output for the report alone: a model may print what it likes, to nobody."""
    report, nowhere = os.dup(_STDOUT), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDOUT)
    os.dup2(nowhere, _STDERR)
    return report


def _end_with_parent() -> None:
    while os.read(_STDIN, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
