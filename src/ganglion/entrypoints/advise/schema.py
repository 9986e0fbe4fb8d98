"""The published JSON Schemas of `ganglion advise`: of its answers, and of what it reads."""

from collections.abc import Mapping, Sequence

import msgspec

from ganglion.advisor.assess import advice as assess
from ganglion.advisor.assess.answer import AssessAdvice
from ganglion.advisor.cost import case as cost_case
from ganglion.advisor.cost import fields as cost_fields
from ganglion.advisor.cost.answer import CostAdvice
from ganglion.advisor.figures import SCHEMA_VERSION
from ganglion.advisor.fit import advice as fit
from ganglion.advisor.fit.answer import FitAdvice
from ganglion.advisor.given import Field
from ganglion.advisor.place import fields as place_fields
from ganglion.advisor.place.answer import PlaceAdvice
from ganglion.advisor.storage import advice as storage
from ganglion.advisor.storage.answer import StorageAdvice

ANSWERS: Mapping[str, type[msgspec.Struct]] = {
    "place": PlaceAdvice,
    "cost": CostAdvice,
    "storage": StorageAdvice,
    "fit": FitAdvice,
    "assess": AssessAdvice,
}
INPUTS: Mapping[str, Mapping[str, Sequence[Field]]] = {
    "place": place_fields.FIELDS,
    "cost": {"cost": (*cost_fields.FIELDS, cost_case.MONTH_DAYS, cost_case.DRAWS, cost_case.SEED)},
    "storage": storage.FIELDS,
    "fit": fit.FIELDS,
    "assess": assess.FIELDS,
}
"""Command → part of its file → the quantities that it may say."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def answer_schema(command: str) -> dict[str, object]:
    """Return the JSON Schema of what `ganglion advise COMMAND -o json` prints."""
    kind = ANSWERS[command]
    schema = msgspec.json.schema(kind)
    return {"$schema": _DIALECT, "title": f"ganglion advise {command}, schema {SCHEMA_VERSION}", **schema}


def input_schema(command: str) -> dict[str, object]:
    """Return a JSON Schema of the quantities that a file for COMMAND may say; names may be nested at underscores."""
    parts = {
        part: {"type": "object", "properties": {each.id: _quantity(each) for each in fields}}
        for part, fields in INPUTS[command].items()
    }
    return {"$schema": _DIALECT, "title": f"what ganglion advise {command} reads", "$defs": parts}


def _quantity(of: Field) -> dict[str, object]:
    text = {"type": ["string", "number"]}
    about = dict.fromkeys(("value", "low", "likely", "high"), text) | {
        name: {"type": "string"} for name in ("unit", "origin", "source", "note", "date")
    }
    return {
        "description": of.meaning,
        "examples": [of.example],
        "x-unit": of.unit,
        "x-other-names": list(of.names),
        "anyOf": [text, {"type": "object", "properties": about}],
    }
