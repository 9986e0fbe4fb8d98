"""A support bundle fits into one answer, whatever the log says."""

import pytest

from ganglion.entrypoints.diagnosis.support import fitted
from ganglion.wire import codec
from ganglion.wire.diagnosis import SupportDocument

LINES = [f'{{"event": "line.{number}", "reason": {"q" * 60!r}}}' for number in range(2000)]


def a_bundle(log: str) -> SupportDocument:
    return SupportDocument(node="gate-1", at_s=0.0, files={"doctor.json": "{}", "log.jsonl": log})


@pytest.mark.parametrize("quote", ['"', "\\", "é", "x"])
def test_of_a_log_that_grows_when_it_is_written_as_json_the_newest_lines_stay(quote: str) -> None:
    log = "".join(f"{line.replace('q', quote)}\n" for line in LINES)

    found = fitted(a_bundle(log), 100_000)

    kept = found.files["log.jsonl"].splitlines()
    assert len(codec.encode_json(found)) <= 100_000
    assert 100 < len(kept) < 2000
    assert kept == log.splitlines()[-len(kept) :]
    assert found.files["doctor.json"] == "{}"


def test_a_bundle_that_fits_stays_as_it_is() -> None:
    assert fitted(a_bundle("one\n"), 10_000) == a_bundle("one\n")


def test_a_bundle_that_is_too_large_without_a_log_loses_the_log_alone() -> None:
    assert fitted(a_bundle("one\n"), 10).files == {"doctor.json": "{}", "log.jsonl": ""}
