"""The demo's fleet as files: sites, the group of canaries, the policy of rollouts, and which release the nodes have.

Everything is read from the directory and applied as `ganglion diff` and `ganglion apply` do it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.script import CANARY_LABEL, MODEL, SITES, Script
from ganglion.entrypoints.fleet import yaml as fleet_yaml
from ganglion.entrypoints.fleet.words import is_to_do, plan_texts
from ganglion.hub.domain.declared import resources as declared
from ganglion.hub.domain.fleet.specs import AssignmentSpec, RolloutPolicySpec
from ganglion.wire.apply_resources import ApplyReply, ApplyRequest
from ganglion.wire.rollout_resources import RolloutRequest

POLICY = "careful"
GROUP = "canary"
_HEAD = "apiVersion: ganglion/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n"


def declare(play: Play) -> None:
    """Write sites, group and policy, and apply them."""
    play.fleet_files.mkdir()
    play.board.files = {**standing_files(play.script), "models.yaml": assignment_file("1")}
    for name, text in standing_files(play.script).items():
        (play.fleet_files / name).write_text(text, encoding="utf-8")
    apply(play)


def assign(play: Play, version: str) -> ApplyReply:
    """Write which release the nodes should have, and apply it: a rollout begins, if they have another one."""
    (play.fleet_files / "models.yaml").write_text(assignment_file(version), encoding="utf-8")
    return apply(play)


def apply(play: Play) -> ApplyReply:
    """Tell what differs from the files, and make it so."""
    request = _request(play.fleet_files)
    plan = play.world.api.plan_fleet(request)
    play.console.say("$ ganglion apply -f fleet/")
    for line in filter(is_to_do, plan.lines):
        play.console.say(f"  {plan_texts(line)[0]}")
    return play.world.api.apply_fleet(replace(request, expected=plan.digest))


def differences(play: Play) -> list[str]:
    """Return what `ganglion diff` would show now."""
    lines = play.world.api.plan_fleet(_request(play.fleet_files)).lines
    return [text for line in lines if is_to_do(line) or line.action == "wait" for text in plan_texts(line)]


def promise_no_difference(play: Play, version: str) -> None:
    """Promise that the fleet is what its files say, now that they name a version."""
    left = differences(play)
    play.promise(
        f"with release {version} the fleet is what its files say: the diff is empty",
        held=not left,
        figures="; ".join(left) or "nothing differs",
    )


def rollout_of(play: Play, version: str) -> RolloutRequest:
    """Return the rollout that assigning a version begins, for a dry run of it."""
    found = next(each.resource for each in fleet_yaml.read(play.fleet_files / "policies.yaml"))
    [policy], _ = declared.parse([found])
    assert isinstance(policy.spec, RolloutPolicySpec), "the file declares nothing else"
    return declared.request_of(AssignmentSpec(model=MODEL, version=version), policy.spec)


def standing_files(script: Script) -> Mapping[str, str]:
    """Return the files that stay as they are, by name."""
    key, value = CANARY_LABEL
    return {
        "sites.yaml": "---\n".join(
            _HEAD.format(kind="Site", name=site) + f"  description: the {site}\n" for site in SITES
        ),
        "groups.yaml": _HEAD.format(kind="Group", name=GROUP) + f"  select: {key}={value}\n",
        "policies.yaml": _HEAD.format(kind="RolloutPolicy", name=POLICY) + _policy(script),
    }


def assignment_file(version: str) -> str:
    """Return the file that says which release the whole fleet should have."""
    spec = f"  model: {MODEL}\n  version: {version}\n  policy: {POLICY}\n"
    return _HEAD.format(kind="Assignment", name=f"{MODEL}-everywhere") + spec


def _policy(script: Script) -> str:
    return (
        f'  stages: ["group:{GROUP}", "100%"]\n'
        "  approvals: 1\n"
        "  gate:\n"
        f"    inferences_min: {script.inferences_min}\n"
        f"    soak_s: {script.soak_s}\n"
        f"    compared_min: {script.compared_min}\n"
        "  probation:\n"
        f"    probation_s: {script.probation_s}\n"
        f"    inferences_min: {script.inferences_min}\n"
        f"    compare_share: {script.compare_share}\n"
        f"    latency_ratio_max: {script.latency_ratio_max}\n"
    )


def _request(directory: Path) -> ApplyRequest:
    return ApplyRequest(resources=[each.resource for each in fleet_yaml.read(directory)])
