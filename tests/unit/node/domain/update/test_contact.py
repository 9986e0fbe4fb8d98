"""How long a model may be served without a word from the hub."""

import msgspec
import pytest

from ganglion.node.domain.update.contact import needs_contact, silence_s, withheld
from ganglion.node.domain.update.reconcile import ModelState
from unit.node.builders import an_installed

FOREVER = ModelState(committed=an_installed("1"))
HOURLY = ModelState(committed=msgspec.structs.replace(an_installed("1"), offline_s_max=3600))


def test_silence_is_what_either_clock_says() -> None:
    assert silence_s(now_s=1000.0, heard_at_s=400.0, running_s=5.0) == 600.0


def test_a_clock_that_was_set_back_hides_nothing_of_what_this_process_saw() -> None:
    assert silence_s(now_s=0.0, heard_at_s=400.0, running_s=500.0) == 500.0


@pytest.mark.parametrize(("silent_s", "expected"), [(3600.0, set()), (3601.0, {"hourly"}), (1e9, {"hourly"})])
def test_only_a_model_with_a_term_is_withheld_and_only_after_it(silent_s: float, expected: set[str]) -> None:
    models = {"hourly": HOURLY, "forever": FOREVER, "empty": ModelState()}

    assert set(withheld(models, silent_s)) == expected


def test_the_time_is_kept_for_those_who_need_it() -> None:
    assert needs_contact({"one": FOREVER, "two": HOURLY})
    assert not needs_contact({"one": FOREVER, "two": ModelState()})
