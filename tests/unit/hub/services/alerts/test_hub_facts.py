"""What alerts ask for beside nodes."""

import pytest

from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.ports.hub_store import RolloutRow
from ganglion.ports.people_store import ProgramTokenRow
from ganglion.trust.ceremony.inventory import Role
from ganglion.wire.alert_resources import AlertCondition
from unit.hub.services.watching import WatchedFleet

_C = AlertCondition
DAY_S = 86_400.0


@pytest.fixture
def fleet() -> WatchedFleet:
    made = WatchedFleet()
    made.clock.advance(DAY_S)
    return made


def role(name: str, *, left_s: float, is_due: bool, now_s: float) -> Role:
    return Role(name, 1, 1, (), now_s + left_s, is_due=is_due, is_expired=False)


def test_a_rollout_that_was_aborted_lately(fleet: WatchedFleet) -> None:
    facts = {"model": "digits", "version": "2"}
    with fleet.control.write() as tx:
        audit.note(
            tx, fleet.clock, Deed(actor="hub", action="rollout.aborted", subject="r1", reason="errors", facts=facts)
        )
        audit.note(tx, fleet.clock, Deed(actor="hub", action="rollout.paused", subject="r2", facts=facts))

    found = fleet.gather(_C.ROLLOUT_ABORTED)
    fleet.clock.advance(3601.0)

    assert {name: each.text for name, each in found.findings.items()} == {"r1": "digits:2 was aborted: errors"}
    assert fleet.true_of(_C.ROLLOUT_ABORTED) == {}
    assert fleet.true_of(_C.ROLLOUT_ABORTED, within_s=7200.0, model="meter") == {}


@pytest.mark.parametrize(
    ("state", "held", "is_found"),
    [
        ("paused", b'{"updated_at_s":%d,"paused_at_s":%d}', True),
        ("awaiting_approval", b'{"updated_at_s":%d,"paused_at_s":%d}', True),
        ("running", b'{"updated_at_s":%d,"paused_at_s":%d}', False),
    ],
)
def test_a_rollout_that_waits_for_people(fleet: WatchedFleet, state: str, held: bytes, *, is_found: bool) -> None:
    now_s = int(fleet.now_s)
    with fleet.control.write() as tx:
        tx.put_rollout(RolloutRow("r1", "digits", "2", state, held % (now_s, now_s - 4000), float(now_s)))

    found = fleet.gather(_C.ROLLOUT_WAITING)

    assert [each.text for each in found.findings.values()] == (
        [f"digits:2 is {state.replace('_', ' ')} for longer than 60 min"] if is_found else []
    )


def test_the_hub_itself(fleet: WatchedFleet) -> None:
    now_s = fleet.now_s
    fleet.roles = [
        role("root", left_s=3600.0, is_due=True, now_s=now_s),
        # Its life is short, and the hub renews it.
        role("timestamp", left_s=3600.0, is_due=False, now_s=now_s),
        role("targets", left_s=30 * 86_400.0, is_due=True, now_s=now_s),
    ]
    fleet.free_bytes = 1_000_000_000

    assert fleet.true_of(_C.METADATA_EXPIRING) == {"root": pytest.approx(3600.0)}
    assert fleet.true_of(_C.HUB_DISK_LOW) == {"hub": 1e9}


def test_the_certificate_that_the_hub_shows(fleet: WatchedFleet) -> None:
    fleet.certificate_expires_at_s = fleet.now_s + 3 * DAY_S

    found = fleet.gather(_C.CERTIFICATE_EXPIRING)

    assert [each.text for each in found.findings.values()] == [
        "the certificate that the hub shows expires in less than 14 d"
    ]
    assert fleet.true_of(_C.CERTIFICATE_EXPIRING, limit=2 * DAY_S) == {}


@pytest.mark.parametrize(
    ("left_days", "is_revoked", "is_found"),
    [
        ([3.0], False, True),
        ([-0.5], False, True),
        ([-2.0], False, False),
        ([3.0, 90.0], False, False),
        ([3.0], True, False),
    ],
)
def test_a_program_whose_last_token_ends_soon(
    fleet: WatchedFleet, left_days: list[float], *, is_revoked: bool, is_found: bool
) -> None:
    for number, left in enumerate(left_days):
        ends_s, revoked_at_s = fleet.now_s + left * DAY_S, 1.0 if is_revoked else None
        row = ProgramTokenRow(
            f"t{number}", "ci", f"h{number}", "viewer", "", "", "ana", 1.0, ends_s, revoked_at_s=revoked_at_s
        )
        with fleet.control.write() as tx:
            tx.put_program_token(row)

    assert list(fleet.true_of(_C.TOKEN_EXPIRING)) == (["ci"] if is_found else [])
