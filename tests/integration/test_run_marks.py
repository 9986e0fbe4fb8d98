"""Marks of runs, seen by another process."""

import math
import os
import signal
import subprocess
import sys
import threading

import pytest

from ganglion.adapters.run_marks import Label, RunMarks
from ganglion.core.serving_errors import ModelFailed

LABEL = Label("gate", "1", "stamp")
DIES_IN_A_RUN = """
import os, signal, sys
from ganglion.adapters.run_marks import Label, RunMarks
marks = RunMarks(int(sys.argv[1]))
marks.tell_ready(8080)
marks.around(Label("gate", "1", "stamp"), lambda _: os.kill(os.getpid(), signal.SIGKILL), lambda: 7.0)(None)
"""


def test_a_parent_sees_what_ran_when_its_child_was_killed() -> None:
    marks = RunMarks.create()

    child = subprocess.run(
        [sys.executable, "-c", DIES_IN_A_RUN, str(marks.descriptor)], pass_fds=(marks.descriptor,), check=False
    )

    assert child.returncode == -signal.SIGKILL
    assert marks.suspects() == [LABEL]
    assert marks.port == 8080
    os.close(marks.descriptor)


def test_a_run_leaves_no_mark_behind_even_when_it_fails() -> None:
    marks, seen = RunMarks.create(), []

    def fail(_: None) -> None:
        seen.extend(marks.runs())
        raise ModelFailed("it did")

    with pytest.raises(ModelFailed):
        marks.around(LABEL, fail, lambda: 3.0)(None)

    assert [(each.label, each.since_s) for each in seen] == [(LABEL, 3.0)]
    assert marks.suspects() == []


def test_loading_is_suspect_and_is_no_run_that_could_take_too_long() -> None:
    marks = RunMarks.create()

    with marks.loading(LABEL, 1.0):
        assert (marks.suspects(), marks.runs()) == ([LABEL], [])
        assert marks.stuck(now_s=math.inf, run_s_max=1.0) is None


def test_of_many_threads_the_longest_run_is_found() -> None:
    marks, together, seen = RunMarks.create(), threading.Barrier(101), threading.Barrier(101)

    def work(number: int) -> None:
        run = marks.around(Label("m", str(number)), lambda _: (together.wait(), seen.wait()), lambda: 100.0 - number)
        run(None)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    together.wait()
    moments = [each.since_s for each in marks.runs()]
    seen.wait()
    for thread in threads:
        thread.join()

    assert moments == sorted(moments)
    assert len(moments) == 63  # As many places as other threads may have; the last one is shared.
    assert marks.runs() == []


def test_more_versions_than_there_are_places_still_run() -> None:
    marks = RunMarks.create()
    runs = [marks.around(Label("m" * 64, str(number)), lambda value: value, lambda: 0.0) for number in range(1100)]

    assert [run(7) for run in runs] == [7] * 1100


@pytest.mark.parametrize("label", [LABEL, Label("gäte" * 40, "v" * 64, "s" * 64), Label("", "")])
def test_a_label_that_fits_is_read_as_it_was_written(label: Label) -> None:
    marks = RunMarks.create()

    with marks.loading(label, 1.0):
        (seen,) = marks.suspects()

    assert (seen == label) is (len(label.text.encode()) <= 256)
    assert label.text.startswith(seen.text[:20])
