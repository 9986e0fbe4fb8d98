"""The servers to compare with: how each is installed and started, and which requests it takes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SERVER_CORE = 0
NAMES = ("ganglion", "fastapi", "litserve", "mlserver", "kserve", "triton")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens."""

    http: int
    grpc: int


@dataclass(frozen=True, slots=True)
class Tensors:
    """What the model takes and gives, in the words of the configuration files."""

    input: str
    input_shape: tuple[int, ...]
    kind: str
    output: str
    output_shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A model file, and a folder for what a server wants beside it."""

    folder: Path
    model: Path
    tensors: Tensors


def install(environments: Path) -> None:
    """Make the environment of every peer that has none."""
    for line in (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name, colon, packages = line.partition(": ")
        folder = environments / name
        if not colon or line.startswith("#") or (folder / "installed").exists():
            continue
        print(f"installing {name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages.split()], check=True)
        (folder / "installed").touch()


def start(name: str, environments: Path, place: Place, ports: Ports) -> "subprocess.Popen[bytes]":
    """Start a server on its core, in a process group of its own."""
    python = str(environments / name / "bin" / "python")
    file, http, grpc = str(place.model), str(ports.http), str(ports.grpc)
    cwd, extra = place.folder, {}
    match name:
        case "ganglion":
            command = [str(Path(sys.executable).with_name("ganglion")), "serve", file]
            command += ["--port", http, "--grpc-port", grpc, "--threads", "1"]
        case "kserve":
            command = [python, str(HERE / "kserve_server.py"), file, "--port", http, "--grpc-port", grpc]
        case "mlserver":
            cwd = _write_mlserver(place, ports)
            extra = {"PYTHONPATH": str(HERE)}
            command = [str(environments / name / "bin" / "mlserver"), "start", "."]
        case "triton":
            command, extra = _triton(environments / name, place, ports)
        case _:
            command = [python, str(HERE / f"{name}_server.py"), file, "--port", http]
    with (place.folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **extra},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _write_mlserver(place: Place, ports: Ports) -> Path:
    folder = place.folder / "mlserver"
    folder.mkdir()
    settings = {
        "host": "127.0.0.1",
        "http_port": ports.http,
        "grpc_port": ports.grpc,
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "debug": False,
        "access_logger_enabled": False,
    }
    model = {"name": "demo", "implementation": "mlserver_model.OnnxModel", "parameters": {"uri": str(place.model)}}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return folder


def _triton(environment: Path, place: Place, ports: Ports) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of the server in the wheel, without the wheel's Python front."""
    (packages,) = environment.glob("lib/python3.*/site-packages")
    server = packages / "pytriton" / "tritonserver"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    backend = place.folder / "backends" / "python"
    backend.mkdir(parents=True)
    stub = server / "python_backend_stubs" / python / "triton_python_backend_stub"
    for part in (*(server / "backends" / "python").glob("*.*"), stub):
        (backend / part.name).symlink_to(part)
    model = place.folder / "models" / "demo"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").symlink_to(HERE / "triton_model.py")
    (model / "config.pbtxt").write_text(_config_of(place), encoding="utf-8")
    command = [str(server / "bin" / "tritonserver"), "--allow-metrics", "false"]
    command += ["--model-repository", str(model.parent), "--backend-directory", str(backend.parent)]
    command += ["--http-port", str(ports.http), "--grpc-port", str(ports.grpc)]
    libraries = f"{packages / 'nvidia_pytriton.libs'}:{server / 'lib'}"
    return command, {"LD_LIBRARY_PATH": libraries, "MODEL_PACKAGES": str(packages)}


def _config_of(place: Place) -> str:
    tensors = place.tensors
    kind = {"FP32": "TYPE_FP32", "UINT8": "TYPE_UINT8"}[tensors.kind]
    return f"""
name: "demo"
backend: "python"
max_batch_size: 64
input [{{name: "{tensors.input}", data_type: {kind}, dims: {list(tensors.input_shape[1:])}}}]
output [{{name: "{tensors.output}", data_type: TYPE_FP32, dims: {list(tensors.output_shape[1:])}}}]
parameters {{key: "file", value {{string_value: "{place.model}"}}}}
instance_group [{{kind: KIND_CPU, count: 1}}]
"""
