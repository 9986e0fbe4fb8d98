import json

import pytest

from ganglion.advisor.assess import advice as assess
from ganglion.advisor.assess import intake
from ganglion.advisor.assess.answer import AssessAdvice
from ganglion.advisor.ranges import Tree
from ganglion.core.errors import InvalidRequest

KNOWN: dict[str, Tree] = {"data_class": "personal", "user_impact": "4", "latency_sensitivity": "5", "way_back": "abort"}


def access_log(count: int, *, seconds: float = 0.2, path: str = "/infer", failed_every: int = 50) -> str:
    return "".join(
        f'10.0.0.1 - - [21/Nov/2026:10:{n // 60 % 60:02d}:{n % 60:02d} +0000] "POST {path}?n={n} HTTP/1.1" '
        f'{500 if n % failed_every == 0 else 200} 1000 "-" "-" {seconds + n % 10 / 1000:.3f}\n'
        for n in range(count)
    )


def report(text: str, known: dict[str, Tree] | None = None, after: str = "") -> AssessAdvice:
    team = assess.read_map({"workloads": {"*": known}} if known else {})
    pilot = intake.read(after, "pilot") if after else None
    return assess.advise(intake.read(text, "log"), team, pilot)


def values(advice: AssessAdvice, index: int = 0) -> dict[str, float | None]:
    return {name: figure.value for name, figure in advice.workloads[index].figures.items()}


def test_an_access_log_gives_volume_latency_egress_and_failures() -> None:
    found = values(report(access_log(500)))

    assert found["requests"] == 500
    assert found["latency_p50"] == pytest.approx(204)
    assert found["latency_p99"] == pytest.approx(209)
    assert found["bytes_out_mean"] == 1000
    assert found["failure_rate"] == 0.02
    assert found["egress_day"] == pytest.approx(500 * 1000 / 499 * 86_400)


@pytest.mark.parametrize(
    ("text", "p50"),
    [
        ("model,latency_ms,status\ngate,12,200\ngate,14,200\ngate,13,500\n", 13),
        ("model;duration_s\ngate;0.012\ngate;0.014\ngate;0.013\n", 13),
        ('{"model": "gate", "latency_us": 13000}\n{"model": "gate", "latency_us": 13000}\n', 13),
        ('[{"model": "gate", "latency": "13 ms"}]', 13),
        ('x - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-" rt=0.013\n', 13),
        ('x - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-" 13000\n', 13),
        ('ganglion_request_seconds{model="gate",quantile="0.5"} 0.013\nganglion_requests_total{model="gate"} 9\n', 13),
    ],
)
def test_latency_is_read_from_each_common_form(text: str, p50: float) -> None:
    assert values(report(text))["latency_p50"] == pytest.approx(p50)


def test_a_span_of_a_trace_is_a_request() -> None:
    span = {
        "name": "infer",
        "kind": 2,
        "startTimeUnixNano": "1000000000",
        "endTimeUnixNano": "1020000000",
        "status": {"code": 2},
        "attributes": [{"key": "gen_ai.usage.output_tokens", "value": {"intValue": "30"}}],
    }
    about = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    document = {"resourceSpans": [{"resource": about, "scopeSpans": [{"spans": [span, {**span, "kind": 3}]}]}]}

    found = report(json.dumps(document))

    assert found.workloads[0].name == "shop infer"
    assert values(found) == pytest.approx(
        {"requests": 1, "latency_p50": 20, "latency_p95": 20, "latency_p99": 20, "tokens_mean": 30, "failure_rate": 1}
    )


def test_counters_of_a_range_count_what_they_grew_by_even_over_a_restart() -> None:
    def series(name: str, values: list[str], **labels: str) -> dict[str, object]:
        pairs = [[index * 60, value] for index, value in enumerate(values)]
        return {"metric": {"__name__": name, "model": "gate", **labels}, "values": pairs}

    result = [
        series("request_seconds_bucket", ["5", "45"], le="0.1"),
        series("request_seconds_bucket", ["5", "105"], le="+Inf"),
        series("requests_total", ["5", "95", "10"]),
    ]

    found = values(report(json.dumps({"data": {"result": result}})))

    assert found["requests"] == 100
    assert found["latency_p50"] == pytest.approx(100)


def test_a_latency_without_a_unit_is_asked_for_and_not_used() -> None:
    found = report("model,latency,status\ngate,12,200\n")

    assert "latency_p50" not in values(found)
    assert found.questions[0].fact == "latency_unit"


def test_paths_that_differ_by_an_id_are_one_workload() -> None:
    found = report(access_log(3, path="/items/17") + access_log(3, path="/items/18"))

    assert [each.name for each in found.workloads] == ["/items/{id}"]


def test_no_move_without_baseline_data_class_and_way_back() -> None:
    bare, few, full = report(access_log(200)), report(access_log(20), KNOWN), report(access_log(200), KNOWN)

    assert bare.workloads[0].refused_because == ("data_class", "way_back")
    assert few.workloads[0].refused_because == ("latency_baseline",)
    assert (bare.status, few.status, full.status) == ("refused", "refused", "assessed")
    assert full.workloads[0].priority == 4 * 5 * 3


def test_the_fewest_kinds_of_requests_hold_the_critical_share() -> None:
    logs = access_log(700, path="/a") + access_log(200, path="/b") + access_log(100, path="/c")
    team = assess.read_map({"workloads": {"/*": KNOWN}, "top_share": "80 %"})

    top = assess.advise(intake.read(logs, "log"), team).top_traffic

    assert top is not None
    assert [each.workload for each in top.groups] == ["/a", "/b"]
    assert top.held == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (access_log(500, seconds=0.05), "expand"),
        (access_log(500, seconds=0.2), "hold"),
        (access_log(500, seconds=0.3), "stop"),
        (access_log(500, seconds=0.05, failed_every=3), "stop"),
        (access_log(50, seconds=0.05), "hold"),
    ],
)
def test_a_pilot_is_expanded_held_or_stopped_by_intervals(after: str, verdict: str) -> None:
    found = report(access_log(500), KNOWN, after)

    assert found.verdict == verdict
    assert found.pilot[0].reason


def test_a_pilot_within_a_budget_that_its_interval_leaves_is_held() -> None:
    found = report(access_log(500), {**KNOWN, "latency_budget": "55 ms"}, access_log(500, seconds=0.05))

    assert found.verdict == "hold"
    assert "budget is 55 ms" in found.pilot[0].reason


@pytest.mark.parametrize("text", ["", "hello\nworld\n", "{}", "[]", "[1]", "a,b\n1,2\n", "\x00\x01"])
def test_a_file_that_holds_no_requests_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        intake.read(text, "log")


def test_what_stands_under_the_request_of_a_row_counts() -> None:
    row = {"ts": 1793613600.5, "request": {"method": "POST", "uri": "/v1/score"}, "status": 200, "duration_s": 0.02}

    advice = report("".join(json.dumps({**row, "ts": 1793613600.5 + n}) + "\n" for n in range(3)))

    assert advice.workloads[0].name == "/v1/score"
    assert values(advice)["latency_p50"] == pytest.approx(20)


def test_a_range_without_names_says_which_names_it_needs() -> None:
    text = json.dumps({"status": "success", "data": {"result": [{"metric": {}, "values": [[1, "0.1"], [2, "0.2"]]}]}})

    with pytest.raises(InvalidRequest, match="_bucket, _count"):
        intake.read(text, "range.json")
