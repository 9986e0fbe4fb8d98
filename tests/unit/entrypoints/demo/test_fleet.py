"""The demo's fleet as files."""

from pathlib import Path

from ganglion.entrypoints.demo import fleet
from ganglion.entrypoints.demo.script import QUICK, SITES, Script
from ganglion.entrypoints.fleet import yaml as fleet_yaml
from ganglion.hub.domain.declared import resources as declared
from ganglion.hub.domain.fleet.specs import AssignmentSpec, RolloutPolicySpec


def written(directory: Path, script: Script) -> Path:
    for name, text in {**fleet.standing_files(script), "models.yaml": fleet.assignment_file("1-transposed")}.items():
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def test_every_file_can_be_applied_and_refers_to_what_the_others_declare(tmp_path: Path) -> None:
    resources = [each.resource for each in fleet_yaml.read(written(tmp_path, Script()))]

    found, problems = declared.parse(resources)

    assert problems == []
    assert declared.dangling(found, known=[]) == []
    assert [each.name for each in found if each.kind == "Site"] == sorted(SITES)
    assert [each.kind for each in found[len(SITES) :]] == ["Group", "RolloutPolicy", "Assignment"]


def test_the_policy_asks_for_what_the_script_says_and_for_a_second_person(tmp_path: Path) -> None:
    resources = [each.resource for each in fleet_yaml.read(written(tmp_path, QUICK) / "policies.yaml")]

    [policy], _ = declared.parse(resources)

    assert isinstance(policy.spec, RolloutPolicySpec)
    assert policy.spec.stages == ("group:canary", "100%")
    assert policy.spec.approvals == 1
    request = declared.request_of(AssignmentSpec(model="meter", version="1"), policy.spec)
    assert (request.gate.soak_s, request.gate.compared_min) == (QUICK.soak_s, QUICK.compared_min)
    assert request.probation.probation_s == QUICK.probation_s
