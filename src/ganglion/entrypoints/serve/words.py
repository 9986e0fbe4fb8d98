"""What `ganglion serve` tells people: where each model answers, what to type first, and what it does not serve."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from ganglion.core.batching_rules import EVERY_MODEL
from ganglion.core.errors import GoldenMissing, InvalidRequest
from ganglion.core.manifest import Manifest
from ganglion.entrypoints.models.model_folder import Source, Unusable
from ganglion.node.services.serving.runs import Package

_INLINE_BYTES_MAX = 500
"""A longer request is no line that anybody would want to see."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, and not listened on


def base_url(host: str, port: int) -> str:
    """Return an address that a client on this machine can use."""
    return f"http://{_EVERYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{port}"


def served(
    sources: Sequence[Source], base: str, split: Mapping[str, Mapping[str, float]] | None = None
) -> Iterator[str]:
    """Yield a line per model; it names the version that answers where there are several, or how they share."""
    models = {name: list(versions) for name, versions in groupby(sources, lambda source: source.name)}
    count = f"{len(models)} models" if len(models) > 1 else "1 model"
    yield f"Serving {count} by the Open Inference Protocol; Ctrl-C ends it"
    for name, versions in models.items():
        yield f"  {base}/v2/models/{name}{_note([source.version for source in versions], (split or {}).get(name, {}))}"


def by_grpc(host: str, port: int, uds: Path | None) -> Iterator[str]:
    """Yield where gRPC answers, if anywhere."""
    if port:
        yield f"  and by gRPC at {base_url(host, port).removeprefix('http://')}"
    if uds is not None:
        yield f"  and by gRPC on the Unix socket {uds}"


def by_tls(host: str, port: int, grpc_port: int) -> Iterator[str]:
    """Yield where TLS is spoken, if anywhere."""
    if port:
        yield f"  and over TLS at {base_url(host, port).replace('http:', 'https:')}"
    if grpc_port:
        yield f"  and by gRPC over TLS at {base_url(host, grpc_port).removeprefix('http://')}"


def _note(versions: Sequence[str], weights: Mapping[str, float]) -> str:
    total = sum(weights.get(version, 0.0) for version in versions)
    if total:
        return "  " + ", ".join(f"version {each}: {weights.get(each, 0.0) / total:.1%}" for each in versions)
    others = ", ".join(versions[:-1])
    return f"  version {versions[-1]} answers, and by name: {others}" if others else ""


def not_served(unusable: Sequence[Unusable]) -> Iterator[str]:
    """Yield a line per file that cannot be served."""
    for each in unusable:
        yield f"not served: {each.path}: {' '.join(each.reason.split())}"


def unmatched(setting: str, models: Iterable[str], sources: Sequence[Source]) -> Iterator[str]:
    """Yield a line per model that a setting names and that is not there: it may be a slip, or come later."""
    present = {str(source.name) for source in sources} | {EVERY_MODEL}
    for name in models:
        if name not in present:
            yield f"{setting} names {name[:80]!r}, and there is no such model now"


def unmatched_versions(split: Mapping[str, Mapping[str, float]], sources: Sequence[Source]) -> Iterator[str]:
    """Yield a line per version that should share the requests of a model and is not served: the others take its part.

    Models of which nothing is served are left to `unmatched`.
    """
    present = {(str(source.name), str(source.version)) for source in sources}
    models = {name for name, _ in present}
    for model, weights in split.items():
        for version, weight in weights.items():
            if weight and model in models and (model, version) not in present:
                yield f"serve.split gives version {version[:80]!r} of model {model} a share, and it is not served now"


def first_request(source: Source, package: Package, base: str) -> str:
    """Return a line that asks the model something and can be pasted into a shell."""
    manifest = package.pipeline.manifest
    url = shlex.quote(f"{base}/v2/models/{manifest.name}")
    if package.pipeline.takes_files:
        return f"curl -s --data-binary @photo.jpg {url}/predict"
    try:
        body = _body(manifest, package)
    except InvalidRequest:
        return f"curl -s --data-binary @photo.jpg {url}/predict"  # It takes image files, which JSON cannot hold.
    if not body:
        return f"curl -s {url}"
    if len(body) <= _INLINE_BYTES_MAX:
        return f"curl -s -d {shlex.quote(body)} {url}/infer"
    return f"ganglion model example {shlex.quote(str(source.path))} | curl -s -d @- {url}/infer"


def input_size(manifest: Manifest) -> int:
    """Return how many numbers a smallest request holds, to choose the model that is easiest to try."""
    size = 0
    for spec in manifest.inputs:
        elements = 1
        for length in spec.shape:
            elements *= max(length, 1)
        size += elements
    return size


def _body(manifest: Manifest, package: Package) -> str:
    from ganglion.entrypoints.models import example_request  # noqa: PLC0415 - clients are served before words are looked for

    try:
        inputs, _ = package.golden()
    except GoldenMissing:
        made = example_request.made_up_inputs(package.pipeline)
        if made is None:
            return ""
        inputs = made
    return example_request.request_body(manifest, inputs).decode().strip()
