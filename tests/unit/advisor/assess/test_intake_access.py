import pytest

from ganglion.advisor.assess import intake_access
from ganglion.advisor.assess.observations import Request

HEAD = '203.0.113.9 - - [02/Nov/2026:10:00:00 +0000] "POST /v1/score?x=1 HTTP/1.1" 200 2326'


def request_of(line: str) -> Request:
    found, skipped = intake_access.lines(line)
    assert skipped == 0
    return found[0]


@pytest.mark.parametrize(
    ("rest", "latency_ms"),
    [
        ("", None),
        (' "-" "curl/8"', None),
        (' "-" "curl/8" 0.025', 25),
        (' "-" "curl/8" rt=0.025 uct="0.000" urt="0.024"', 25),
        (" 25000", 25),
    ],
)
def test_what_stands_behind_a_line_is_its_latency(rest: str, latency_ms: float | None) -> None:
    assert request_of(HEAD + rest).latency_ms == pytest.approx(latency_ms)


def test_an_ingress_says_the_length_of_the_request_and_then_its_seconds() -> None:
    found = request_of(HEAD + ' "-" "curl/8" 1200 0.025 [default-svc-80] [] 10.1.1.1:80 2326 0.024 200 abcdef12')

    assert found.latency_ms == pytest.approx(25)
    assert (found.bytes_in, found.bytes_out) == (1200, 2326)


def test_a_line_of_another_form_is_counted() -> None:
    assert intake_access.lines(f"{HEAD}\nhello\n\n")[1] == 1
