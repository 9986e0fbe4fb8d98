"""What a node costs before it has a model: installed bytes, import time, and memory of its three processes.

Installs the base package (no extras) into a virtual environment of its own; pip and setuptools are not counted.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 7
NOT_COUNTED = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
MODULES = ("ganglion", "ganglion.entrypoints.node.serving_process", "ganglion.entrypoints.node.agent_process")


def installed_bytes(site: Path) -> int:
    return sum(
        file.stat().st_size
        for file in site.rglob("*")
        if file.is_file() and not file.relative_to(site).parts[0].startswith(NOT_COUNTED)
    )


def seconds(command: list[str]) -> list[float]:
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return taken


def peak_bytes(python: str, module: str) -> int:
    program = f"import {module}, resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    told = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True)
    return int(told.stdout) * 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "venv", scratch], check=True)
        python = f"{scratch}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True, stderr=subprocess.DEVNULL)
        site = next(Path(scratch).glob("lib/python*/site-packages"))
        bare = statistics.median(seconds([python, "-c", "pass"]))
        figures: dict[str, object] = {"installed_bytes": installed_bytes(site), "bare_python_s": bare}
        print(f"installed without pip and setuptools  {installed_bytes(site) / 1e6:7.1f} MB")
        commands = {name: [python, "-c", f"import {name}"] for name in MODULES}
        commands["ganglion --help"] = [f"{scratch}/bin/ganglion", "--help"]
        for name, command in commands.items():
            taken = seconds(command)
            middle, low, high = statistics.median(taken), min(taken), max(taken)
            figures[name] = {"median_s": middle, "min_s": low, "max_s": high}
            print(f"{name:38s} {middle:6.3f} s ({low:.3f} to {high:.3f}), {middle / bare:4.1f}x bare python")
        for module in MODULES:
            figures[f"{module} peak_bytes"] = peak_bytes(python, module)
            print(f"{module:38s} {peak_bytes(python, module) / 1e6:6.1f} MB resident after import")
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "footprint.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
