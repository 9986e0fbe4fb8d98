"""The manifest of a model package: what the model takes and gives, how to judge it, where it came from.

Parsed once, strictly; a `Manifest` value is valid. Members are read by `adapters.package_files`;
the numbers inside golden files are compared by `core.golden`.
"""

import hashlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated, Literal, TypeAlias

import msgspec

from ganglion.core import engine_options, input_counts, steps, strict_json
from ganglion.core.batching_rules import BatchingRules
from ganglion.core.engine_options import EngineOptions, RuntimeName
from ganglion.core.errors import InvalidName, InvalidPackage
from ganglion.core.ids import Digest, ModelName, Variant, Version, parse_digest, parse_name
from ganglion.core.steps import AnomalyScore, Datatype, Step
from ganglion.core.strict_json import StrictJsonError

SCHEMA = 1
MANIFEST_PATH = "manifest.json"
MEMBERS_MAX = 256
_PATH_LENGTH_MAX = 200

Arch = Literal["any", "x86_64", "aarch64"]
Count = Annotated[int, msgspec.Meta(ge=0)]


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input or output as a client sees it. A dimension of -1 accepts any size; the first is the batch."""

    name: str
    datatype: Datatype
    shape: tuple[Annotated[int, msgspec.Meta(ge=-1)], ...]
    layout: str = ""
    """What the dimensions mean, one letter each: N batch, C channel or class, H, W, T time, F feature."""
    image: tuple[Count, Count] | None = None
    """(height, width) when one row of this tensor can be shown to people as a grey image."""

    @property
    def has_batch(self) -> bool:
        """Whether the first dimension counts rows, as many as the client likes, none of which changes another."""
        return self.shape[:1] == (-1,) and self.layout[:1] in ("", "N")


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a variant was built for."""

    runtime: RuntimeName = "onnxruntime"
    arch: Arch = "any"
    precision: str = "fp32"
    options: EngineOptions = EngineOptions()


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node grants this model at most."""

    batch_max: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 64
    memory_bytes_max: Count = 1_000_000_000
    offline_s_max: Count = 0
    """A node that had no contact with its hub for longer stops serving the model; 0: it goes on for ever."""
    loops_allowed: bool = False
    """Let operators pass whose inner graph may run for ever, as Loop. The sandbox still ends one that does."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Inputs whose outputs are known: member path per tensor name, and how far an engine may deviate."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    absolute_tolerance: Annotated[float, msgspec.Meta(ge=0)] = 1e-4
    relative_tolerance: Annotated[float, msgspec.Meta(ge=0)] = 1e-3


class HistogramReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Counts over fixed edges: edges [bins + 1] ascending, counts [bins]."""

    edges: tuple[float, ...]
    counts: tuple[Count, ...]


class DriftReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How confidence, predicted classes and inputs looked on held-out data."""

    confidence: HistogramReference
    classes: dict[str, Count]
    inputs: dict[str, HistogramReference] = {}
    """By INPUT the means of its rows, or by INPUT[COLUMN] the values of a table with few columns."""


class Classification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="classification", tag_field="kind"):
    """The output [N, classes] of probabilities that yields one label and one confidence per row."""

    output: str


class Detection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="detection", tag_field="kind"):
    """The outputs of a `detect` step: the best box gives a row its label and confidence."""

    boxes: str = "boxes"
    scores: str = "scores"
    labels: str = "labels"

    @property
    def output(self) -> str:
        """The output that holds the confidences."""
        return self.scores


class Anomaly(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="anomaly", tag_field="kind"):
    """The output [N] of scores that are normal up to a threshold."""

    output: str = "score"
    threshold: Annotated[float, msgspec.Meta(gt=0, le=1e30)] | None = None
    """The largest normal score; without it, that of the `anomaly_score` step."""


PredictionRule: TypeAlias = Classification | Detection | Anomaly


class Lineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the version came from. `data` and `code` are digests or names; `parent` is MODEL:VERSION."""

    data: str = ""
    code: str = ""
    parent: str = ""
    metrics: dict[str, float] = {}
    notes: str = ""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the package."""

    sha256: str
    size_bytes: Count


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of a package that is not weights."""

    schema: Literal[1] = 1
    name: ModelName
    version: Version
    variant: Variant = Variant("fp32")
    target: Target = Target()
    model: str = "model.onnx"
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] = ()
    preprocess: tuple[Step, ...] = ()
    postprocess: tuple[Step, ...] = ()
    prediction: PredictionRule | None = None
    limits: Limits = Limits()
    golden: Golden | None = None
    """Every released package has it. A bare model file does not, and cannot be proved."""
    drift: DriftReference | None = None
    lineage: Lineage = Lineage()
    batching: BatchingRules | msgspec.UnsetType = msgspec.UNSET
    """What its maker advises; the settings of a server win. Left out of the file where nobody says anything."""
    members: dict[str, Member]


def parse(data: bytes) -> Manifest:
    """Parse and check a manifest. Raises: InvalidPackage: whatever is wrong with it."""
    try:
        manifest = msgspec.convert(strict_json.loads(data, what=MANIFEST_PATH), Manifest)
        check(manifest)
    except StrictJsonError as error:
        raise InvalidPackage(error.message) from error
    except InvalidName as error:
        raise InvalidPackage(f"{MANIFEST_PATH}: {error.message}") from error
    except msgspec.ValidationError as error:
        raise InvalidPackage(f"{MANIFEST_PATH}: {error}") from error
    return manifest


def encode(manifest: Manifest) -> bytes:
    """Return the one canonical form: sorted keys, two spaces, a final newline."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def describe_member(data: bytes) -> Member:
    """Return the entry of a file with this content."""
    return Member(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def check(manifest: Manifest) -> None:
    """Check what types cannot say. Raises: InvalidPackage, InvalidName."""
    for text, what in ((manifest.name, "model"), (manifest.version, "version"), (manifest.variant, "variant")):
        parse_name(text, what=what)
    if len(manifest.members) > MEMBERS_MAX:
        raise InvalidPackage(f"{len(manifest.members)} members, at most {MEMBERS_MAX} are allowed")
    for path, member in manifest.members.items():
        check_member_path(path)
        _digest_of(path, member)
    engine_options.check(manifest.target.options, manifest.target.runtime)
    _check_nesting(manifest.members)
    _check_references(manifest)
    _check_tensors(manifest)
    _check_drift(manifest)


def anomaly_threshold(manifest: Manifest) -> float:
    """Return the largest score that is normal. Raises: InvalidPackage: neither the prediction nor a step states it."""
    rule = manifest.prediction
    if isinstance(rule, Anomaly) and rule.threshold is not None:
        return rule.threshold
    for step in manifest.postprocess:
        if isinstance(step, AnomalyScore):
            return step.threshold
    raise InvalidPackage("prediction: state the threshold, or make the score with the step anomaly_score")


def check_member_path(path: str) -> None:
    """Refuse every path that could leave the package. Raises: InvalidPackage."""
    parts = path.split("/")
    bad = any(part in {"", ".", ".."} for part in parts) or any(c in path for c in "\\\0:%") or not path.isprintable()
    if bad or len(path) > _PATH_LENGTH_MAX or path == MANIFEST_PATH:
        raise InvalidPackage(f"{path[:80]!r} is not allowed as a member path")


def _check_nesting(members: Mapping[str, Member]) -> None:
    files = {MANIFEST_PATH, *members}
    for path in members:
        above = next((prefix for prefix in accumulate(path.split("/")[:-1], "{}/{}".format) if prefix in files), None)
        if above:
            raise InvalidPackage(f"{above!r} cannot be a file and the folder of {path!r}")


def _digest_of(path: str, member: Member) -> Digest:
    try:
        return parse_digest(member.sha256)
    except InvalidName as error:
        raise InvalidPackage(f"member {path}: {error}") from error


def _check_references(manifest: Manifest) -> None:
    golden = manifest.golden or Golden({}, {})
    for path in (manifest.model, *golden.inputs.values(), *golden.outputs.values()):
        if path not in manifest.members:
            raise InvalidPackage(f"{path!r} is used but not listed in members")
    if manifest.golden:
        _same_names(golden.inputs, {spec.name for spec in manifest.inputs}, "golden inputs")
        _same_names(golden.outputs, {spec.name for spec in manifest.outputs}, "golden outputs")


def _same_names(golden: Mapping[str, str], declared: set[str], what: str) -> None:
    if set(golden) != declared:
        raise InvalidPackage(f"{what} are {sorted(golden)}, declared are {sorted(declared)}")


def _check_tensors(manifest: Manifest) -> None:
    for specs, what in ((manifest.inputs, "inputs"), (manifest.outputs, "outputs")):
        names = [spec.name for spec in specs]
        if not names or len(set(names)) != len(names):
            raise InvalidPackage(f"{what}: names are missing or stand twice: {names}")
    unknown = steps.missing_name(manifest.preprocess, [spec.name for spec in manifest.inputs])
    if unknown:
        raise InvalidPackage(f"a preprocessing step works on {unknown!r}, which is there neither as an input nor later")
    _check_prediction(manifest)


def _check_prediction(manifest: Manifest) -> None:
    match manifest.prediction:
        case None:
            return
        case Detection() as rule:
            used = {rule.boxes, rule.scores, rule.labels}
        case Anomaly() as rule:
            used = {rule.output}
            anomaly_threshold(manifest)
        case Classification() as rule:
            used = {rule.output}
    missing = used - {spec.name for spec in manifest.outputs}
    if missing:
        raise InvalidPackage(f"prediction uses the output {min(missing)!r}, which is not declared")


def _check_drift(manifest: Manifest) -> None:
    histograms = manifest.drift.inputs if manifest.drift else {}
    if len(histograms) > input_counts.HISTOGRAMS_MAX:
        raise InvalidPackage(f"drift: {len(histograms)} inputs, at most {input_counts.HISTOGRAMS_MAX} are allowed")
    declared = {spec.name for spec in manifest.inputs}
    columns = range(input_counts.FEATURES_MAX)
    known = declared | {input_counts.feature_name(name, at) for name in declared for at in columns}
    for name, histogram in histograms.items():
        fault = input_counts.fault_of(name, histogram.edges, histogram.counts)
        if fault or name not in known:
            raise InvalidPackage(f"drift: {name[:80]!r}: {fault or 'this is not an input, nor one of its columns'}")
