import pytest

from ganglion.entrypoints.inference_api.accepted import prefers

WANTED = "application/vnd.google.protobuf"
FULL = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def is_preferred(accept: str) -> bool:
    return prefers(
        accept.encode(),
        WANTED,
        parameters=("proto=io.prometheus.client.MetricFamily", "encoding=delimited"),
        default="text/plain",
    )


@pytest.mark.parametrize(
    "accept",
    [
        FULL,
        f"{FULL};q=0.7,text/plain;version=0.0.4;q=0.3",
        f"{FULL};q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1",
        f"text/plain;q=0.2, {FULL.replace(';', ' ; ')} ; q=1.000",
        FULL.replace("encoding=delimited", 'encoding="delimited"') + ";escaping=allow-utf-8",
        FULL.upper(),
    ],
)
def test_who_names_it_gladly_enough_gets_it(accept: str) -> None:
    assert is_preferred(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        "application/*",
        WANTED,
        f"{WANTED};proto=io.prometheus.client.MetricFamily;encoding=text",
        f"{FULL};q=0",
        f"{FULL};q=0.2,text/plain;q=0.3",
        f"{FULL};q=nan",
        f"{FULL};q=-1",
        f"{FULL};q=2",
        f"{FULL};q=",
        ";;;,,,=;q",
        "\xff\xfe",
    ],
)
def test_everybody_else_gets_the_default(accept: str) -> None:
    assert not is_preferred(accept)
