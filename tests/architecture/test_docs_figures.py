"""The figures on the pages are those of the code."""

import dataclasses
import re

import pytest

from ganglion.core import drift
from ganglion.hub.domain import gate_rules
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings
from source_tree import ROOT

GATES = (ROOT / "docs/explanation/gates.md").read_text(encoding="utf-8")
UPDATES = (ROOT / "docs/explanation/updates.md").read_text(encoding="utf-8")
TRUST = (ROOT / "docs/decisions/0003-tuf-with-one-role-per-model.md").read_text(encoding="utf-8")
DEFAULTS = {field.name: field.default for field in dataclasses.fields(GateSettings)}
SHOWN = {name: float(figure) for name, figure in re.findall(r"`(\w+)` \(([0-9.]+)\)", GATES)}


def test_the_page_about_gates_shows_every_setting_of_the_gate() -> None:
    assert SHOWN.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_a_default_of_the_gate_is_the_one_on_the_page(name: str) -> None:
    assert SHOWN[name] == DEFAULTS[name]


@pytest.mark.parametrize(
    "sentence",
    [
        f"at least {gate_rules.ERRORS_MIN} failed",
        f"fewer than {gate_rules.LATENCY_COUNT_MIN} answers on a side",
    ],
)
def test_what_the_page_about_gates_says_of_small_numbers_is_true(sentence: str) -> None:
    assert sentence in " ".join(GATES.split())


def test_the_interval_is_the_one_that_the_page_names() -> None:
    assert "99 % confidence interval (Wilson's)" in " ".join(GATES.split())
    assert drift.wilson_interval(5, 10) == drift.wilson_interval(5, 10, z=2.576)


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
