"""What a cost case does not say, as questions to a person."""

from collections.abc import Iterator

from ganglion.advisor.cost.answer import Completeness
from ganglion.advisor.cost.ledger import Facts, Ledger
from ganglion.advisor.figures import Question

_PAYBACK = ("payback_days", "tco_saving")
_OF_FACTOR = {
    "compute": "What do computing and electricity cost at the edge in a month?",
    "storage": "What does storage at the edge cost in a month?",
    "network": "What do uplink, egress and ingress of the sites cost in a month?",
    "operations": "What do maintenance, remote hands and software distribution cost in a month?",
    "downtime_risk": "What loss is expected in a month because a device does not answer?",
}


def questions_of(facts: Facts, ledger: Ledger, edge: Completeness) -> tuple[Question, ...]:
    """Return the questions, those that block most first."""
    return (*_of_cloud(facts, ledger), *_of_edge(facts, ledger), *_of_rest(facts), *_of_factors(edge))


def _of_cloud(facts: Facts, ledger: Ledger) -> Iterator[Question]:
    if "cloud_month" in ledger.entries:
        return
    if not facts.has("cloud_price") and not facts.has("cloud_token_price") and not facts.has("cloud_accelerator_price"):
        yield Question(
            "cloud_price", "What does one inference cost in the cloud, or what is the bill of a month?", _PAYBACK
        )
    if "volume_month" not in ledger.entries and not facts.has("cloud_accelerator_price"):
        yield Question("volume", "How many inferences arrive at one site, and in what time?", _PAYBACK)
    if facts.has("cloud_accelerator_price") and not facts.has("cloud_accelerator_utilisation"):
        yield Question(
            "cloud_accelerator_utilisation", "What share of the paid time does the accelerator work?", _PAYBACK
        )
    amounts = ("cloud_accelerators", "cloud_accelerator_hours", "cloud_accelerator_throughput")
    if facts.has("cloud_accelerator_price") and not any(facts.has(each) for each in amounts):
        yield Question(
            "cloud_accelerators",
            "How many accelerators are rented round the clock, how many useful hours a month, or how many inferences "
            "does a busy one answer in an hour?",
            _PAYBACK,
        )
    if facts.has("cloud_token_price") and not facts.has("tokens_per_inference"):
        yield Question("tokens_per_inference", "How many tokens does one inference take?", _PAYBACK)


def _of_edge(facts: Facts, ledger: Ledger) -> Iterator[Question]:
    if "capex" not in ledger.entries:
        yield Question("device_price", "What does one device cost?", ("payback_days", "tco_edge", "roi"))
    if facts.has("edge_power_draw") and not facts.has("electricity_price"):
        yield Question("electricity_price", "What does a kilowatt-hour cost at the sites?", _PAYBACK)
    if "edge_opex_month" not in ledger.entries:
        yield Question("edge_opex_month", "What does the edge cost to run in a month, in its five factors?", _PAYBACK)


def _of_rest(facts: Facts) -> Iterator[Question]:
    if not facts.has("horizon"):
        yield Question(
            "horizon",
            "Over how many months are the two sides compared?",
            ("tco_cloud", "tco_edge", "roi", "break_even_volume"),
        )
    if facts.has("device_price") and not facts.has("device_life"):
        yield Question("device_life", "How many months does a device live?", ("replacement",))
    if not facts.has("delivery"):
        yield Question(
            "delivery", "How long is it from the order to the first saved dollar?", ("payback_from_order_days",)
        )


def _of_factors(edge: Completeness) -> Iterator[Question]:
    for factor in edge.missing:
        yield Question(f"edge_{factor}", _OF_FACTOR[factor], ("completeness",))
