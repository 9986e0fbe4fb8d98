import pytest

from ganglion.trust import limits
from ganglion.trust.envelope import AllowedModel, Bounds, Envelope, Limits, NamedAction, Scope
from ganglion.trust.limits import BUILT_IN, InForce, Place

DISK = NamedAction(name="disk", command=("/bin/df",))
WIDE = Envelope(
    limits=Limits(
        settings={"collection.random_share": Bounds(max=0.2), "collection.bytes_per_hour": Bounds(max=1e12)},
        models=(AllowedModel(name="gate-*"),),
        actions=(DISK,),
        assignments_max=1000,
        commands_max=2,
    )
)


def held(envelope: Envelope | None, *, place: Place | None = None, is_expired: bool = False) -> InForce:
    return limits.in_force(envelope, place or Place(), is_expired=is_expired)


def test_without_an_envelope_what_is_built_in_holds() -> None:
    assert held(None) == BUILT_IN
    assert BUILT_IN.actions == ()
    assert BUILT_IN.models is None


def test_an_envelope_widens_and_narrows_what_it_speaks_of_and_leaves_the_rest() -> None:
    now = held(WIDE)

    assert now.assignments_max == 1000
    assert now.commands_max == 2
    assert now.action("disk") == DISK
    assert now.package_bytes_max == BUILT_IN.package_bytes_max
    assert now.settings["agent.report_s"] == BUILT_IN.settings["agent.report_s"]
    assert now.settings["collection.random_share"] == Bounds(max=0.2)


def test_an_envelope_that_has_expired_narrows_as_before_and_widens_nothing() -> None:
    now = held(WIDE, is_expired=True)

    assert now.assignments_max == BUILT_IN.assignments_max
    assert now.commands_max == 2
    assert now.action("disk") is None
    assert now.allowed("gate-1")
    assert not now.allowed("other")
    assert now.settings["collection.random_share"] == Bounds(min=0.0, max=0.2)
    assert now.settings["collection.bytes_per_hour"].max == BUILT_IN.settings["collection.bytes_per_hour"].max


@pytest.mark.parametrize(
    ("scope", "place", "is_in"),
    [
        (Scope(limits=Limits(), sites=("north",)), Place(site="north"), True),
        (Scope(limits=Limits(), sites=("north",)), Place(site="south"), False),
        (Scope(limits=Limits(), nodes=("gate-*",)), Place(node="gate-7"), True),
        (Scope(limits=Limits(), nodes=("gate-*",)), Place(node="dock-7"), False),
        (Scope(limits=Limits(), labels={"zone": "lab"}), Place(labels={"zone": "lab", "x": "y"}), True),
        (Scope(limits=Limits(), labels={"zone": "lab"}), Place(), False),
        (Scope(limits=Limits(), sites=("north",), labels={"zone": "lab"}), Place(site="north"), False),
    ],
)
def test_a_scope_holds_for_nodes_that_fit_all_it_says(scope: Scope, place: Place, *, is_in: bool) -> None:
    told = Scope(limits=Limits(assignments_max=7, models=()), sites=scope.sites, nodes=scope.nodes, labels=scope.labels)

    now = held(Envelope(limits=Limits(assignments_max=5), scopes=(told,)), place=place)

    assert now.assignments_max == (7 if is_in else 5)
    assert (now.models == ()) is is_in


@pytest.mark.parametrize(
    ("bounds", "value", "is_out"),
    [
        (Bounds(), 5, False),
        (Bounds(min=1.0, max=2.0), 1.5, False),
        (Bounds(min=1.0), 0.5, True),
        (Bounds(max=1.0), 2, True),
        (Bounds(max=1.0), float("nan"), True),
        (Bounds(max=1.0), float("inf"), True),
        (Bounds(max=1.0), "text", True),
        (Bounds(values=("", "info")), "info", False),
        (Bounds(values=("", "info")), "debug", True),
        (Bounds(values=(1.0,)), 1, False),
        (Bounds(values=(1.0,)), True, True),
        (Bounds(values=(True,)), True, False),
    ],
)
def test_a_value_is_inside_of_bounds_or_there_is_a_reason(bounds: Bounds, value: object, *, is_out: bool) -> None:
    assert bool(limits.why_out_of(bounds, value)) is is_out
