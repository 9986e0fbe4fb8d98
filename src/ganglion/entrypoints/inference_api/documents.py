"""The documents of the Open Inference Protocol that tell about the server and its models, and the metrics."""

from collections.abc import Iterator, Mapping

from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.node.services.serving_versions import ServedModel


def server_metadata(release: str) -> dict[str, object]:
    """Return the document of `GET /v2`."""
    return {"name": "ganglion", "version": release, "extensions": ["binary_tensor_data"]}


def model_metadata(manifest: Manifest) -> dict[str, object]:
    """Return the document of `GET /v2/models/NAME`."""
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": f"{manifest.target.runtime}_onnx",
        "inputs": [_tensor(spec) for spec in manifest.inputs],
        "outputs": [_tensor(spec) for spec in manifest.outputs],
    }


def repository_index(models: Mapping[str, ServedModel], *, only_ready: bool) -> list[dict[str, object]]:
    """Return every loaded version, and every known model without one."""
    entries = [entry for name, served in models.items() for entry in _entries(name, served)]
    return [entry for entry in entries if entry["state"] == "READY" or not only_ready]


def metrics(models: Mapping[str, ServedModel], shed: Mapping[str, int]) -> str:
    """Return counts in the text format of Prometheus."""
    versions = [
        (f'model="{_escape(name)}",version="{_escape(version.name)}"', version, served.active is version)
        for name, served in models.items()
        for version in served.versions.values()
    ]
    lines = [
        *_family("ganglion_requests_total", "counter", "Requests that reached a model version."),
        *[f"ganglion_requests_total{{{labels}}} {version.requests_total}" for labels, version, _ in versions],
        *_family("ganglion_request_errors_total", "counter", "Requests that the model version failed to answer."),
        *[f"ganglion_request_errors_total{{{labels}}} {version.errors_total}" for labels, version, _ in versions],
        *_family("ganglion_version_active", "gauge", "1 for the version that answers."),
        *[f"ganglion_version_active{{{labels}}} {int(active)}" for labels, _, active in versions],
        *_family("ganglion_records_shed_total", "counter", "Records that the journal had no room for."),
        *[f'ganglion_records_shed_total{{class="{name}"}} {count}' for name, count in shed.items()],
    ]
    return "\n".join(lines) + "\n"


def _tensor(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _entries(name: str, served: ServedModel) -> Iterator[dict[str, object]]:
    for version in served.versions.values():
        is_active = version is served.active
        reason = "" if is_active else "loaded, another version answers"
        yield {
            "name": name,
            "version": version.name,
            "state": "READY" if is_active else "UNAVAILABLE",
            "reason": reason,
        }
    if not served.versions:
        yield {"name": name, "version": "", "state": "UNAVAILABLE", "reason": "no version is loaded"}


def _family(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
