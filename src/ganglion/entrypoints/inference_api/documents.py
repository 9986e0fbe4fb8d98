"""The documents of the Open Inference Protocol that tell about the server and its models."""

from collections.abc import Iterator, Mapping, Sequence

from ganglion.core.engine_options import RuntimeName
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.node.services.serving.versions import ServedModel

_PLATFORMS: dict[RuntimeName, str] = {"onnxruntime": "onnxruntime_onnx", "openvino": "openvino", "litert": "tflite"}
"""As other servers of the protocol call them."""

_EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_repository",
    "parameters",
    "sequence",
    "statistics",
    "system_shared_memory",
)


def server_metadata(release: str) -> dict[str, object]:
    """Return the document of `GET /v2`."""
    return {"name": "ganglion", "version": release, "extensions": list(_EXTENSIONS)}


def platform_of(manifest: Manifest) -> str:
    """Return the engine of a version, as other servers of the protocol call it."""
    return _PLATFORMS[manifest.target.runtime]


def model_metadata(manifest: Manifest, versions: Sequence[str] = ()) -> dict[str, object]:
    """Return the document of `GET /v2/models/NAME`; `versions` are those that can be asked for by name."""
    return {
        "name": manifest.name,
        "versions": list(versions) or [manifest.version],
        "platform": platform_of(manifest),
        "inputs": [_tensor(spec) for spec in manifest.inputs],
        "outputs": [_tensor(spec) for spec in manifest.outputs],
    }


def repository_index(models: Mapping[str, ServedModel], *, only_ready: bool) -> list[dict[str, object]]:
    """Return every loaded version, and every known model without one."""
    entries = [entry for name, served in models.items() for entry in _entries(name, served)]
    return [entry for entry in entries if entry["state"] == "READY" or not only_ready]


def _tensor(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _entries(name: str, served: ServedModel) -> Iterator[dict[str, object]]:
    for version in served.versions.values():
        is_ready = served.is_asked(version)
        reason = "" if is_ready else "loaded, another version answers"
        yield {
            "name": name,
            "version": version.name,
            "state": "READY" if is_ready else "UNAVAILABLE",
            "reason": reason,
        }
    if not served.versions:
        reasons = filter(None, (*served.withheld.values(), served.refused, "no version is loaded"))
        yield {"name": name, "version": "", "state": "UNAVAILABLE", "reason": next(reasons)}
