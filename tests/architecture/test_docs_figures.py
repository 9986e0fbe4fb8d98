"""The figures on the pages are those of the code."""

import dataclasses
import re

import pytest

from ganglion.hub.domain.gate import findings, likeness
from ganglion.hub.domain.gate import rules as gate_rules
from ganglion.hub.domain.gate import speed_rules as gate_speed
from ganglion.hub.services.evidence import roster as evidence_roster
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings
from source_tree import ROOT

GATES = (ROOT / "docs/explanation/gates.md").read_text(encoding="utf-8")
UPDATES = (ROOT / "docs/explanation/updates.md").read_text(encoding="utf-8")
TRUST = (ROOT / "docs/decisions/0003-tuf-with-one-role-per-model.md").read_text(encoding="utf-8")
DEFAULTS = {field.name: field.default for field in dataclasses.fields(GateSettings)}
SHOWN = dict(re.findall(r"`(\w+)` \(([0-9.]+|[a-z]+)\)", GATES))


def test_the_page_about_gates_shows_every_setting_of_the_gate() -> None:
    assert SHOWN.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_a_default_of_the_gate_is_the_one_on_the_page(name: str) -> None:
    shown = SHOWN[name]
    assert (shown if isinstance(DEFAULTS[name], str) else float(shown)) == DEFAULTS[name]


@pytest.mark.parametrize(
    "sentence",
    [
        f"at least {findings.HITS_MIN} failed",
        f"fewer than {gate_speed.LATENCY_COUNT_MIN} answers on a side",
        f"where fewer than {likeness.CELL_ROWS_MIN} rows stand there",
        f"every site with at least {gate_rules.SITE_COMPARED_MIN} comparisons",
        f"{evidence_roster.SAMPLE_NODES} nodes of a stage and {evidence_roster.SAMPLE_NODES} controls at most",
        f"more than {evidence_roster.LARGE_NODES:,} nodes",
    ],
)
def test_what_the_page_about_gates_says_of_small_numbers_is_true(sentence: str) -> None:
    assert sentence in " ".join(GATES.split())


def test_the_chance_of_a_false_abort_is_the_one_that_the_page_names() -> None:
    of_a_site = findings.Doubt.shared(stages=3, scopes=10)

    assert (findings.CHANCE, findings.RULES) == (0.01, 15)
    assert "**One per cent is allowed for a whole rollout.**" in " ".join(GATES.split())
    assert f"fewer than 1 of {1 / of_a_site.alpha:,.0f} rollouts" in " ".join(GATES.split())


def test_a_version_is_given_up_after_as_many_starts_as_the_page_says() -> None:
    assert "takes the serving process down twice is rolled back" in " ".join(UPDATES.split())
    assert DeploymentPolicy().start_attempts_max == 2


def test_signed_metadata_lives_as_long_as_the_decision_says() -> None:
    lives = RepositorySettings()

    assert (lives.root_life_days, lives.targets_life_days) == (90, 90)
    sentence = (
        f"Root, targets and model roles live {lives.root_life_days} days, the snapshot {lives.snapshot_life_days}, "
        f"the timestamp {lives.timestamp_life_days}"
    )
    assert sentence in " ".join(TRUST.split())
