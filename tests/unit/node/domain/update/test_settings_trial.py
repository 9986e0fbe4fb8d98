"""Settings of the hub are on trial like models: they are applied, or taken back, and a node remembers which."""

from datetime import UTC, tzinfo
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import NotFound
from ganglion.core.transitions import IllegalTransition
from ganglion.node.domain.update.settings_trial import (
    RULES,
    TRANSITIONS,
    Settings,
    SettingsEvent,
    SettingsState,
    SettingsTrial,
)
from ganglion.node.services import stored_state
from ganglion.node.services.update.install_times import InstallTimes
from ganglion.ports.serving_control import Collect, Command, Refused, Reply
from ganglion.wire.desired import AgentOptions, CollectionSettings, DesiredState
from unit.node.builders import a_desired
from unit.node.update_bench import Bench, serving_version_1

BAD_SHARE = 0.5


def settings(share: float) -> Settings:
    return Settings(CollectionSettings(random_share=share))


def wish(revision: int, share: float = 0.1, *, zone: str = "") -> DesiredState:
    return msgspec.structs.replace(
        a_desired(revision), collection=CollectionSettings(random_share=share), agent=AgentOptions(time_zone=zone)
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.times = InstallTimes(bench.clock, zone=zone)
    bench.updates = bench.restarted(bench.updates.state)
    return bench


def zone(name: str) -> tzinfo:
    if name not in ("", "Etc/UTC"):
        raise NotFound(f"this machine knows no time zone {name!r}")
    return UTC


def trial_of(bench: Bench) -> SettingsTrial:
    return bench.updates.state.settings


def share_of(bench: Bench) -> float:
    return trial_of(bench).effective.collection.random_share


def hear(bench: Bench) -> None:
    bench.run(bench.updates.note_contact)


def pass_time(bench: Bench, seconds: float, *, heard: bool = True) -> None:
    for _ in range(int(seconds)):
        bench.clock.advance(1.0)
        if heard:
            hear(bench)
        bench.run(bench.updates.step)


def settled(bench: Bench, share: float = 0.1, *, revision: int = 1) -> Bench:
    bench.take(wish(revision, share))
    pass_time(bench, RULES.works_s + 2)
    assert trial_of(bench).state is SettingsState.APPLIED
    return bench


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [each for each in SettingsState if each not in TRANSITIONS.final])
def test_every_open_state_knows_a_start_and_both_kinds_of_contact(state: SettingsState) -> None:
    assert {SettingsEvent.STARTED, SettingsEvent.HEARD, SettingsEvent.UNHEARD} <= set(TRANSITIONS.events(state))


@given(st.lists(st.sampled_from([*SettingsEvent, 0.1, 0.2, 0.3]), max_size=30))
def test_whatever_happens_what_is_in_force_is_kept_or_wanted_and_what_failed_is_not_in_force(
    happens: list[SettingsEvent | float],
) -> None:
    trial, failed = SettingsTrial(), list[Settings]()
    for revision, each in enumerate(happens):
        if isinstance(each, float):
            if trial.wanted != settings(each):
                failed.clear()
            trial = trial.offered(settings(each), revision)
        elif TRANSITIONS.allows(trial.state, each):
            trial = trial.after(each, reason="so")
        if trial.state is SettingsState.FAILED and trial.wanted:
            failed.append(trial.wanted)
            assert trial.reason

        assert trial.effective in (trial.kept, trial.wanted)
        assert trial.effective not in failed


def test_a_trial_that_has_ended_knows_no_event() -> None:
    with pytest.raises(IllegalTransition):
        SettingsTrial().after(SettingsEvent.WORKED)


# --- on a node ------------------------------------------------------------------------------------


def test_settings_are_in_force_at_once_and_applied_when_they_have_worked_for_a_while(bench: Bench) -> None:
    bench.take(wish(1))
    at_once = share_of(bench), trial_of(bench).report().state

    pass_time(bench, RULES.works_s + 2)

    assert at_once == (0.1, "trying")
    assert (trial_of(bench).report().state, trial_of(bench).report().revision) == ("applied", 1)
    assert bench.event_names() == ["settings.applied"]


def test_serving_that_starts_anew_during_a_trial_starts_from_what_worked(bench: Bench) -> None:
    settled(bench)

    bench.take(wish(2, BAD_SHARE))
    bench.step_until_still()

    assert bench.files[-1].collection.random_share == 0.1


def test_settings_that_end_the_agent_again_and_again_are_taken_back(bench: Bench) -> None:
    settled(bench)
    bench.take(wish(2, BAD_SHARE))

    for _ in range(RULES.starts_max):
        bench.updates = bench.restarted(stored_state.load_state(bench.store.saved))
        bench.run(bench.updates.resume)

    assert (share_of(bench), trial_of(bench).state) == (0.1, SettingsState.FAILED)
    assert bench.event_names()[-1] == "settings.failed"
    assert trial_of(bench).report().reason == "the agent or serving started 3 times with them"


