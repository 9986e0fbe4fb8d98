import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.nodes.node_settings import parsed


@pytest.mark.parametrize(
    ("key", "text", "stored"),
    [
        ("collection.keep_when", "label=person and confidence<0.6", b'"label=person and confidence<0.6"'),
        ("collection.keep_when", "", b'""'),
        ("collection.margin_below", "0.2", b"0.2"),
        ("collection.out_of_distribution_above", "0.99", b"0.99"),
        ("collection.disagreements", "false", b"false"),
        ("collection.quality_looks_per_minute", "0", b"0"),
    ],
)
def test_why_inputs_are_kept_can_be_set(key: str, text: str, stored: bytes) -> None:
    assert bytes(parsed(key, text)) == stored


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("collection.keep_when", "confidence is low"),
        ("collection.keep_when", "label=person and"),
        ("collection.margin_below", "1.5"),
        ("collection.out_of_distribution_above", "2"),
        ("collection.out_of_distribution_above", "nan"),
        ("collection.quality_looks_per_minute", "-1"),
        ("collection.disagreements", "sometimes"),
    ],
)
def test_a_reason_that_no_node_could_follow_is_refused_before_any_node_hears_of_it(key: str, text: str) -> None:
    with pytest.raises(InvalidRequest):
        parsed(key, text)
