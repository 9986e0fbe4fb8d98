"""Laws of the gate: what no evidence may lead to."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Outcome, Work
from ganglion.hub.domain.gate.verdict import Answer
from ganglion.wire.rollout_resources import GateSettings

LAW = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples in every run, however busy the machine is."""
SETTINGS = GateSettings(inferences_min=20, soak_s=5.0, compared_min=10, deadline_s=100.0)


@st.composite
def behaviours(draw: st.DrawFn) -> Behaviour:
    behaviour = Behaviour()
    latency_us = draw(st.integers(100, 20_000))
    for index in range(draw(st.integers(0, 40))):
        behaviour.count_answer(latency_us + index, [str(index % 3)], [draw(st.sampled_from([0.3, 0.9]))])
    for _ in range(draw(st.sampled_from([0, 0, 1, 8]))):
        behaviour.count_error()
    compared = draw(st.integers(0, 30))
    behaviour.count_comparison(compared, min(compared, draw(st.integers(0, 30))), latency_us)
    return behaviour


NODES = st.builds(
    NodeEvidence,
    name=st.sampled_from(["n1", "n2", "n3"]),
    node_class=st.sampled_from(["x86_64-4", "aarch64-4"]),
    outcome=st.sampled_from([Outcome.SILENT, Outcome.COMMITTED, Outcome.COMMITTED, Outcome.ROLLED_BACK]),
    behaviour=behaviours(),
    has_previous=st.booleans(),
    site=st.sampled_from(["", "north", "south"]),
    before=behaviours(),
    machine=st.dictionaries(st.sampled_from(["memory_used_bytes", "power_w"]), st.floats(), max_size=2),
    is_set_aside=st.just(False),
    has_crashed=st.booleans(),
)
EVIDENCE = st.builds(
    Evidence,
    stage=st.lists(NODES, min_size=1, max_size=4),
    earlier=st.lists(NODES, max_size=3),
    controls=st.lists(
        st.builds(
            Work,
            name=st.sampled_from(["c1", "c2"]),
            node_class=st.sampled_from(["x86_64-4", "aarch64-4"]),
            site=st.sampled_from(["", "north"]),
            behaviour=behaviours(),
            hours=st.dictionaries(st.integers(0, 3), behaviours(), max_size=2),
            machine=st.dictionaries(st.sampled_from(["memory_used_bytes", "power_w"]), st.floats(), max_size=2),
        ),
        max_size=3,
    ),
    waited_s=st.floats(0, 200),
    soaked_s=st.none() | st.floats(0, 50),
)


@LAW
@given(EVIDENCE)
def test_every_answer_comes_with_a_reason(evidence: Evidence) -> None:
    verdict = gate.evaluate(SETTINGS, evidence)

    assert verdict.reason
    assert any(character.isdigit() for character in verdict.reason)


@LAW
@given(EVIDENCE)
def test_nothing_goes_on_against_a_broken_demand(evidence: Evidence) -> None:
    verdict = gate.evaluate(SETTINGS, evidence)

    nodes = [*evidence.stage, *evidence.earlier]
    if verdict.answer is Answer.GO_ON:
        assert all(node.outcome is not Outcome.ROLLED_BACK for node in nodes)
        assert all(node.outcome is Outcome.COMMITTED for node in evidence.stage)
        assert sum(node.behaviour.requests for node in evidence.stage) >= SETTINGS.inferences_min
        assert evidence.soaked_s is not None
        assert evidence.soaked_s >= SETTINGS.soak_s


@LAW
@given(EVIDENCE)
def test_a_rollback_anywhere_ends_the_rollout(evidence: Evidence) -> None:
    back = NodeEvidence("n9", "x86_64-4", Outcome.ROLLED_BACK, "errors")

    assert gate.evaluate(SETTINGS, replace(evidence, earlier=[*evidence.earlier, back])).answer is Answer.ABORT


@LAW
@given(EVIDENCE)
def test_waiting_ends_at_the_deadline(evidence: Evidence) -> None:
    late = gate.evaluate(SETTINGS, replace(evidence, waited_s=SETTINGS.deadline_s))

    assert late.answer is not Answer.WAIT


@LAW
@given(EVIDENCE, st.integers(1, 5))
def test_a_silent_node_is_neither_a_success_nor_a_failure(evidence: Evidence, silent: int) -> None:
    in_time = replace(evidence, waited_s=0.0)
    quiet = [NodeEvidence(f"quiet-{index}", "x86_64-4") for index in range(silent)]

    alone = gate.evaluate(SETTINGS, in_time)
    with_silence = gate.evaluate(SETTINGS, replace(in_time, stage=[*in_time.stage, *quiet]))

    # Silence can hold a stage back, and can neither carry it on nor end it.
    expected = Answer.ABORT if alone.answer is Answer.ABORT else Answer.WAIT
    assert with_silence.answer is expected


@LAW
@given(EVIDENCE)
def test_looking_changes_nothing_of_what_was_looked_at(evidence: Evidence) -> None:
    first = gate.evaluate(SETTINGS, evidence)

    assert gate.evaluate(SETTINGS, evidence) == first
