import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.key_values import filled
from ganglion.entrypoints.cli.rollout import GATE_HELP, PROBATION_HELP
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings


def test_what_is_not_given_keeps_its_default() -> None:
    gate = filled(GateSettings, ["soak_s=60", "inferences_min=5"], option="--gate")

    assert gate == GateSettings(soak_s=60.0, inferences_min=5)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        ("soak_s", "KEY=VALUE"),
        ("soak=3", "did you mean soak_s?"),
        ("=3", "it has inferences_min, soak_s"),
        ("soak_s=long", r"\$\.soak_s"),
        ("inferences_min=1.5", r"\$\.inferences_min"),
    ],
)
def test_a_pair_that_means_nothing_is_refused_with_the_reason(pair: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=f"--gate.*{reason}"):
        filled(GateSettings, [pair], option="--gate")


@pytest.mark.parametrize(("kind", "text"), [(GateSettings, GATE_HELP), (ProbationSettings, PROBATION_HELP)])
def test_the_help_names_every_key(kind: type[GateSettings] | type[ProbationSettings], text: str) -> None:
    assert f"KEY=VALUE, repeatable: {', '.join(kind.__dataclass_fields__)}." in text
