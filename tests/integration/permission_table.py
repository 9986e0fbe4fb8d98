"""docs/reference/permissions.md as data, and the callers that its columns name."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion.trust.roles import Role
from ganglion.wire import paths
from integration.hub_api_world import Answer, ServedHub

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
NODE, SITE = "gate-1", "north"
VICTIM = "gate-2"
MODEL = "digits"
NAMES = {
    "model": MODEL,
    "version": "1",
    "variant": "fp32",
    "sample_id": "no-sample",
    "sha256": "0" * 64,
    "file": "timestamp.json",
    "path": "models/digits/1/nothing",
    "token_id": "no-token",
    "command_id": "no-command",
    "shell_id": "no-session",
    "site": SITE,
    "group": "of-2",
    "kind": "Group",
}
BODIES: dict[str, object] = {
    paths.NODE_TOKENS: {"name": "gate-9", "site": SITE},
    paths.NODE_TOKENS + "/lists": {"nodes": [{"name": "gate-8", "site": SITE}]},
    paths.NODES + "/{name}/commands": {"name": "report"},
    paths.NODES + "/{name}/shells": {"seconds": 60, "reason": "to look around"},
    paths.NODES + "/{name}/shells/{shell_id}/input": {"number": 1},
    paths.ROLLOUTS: {"model": MODEL, "version": "1", "stages": ["100%"], "to": "group:of-2"},
    paths.ROLLOUT_PLAN: {"model": MODEL, "version": "1", "stages": ["100%"], "to": "group:of-2"},
    paths.EXPERIMENTS: {"name": "two-or-one", "model": MODEL, "control": "1", "arms": [{"version": "2"}]},
    paths.TRUST_PROPOSALS: {"documents": {"root": "{}"}},
    paths.TRUST_MODELS: {"documents": {f"model-{MODEL}": "{}"}},
    paths.DATASETS: {"name": "all", "model": MODEL},
    paths.NODE_ACTIONS: {"action": "label", "nodes": [NODE], "labels": {"line": "3"}},
    paths.FLEET: {"fleet": {}},
    paths.APPLY: {"resources": []},
    paths.GROUPS + "/{name}": {"select": "line=3"},
    paths.ALERTS + "/{name}": {"condition": "node_silent"},
    paths.ALERTS + "/{name}/silence": {"for_s": 60, "reason": "a try"},
    paths.LABELS: {"labels": [{"sample_id": "no-sample", "label": "7"}]},
    paths.ACCOUNTS + "/{name}/password": {"password": "long enough for anybody"},
}
QUERIES = {paths.RESULTS: f"?node={NODE}", paths.INPUT_SHIFTS: f"?node={NODE}&model={MODEL}"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what is called, and what each caller gets."""

    subject: str
    expected: dict[str, str]


def rows(heading: str) -> list[Row]:
    """Return the lines of the table below a heading."""
    text = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    head, _, *body = lines
    return [Row(cells[0].strip("`"), dict(zip(head[1:], cells[1:], strict=True))) for cells in body]


def ask(hub: ServedHub, call: str, token: str, rollout_id: str, package: Path) -> str:
    """Make a call as it would be made with effect, and return what came of it."""
    method, template = call.split(" ", 1)
    path = filled(template, {**NAMES, "rollout_id": rollout_id, "name": _name(template), "action": _action(template)})
    if template == paths.RELEASES and method == "POST":
        return outcome(hub.call(method, path, token=token, body=package.read_bytes()))
    body = json.dumps(BODIES.get(template, {})).encode() if method == "POST" else None
    headers = {"Content-Type": "application/json"} if method == "POST" else {}
    return outcome(hub.call(method, path + QUERIES.get(template, ""), token=token, body=body, headers=headers))


def _name(template: str) -> str:
    """Return whose name stands in a path: never that of a caller, and of a node only what it may lose."""
    if template.startswith(paths.ACCOUNTS):
        return "nobody-here"
    return VICTIM if template.endswith(("/revoke", "/retire", "/admit", "/rekey")) else NODE


def _action(template: str) -> str:
    """Return an action that there is."""
    return "stop" if template.startswith(paths.EXPERIMENTS) else "pause"


def callers(hub: ServedHub) -> dict[str, str]:
    """Return a token for each column of the tables."""
    node = hub.join(NODE, SITE)
    hub.join(VICTIM, SITE)
    tokens = {"nobody": "", "node": node.token}
    for role in Role:
        name = f"a-{role.value}"
        reply = hub.post(paths.ACCOUNTS, {"name": name, "role": role.value}).json
        assert isinstance(reply, dict)
        tokens[role.value] = reply["token"]
    elsewhere = hub.post(paths.ACCOUNTS, {"name": "elsewhere", "role": "operator", "sites": ["south"]}).json
    assert isinstance(elsewhere, dict)
    for column, members in (("theirs", [NODE, VICTIM]), ("another's", ["gate-9"])):
        group = f"of-{len(members)}"
        hub.post(f"{paths.GROUPS}/{group}", {"nodes": members})
        wish = {"name": f"operator-{group}", "role": "operator", "sites": [f"group:{group}"]}
        reply = hub.post(paths.ACCOUNTS, wish).json
        assert isinstance(reply, dict)
        tokens[column] = reply["token"]
    tokens["operator of another site"] = elsewhere["token"]
    for column, held in (("CI token, publisher of another model", "publisher"), ("CI token, viewer", "viewer")):
        models = ["other"] if held == "publisher" else []
        reply = hub.post(paths.PROGRAM_TOKENS, {"name": f"ci-{held}", "role": held, "models": models}).json
        assert isinstance(reply, dict)
        tokens[column] = reply["token"]
    return tokens


def outcome(answer: Answer) -> str:
    """Return how the tables say it. What was refused for its content was let through to somebody who looked."""
    if answer.status == 401 or (answer.status == 403 and answer.code == "forbidden"):
        return str(answer.status)
    return "yes"


def filled(path: str, names: dict[str, str]) -> str:
    """Return a path with its parameters replaced."""
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"a value for the parameter of {path} is missing"
    return path


def described_calls(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield METHOD PATH of everything that an OpenAPI document describes."""
    for path, methods in document["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path}"