def test_settings_that_end_serving_again_and_again_are_taken_back(bench: Bench) -> None:
    settled(bench)
    bench.take(wish(2, BAD_SHARE))
    pass_time(bench, 1)

    for _ in range(RULES.starts_max):
        bench.serving.die()
        pass_time(bench, 1)

    assert (share_of(bench), trial_of(bench).state) == (0.1, SettingsState.FAILED)


def test_one_start_is_no_proof_against_settings(bench: Bench) -> None:
    bench.take(wish(1))
    bench.updates = bench.restarted(stored_state.load_state(bench.store.saved))
    bench.run(bench.updates.resume)

    pass_time(bench, RULES.works_s + 2)

    assert (share_of(bench), trial_of(bench).state) == (0.1, SettingsState.APPLIED)


def test_settings_that_serving_does_not_take_are_taken_back_at_once(bench: Bench) -> None:
    settled(bench)
    answer = bench.serving.call

    async def refusing(command: Command, *, timeout_s: float) -> Reply:
        if isinstance(command, Collect) and command.settings.random_share == BAD_SHARE:
            return Refused("request_invalid", "not so many")
        return await answer(command, timeout_s=timeout_s)

    bench.serving.call = refusing  # type: ignore[method-assign]  # serving as it may be in another release
    bench.take(wish(2, BAD_SHARE))

    pass_time(bench, 3)

    assert (share_of(bench), trial_of(bench).report().state) == (0.1, "failed")
    assert trial_of(bench).report().reason == "request_invalid: not so many"


def test_settings_that_the_machine_cannot_apply_are_taken_back_with_the_reason(bench: Bench) -> None:
    settled(bench)

    bench.take(wish(2, zone="Moon/Copernicus"))
    pass_time(bench, 2)

    assert trial_of(bench).report().state == "failed"
    assert "no time zone 'Moon/Copernicus'" in trial_of(bench).report().reason


def test_settings_with_which_the_hub_is_not_heard_of_are_set_aside_and_tried_once_more(bench: Bench) -> None:
    settled(bench)
    bench.take(wish(2, BAD_SHARE))

    pass_time(bench, RULES.unheard_s_max + 2, heard=False)
    set_aside = share_of(bench), trial_of(bench).state
    pass_time(bench, 1)
    again = share_of(bench), trial_of(bench).state
    pass_time(bench, RULES.unheard_s_max + 2, heard=False)

    assert set_aside == (0.1, SettingsState.SET_ASIDE)
    assert again == (BAD_SHARE, SettingsState.TRYING)
    assert (share_of(bench), trial_of(bench).state) == (0.1, SettingsState.FAILED)


def test_a_line_that_failed_for_a_while_costs_settings_nothing_but_time(bench: Bench) -> None:
    settled(bench)
    bench.take(wish(2, 0.2))
    pass_time(bench, RULES.unheard_s_max + 2, heard=False)

    pass_time(bench, RULES.works_s + 3)

    assert (share_of(bench), trial_of(bench).state) == (0.2, SettingsState.APPLIED)


def test_what_failed_is_not_tried_again_with_the_next_revision_until_the_hub_wants_something_else(
    bench: Bench,
) -> None:
    settled(bench)
    bench.take(wish(2, zone="Moon/Copernicus"))
    pass_time(bench, 2)
    before = len(bench.event_names())

    bench.take(wish(3, zone="Moon/Copernicus"))
    pass_time(bench, 2)
    again = trial_of(bench).report()
    bench.take(wish(4, 0.3))
    pass_time(bench, 1)

    assert (again.state, again.revision) == ("failed", 3)
    assert len(bench.event_names()) == before
    assert (share_of(bench), trial_of(bench).state) == (0.3, SettingsState.TRYING)


def test_going_back_to_what_worked_is_no_trial(bench: Bench) -> None:
    settled(bench)
    bench.take(wish(2, BAD_SHARE))
    pass_time(bench, 1)

    bench.take(wish(3, 0.1))

    assert (share_of(bench), trial_of(bench).state, trial_of(bench).revision) == (0.1, SettingsState.APPLIED, 3)


def test_models_go_on_while_settings_fail(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(wish(1, BAD_SHARE))

    pass_time(bench, 3)

    # The hub wants no model here any more, whatever becomes of its settings.
    assert bench.updates.state.models == {}


def test_a_state_of_an_earlier_release_keeps_the_settings_that_it_took_as_they_came() -> None:
    class Earlier(msgspec.Struct):
        desired: DesiredState

    state = stored_state.load_state(msgspec.msgpack.encode(Earlier(wish(7, 0.4))))

    assert (state.settings.effective, state.settings.state) == (settings(0.4), SettingsState.APPLIED)


@pytest.mark.parametrize("kill_after_s", [0, 1, 30, 59])
def test_a_kill_at_any_moment_of_a_trial_leaves_one_that_ends(bench: Bench, kill_after_s: int) -> None:
    settled(bench)
    bench.take(wish(2, 0.2))
    pass_time(bench, kill_after_s)

    bench.updates = bench.restarted(stored_state.load_state(bench.store.saved))
    bench.run(bench.updates.resume)
    pass_time(bench, RULES.works_s + 2)

    assert (share_of(bench), trial_of(bench).state) == (0.2, SettingsState.APPLIED)
