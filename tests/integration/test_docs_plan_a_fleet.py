"""What docs/howto/plan-a-fleet.md shows is what the simulated world says."""

import msgspec
import pytest

from fleet_picture import PAGE, PICTURE, picture, said, scenario_on
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Scenario
from ganglion.testing.world.world import simulate

TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenario_on(TEXT)


@pytest.fixture(scope="module")
def outcome(scenario: Scenario) -> Outcome:
    return simulate(scenario, seed=1)


def test_the_answers_on_the_page_are_those_of_its_scenario(outcome: Outcome, scenario: Scenario) -> None:
    assert f"```text\n{said(outcome, scenario)}\n```" in TEXT


def test_the_answers_after_the_change_are_those_of_the_changed_scenario(scenario: Scenario) -> None:
    rates = msgspec.structs.replace(scenario.rates, samples_per_hour=420.0)
    changed = msgspec.structs.replace(scenario, rates=rates)

    answers = said(simulate(changed, seed=1), changed)

    assert f"```text\n{answers}\n```" in TEXT


def test_the_picture_on_the_page_is_that_of_its_scenario(outcome: Outcome, scenario: Scenario) -> None:
    assert picture(outcome, scenario) == PICTURE.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", ["", "devices", "rates", "link"])
def test_every_field_stands_on_the_page_with_its_default(part: str) -> None:
    plain = getattr(Scenario(), part) if part else Scenario()
    fields = {name: getattr(plain, name) for name in plain.__struct_fields__}

    missing = [
        name
        for name, value in fields.items()
        if isinstance(value, int | float) and f"| `{part}{'.' if part else ''}{name}` |" not in TEXT
    ]
    wrong = [
        name
        for name, value in fields.items()
        if isinstance(value, int | float) and f"| {_shown(value)} |\n" not in TEXT.partition(f"{name}` |")[2][:300]
    ]

    assert (missing, wrong) == ([], [])


def _shown(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
