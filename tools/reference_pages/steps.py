"""docs/reference/steps.md: every step that a manifest may name, with its fields and an example."""

import json
import typing

import msgspec
from msgspec import inspect

from ganglion.core.steps import (
    AnchorBoxes,
    AnomalyScore,
    BandFilter,
    Cast,
    Clip,
    Colour,
    DecodeImage,
    Detect,
    FftMagnitude,
    GridBoxes,
    Keep,
    Layout,
    LogMel,
    Normalise,
    Rename,
    Reshape,
    Resize,
    Scale,
    Select,
    Sigmoid,
    Softmax,
    Step,
    Threshold,
    TopK,
    Transpose,
    Window,
)
from ganglion.core.steps.anomaly import Reconstruction, ZScore
from ganglion.core.steps.step import ELEMENTS_MAX, StepBase
from reference_pages.markdown import code, page, table
from source_tree import field_docs, one_line

_INTRODUCTION = f"""\
A package's `preprocess` and `postprocess` are lists of steps. The same numpy code runs them when a package is built,
when it is evaluated, on the node and in your own program. `ganglion model build --preprocess FILE --postprocess FILE`
reads each list as JSON; [How to serve images](../howto/serve-images.md) has whole examples.

- Each step works on the tensor that its field `tensor` names. Names change only where a field says so.
- A step or field that this release does not know, or a value outside its limits, is an error when the package is read.
- What a client sent and a step cannot use is refused with 400 and the reason. It is neither recorded nor counted
  against the model.
- No step makes a tensor of more than {ELEMENTS_MAX:,} elements. Rows, the first dimension, never mix.
- `decode_image`, and `resize` with `antialias`, need the extra `images`: `pip install 'ganglion[images]'`."""

_FAMILIES: dict[str, tuple[type[StepBase], ...]] = {
    "Numbers, shapes and names": (Scale, Normalise, Clip, Cast, Reshape, Transpose, Select, Rename, Keep),
    "Images": (DecodeImage, Resize, Colour, Layout),
    "Signals": (Window, FftMagnitude, BandFilter, LogMel),
    "Classes": (Softmax, Sigmoid, TopK, Threshold),
    "Detection": (GridBoxes, AnchorBoxes, Detect),
    "Anomalies": (AnomalyScore,),
}
EXAMPLES: tuple[Step, ...] = (
    Scale("x", 0.00390625),
    Normalise("x", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), axis=1),
    Clip("x", 0.0, 1.0),
    Cast("x", "INT8", rounding="nearest"),
    Reshape("x", (28, 28, 1)),
    Transpose("x", (0, 2, 1)),
    Select("x", (0, 2, 3)),
    Rename("image", "input.1"),
    Keep("x", "original"),
    DecodeImage("image"),
    Resize("image", 640, 640, fit="letterbox"),
    Colour("image", "swap_red_blue"),
    Layout("image", "nchw"),
    Window("sound", 16000),
    FftMagnitude("vibration", taper="hann"),
    BandFilter("ecg", 360.0, 0.5, 40.0, taps=501),
    LogMel("sound", 16000.0, 480, 320, 40),
    Softmax("logits"),
    Sigmoid("logits"),
    TopK("scores", 5),
    Threshold("probability", 0.5, to="is_open"),
    GridBoxes("758"),
    AnchorBoxes("output0"),
    Detect("scores", background=True, score_min=0.7),
    AnomalyScore("output", Reconstruction("original"), threshold=0.12),
)
_METHODS = (Reconstruction, ZScore)
_FINITE_MAX = 1e30


def render() -> str:
    """Return the page."""
    sections = [block for title, kinds in _FAMILIES.items() for block in (f"## {title}", *map(_section, kinds))]
    methods = [_method(kind) for kind in _METHODS]
    return page("Steps", _INTRODUCTION, *sections, *methods)


def kinds() -> set[type]:
    """Return every step that a manifest may name."""
    return set(typing.get_args(Step))


def shown_kinds() -> set[type]:
    """Return every step that the page has."""
    return {kind for family in _FAMILIES.values() for kind in family}


def _section(kind: type[StepBase]) -> str:
    example = next(each for each in EXAMPLES if type(each) is kind)
    document = json.dumps(_without_defaults(example))
    return "\n\n".join([f"### `{kind.__struct_config__.tag}`", _text(kind), _fields(kind), f"```json\n{document}\n```"])


def _method(kind: type[msgspec.Struct]) -> str:
    tag = kind.__struct_config__.tag
    return "\n\n".join([f'#### `anomaly_score`: method `{{"kind": "{tag}"}}`', _text(kind), _fields(kind)])


def _text(kind: type) -> str:
    """Return a docstring with its paragraphs."""
    return "\n\n".join(one_line(paragraph) for paragraph in (kind.__doc__ or "").split("\n\n"))


def _fields(kind: type[msgspec.Struct]) -> str:
    docs = field_docs(kind)
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    rows = [
        (
            code(field.name),
            _type(field.type),
            "" if field.required else code(json.dumps(field.default)),
            docs[field.name],
        )
        for field in described.fields
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _type(info: inspect.Type) -> str:
    words: dict[type[inspect.Type], str] = {inspect.StrType: "text", inspect.BoolType: "true or false"}
    match info:
        case inspect.LiteralType(values=values):
            return ", ".join(code(json.dumps(value)) for value in values)
        case inspect.IntType():
            return f"whole number{_limits(info)}"
        case inspect.FloatType():
            return f"number{_limits(info)}"
        case inspect.VarTupleType(item_type=item):
            return f"list: {_type(item)}"
    return words.get(type(info), "object, see below")


def _limits(info: inspect.IntType | inspect.FloatType) -> str:
    if info.le == _FINITE_MAX and info.gt is None:
        return ""
    limits = {"at least": info.ge, "above": info.gt, "at most": info.le if info.le != _FINITE_MAX else None}
    if info.ge is not None and info.le is not None:
        return f", {info.ge:,g} to {info.le:,.10g}"
    return "".join(f", {word} {limit:,.10g}" for word, limit in limits.items() if limit is not None)


def _without_defaults(step: Step) -> dict[str, object]:
    """Return a step as people write it."""
    document: dict[str, object] = msgspec.to_builtins(step)
    defaults = {field.name: field.default for field in msgspec.structs.fields(step)}
    written = {
        name: value for name, value in document.items() if name == "step" or getattr(step, name) != defaults[name]
    }
    return {"step": written.pop("step"), **written}
