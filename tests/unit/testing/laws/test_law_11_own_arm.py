"""Law 11 breaks where an experiment leaves traces or mixes its arms, and holds where it does not."""

import pytest

from ganglion.testing.laws.every_law import Laws


@pytest.fixture
def laws() -> Laws:
    return Laws()


def broken(laws: Laws) -> list[int]:
    return [breach.law for breach in laws.breaches]


def an_experiment(laws: Laws, *, arms: dict[str, list[str]] | None = None) -> None:
    """Let an experiment run over two nodes that were to serve version 1."""
    laws.arms.started(
        0.0, "e1", arms=arms or {"1": ["id-n1"], "2": ["id-n2"]}, challengers=["2", "3"], wanted={"id-n2": "1"}
    )


def test_a_node_in_two_arms_breaks_law_11(laws: Laws) -> None:
    an_experiment(laws)
    assert broken(laws) == []

    an_experiment(laws, arms={"1": ["id-n1"], "2": ["id-n2"], "3": ["id-n2"]})

    assert broken(laws) == [11]


def test_a_machine_that_is_given_the_versions_of_two_challengers_breaks_law_11(laws: Laws) -> None:
    an_experiment(laws)
    for version in ("2", "1", "3"):
        laws.arms.heard(1.0, "e1", "n2", version=version, had=["1"])

    assert broken(laws) == [11]


@pytest.mark.parametrize(("serves", "laws_broken"), [("1", []), ("2", [11])])
def test_after_the_end_of_an_experiment_a_machine_serves_what_it_had(
    laws: Laws, serves: str, laws_broken: list[int]
) -> None:
    an_experiment(laws)
    laws.arms.heard(1.0, "e1", "n2", version="2", had=["1"])
    laws.arms.ended("e1")
    laws.arms.rests(9.0, "n2", "id-n2", serves=serves, refused="")

    assert broken(laws) == laws_broken


def test_what_something_else_gave_it_later_and_what_it_refused_are_no_breach_of_law_11(laws: Laws) -> None:
    an_experiment(laws)
    for machine in ("n2", "n3"):
        laws.arms.heard(1.0, "e1", machine, version="2", had=["1"])
    laws.arms.ended("e1")
    laws.arms.heard(2.0, "a rollout", "n2", version="5", had=["2"])
    laws.arms.rests(9.0, "n2", "id-n2", serves="5", refused="")
    laws.arms.rests(9.0, "n3", "id-n3", serves="2", refused="1")

    assert broken(laws) == []
    assert laws.arms.looks == 2


def test_a_hub_that_was_put_back_has_no_experiments_to_be_judged(laws: Laws) -> None:
    an_experiment(laws)
    laws.arms.heard(1.0, "e1", "n2", version="2", had=["1"])
    laws.arms.ended("e1")
    laws.arms.hub_restored()
    laws.arms.rests(9.0, "n2", "id-n2", serves="2", refused="")

    assert broken(laws) == []
