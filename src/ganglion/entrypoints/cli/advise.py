"""`ganglion advise`: where each step should run, what it costs, and what is not known yet."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli.output import Output, OutputFormat, emit, note

if TYPE_CHECKING:
    from ganglion.advisor.ranges import Tree
    from ganglion.entrypoints.advise.text import Advice

app = typer.Typer(no_args_is_help=True)

File = Annotated[
    list[Path] | None, typer.Option("-f", "--file", help="Case file: YAML, JSON or TOML; - is standard input.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="NAME=VALUE, put into the case; levels are joined by dots.")
]
Report = Annotated[Path | None, typer.Option("--report", help="Write an HTML page with plots, too.")]


def _quantity(example: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=f"As in {example!r}.")
    return option


class Topic(StrEnum):
    """What has a schema."""

    PLACE = "place"
    COST = "cost"
    STORAGE = "storage"
    FIT = "fit"
    ASSESS = "assess"


@app.callback()
def advise() -> None:
    """Say where a workload should run, and what it costs.

    From what was measured; and what is not known yet.
    """


@app.command("place")
def place(
    file: File = None,
    *,
    latency_budget: Annotated[str, _quantity("50 ms")] = "",
    quantile: Annotated[str, _quantity("p99")] = "",
    rate: Annotated[str, _quantity("20/s")] = "",
    residency: Annotated[str, typer.Option(help="Zone that the data may not leave: device, site, or a name.")] = "",
    tier: Annotated[
        list[str] | None, typer.Option(help="NAME=LATENCY of the whole path to a tier, as in 'cloud=3.2 s'.")
    ] = None,
    put: Set = None,
    report: Report = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Place the steps of a workload on tiers of a fleet.

    Law, physics, availability and cost decide, in that order.

    Example: ganglion advise place --latency-budget '50 ms' --tier 'cloud=3.2 s' --tier 'edge=0.8 s'
    """
    from ganglion.advisor.place import placement
    from ganglion.entrypoints.advise.files import thumb_rules

    flags = {"workload.latency_budget": latency_budget, "workload.quantile": quantile, "workload.rate": rate}
    tree = _case(file, {**flags, "workload.residency": residency}, put)
    if tier:
        from ganglion.core.errors import InvalidRequest

        pairs = [each.partition("=") for each in tier]
        if any(not equals for _, equals, _ in pairs):
            raise InvalidRequest("--tier should read NAME=LATENCY, as in 'cloud=3.2 s'")
        tree["fleet"] = {
            "tiers": [{"name": name.strip(), "path_latency": latency.strip()} for name, _, latency in pairs]
        }
    _show(placement.advise(tree, thumb_rules()), output, report)


@app.command("cost")
def cost(
    file: File = None,
    *,
    sites: Annotated[str, _quantity("500")] = "",
    volume: Annotated[str, _quantity("1000 inferences/hour")] = "",
    cloud_price: Annotated[str, _quantity("0.002 USD/inference")] = "",
    device_price: Annotated[str, _quantity("499 USD")] = "",
    power: Annotated[str, _quantity("5 USD/month, or 15 W with --electricity-price")] = "",
    electricity_price: Annotated[str, _quantity("0.15 USD/kWh")] = "",
    management: Annotated[str, _quantity("100 USD/device/month")] = "",
    capex: Annotated[str, _quantity("249500 USD")] = "",
    cloud_month: Annotated[str, _quantity("720000 USD/month")] = "",
    edge_opex_month: Annotated[str, _quantity("2500 USD/month")] = "",
    horizon: Annotated[str, _quantity("36 months")] = "",
    delivery: Annotated[str, _quantity("60 days")] = "",
    device_life: Annotated[str, _quantity("48 months")] = "",
    escalated_share: Annotated[str, _quantity("5 %")] = "",
    month_days: Annotated[str, _quantity("30")] = "",
    draws: Annotated[str, _quantity("100000")] = "",
    seed: Annotated[str, _quantity("1")] = "",
    put: Set = None,
    report: Report = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Compare the cost of the edge with that of the cloud.

    Payback, total cost, return, break-even, and what flips it.

    Example: ganglion advise cost --capex '499 USD' --cloud-month '1440 USD/month' --edge-opex-month '5 USD/month'
    """
    from ganglion.advisor.cost import advice as costs
    from ganglion.entrypoints.advise.files import thumb_rules

    flags = {name: value for name, value in locals().items() if name in _COST_FLAGS}
    named = {"power": "edge.power", "management": "edge.management"}
    tree = _case(file, {named.get(name, name): value for name, value in flags.items()}, put)
    _show(costs.advise(tree, thumb_rules()), output, report)


@app.command("storage")
def storage(
    file: File = None,
    *,
    bytes_per_day: Annotated[str, _quantity("2 GB/day")] = "",
    retention: Annotated[str, _quantity("30 days")] = "",
    copies: Annotated[str, _quantity("2")] = "",
    parity: Annotated[str, _quantity("4+2")] = "",
    reduction: Annotated[str, _quantity("60 %")] = "",
    capacity: Annotated[str, _quantity("500 MB")] = "",
    outage: Annotated[str, _quantity("72 hours")] = "",
    lock: Annotated[str, _quantity("90 days")] = "",
    written: Annotated[str, _quantity("2026-01-31")] = "",
    price: Annotated[str, _quantity("0.023 USD/GB/month")] = "",
    put: Set = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Size the local buffer and the immutable store.

    Bytes, outage hours before each class is shed, cost, lock dates.

    Example: ganglion advise storage --bytes-per-day '10 GB/day' --retention '30 days' --copies 2 --parity 4+2
    """
    from ganglion.advisor.storage import advice as storages

    flags = {name: value for name, value in locals().items() if name in _STORAGE_FLAGS}
    _show(storages.advise(_case(file, flags, put)), output)


@app.command("fit")
def fit(
    file: File = None,
    *,
    parameters: Annotated[str, _quantity("7B")] = "",
    precision: Annotated[str, _quantity("int8")] = "",
    size: Annotated[str, _quantity("90 MB")] = "",
    latency: Annotated[str, _quantity("45 ms")] = "",
    memory: Annotated[str, _quantity("8 GB")] = "",
    disk: Annotated[str, _quantity("32 GB")] = "",
    power: Annotated[str, _quantity("15 W")] = "",
    latency_budget: Annotated[str, _quantity("50 ms")] = "",
    put: Set = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Say whether a variant of a model fits a target.

    What to try when not, and which hardware is for what.

    Memory, disk, power and the latency budget are the target's; the rest is the model's.

    Example: ganglion advise fit --parameters 7B --precision fp16 --memory '8 GB'
    """
    from ganglion.advisor.fit import advice as fits
    from ganglion.entrypoints.advise.files import hardware, thumb_rules

    model = {"parameters": parameters, "precision": precision, "size": size, "latency": latency}
    target = {"memory": memory, "disk": disk, "power": power, "latency_budget": latency_budget}
    flags = {f"model.{name}": value for name, value in model.items()} | {
        f"target.{name}": value for name, value in target.items()
    }
    _show(fits.advise(_case(file, flags, put), hardware(), thumb_rules()), output)


@app.command("assess")
def assess(
    logs: Annotated[
        list[Path],
        typer.Argument(help="Access logs, CSV, JSON rows, OTLP traces, Prometheus pages or ranges; .gz too."),
    ],
    file: File = None,
    *,
    after: Annotated[list[Path] | None, typer.Option(help="Logs of a pilot, to be compared with the others.")] = None,
    latency_unit: Annotated[str, typer.Option(help="Unit of latencies whose column names none: ms, s or us.")] = "",
    put: Set = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Report what a team's logs say of its workloads.

    What they do not say, too, and what matters most.

    The case file is the map of workloads: data class, user impact, latency sensitivity, way back.

    Example: ganglion advise assess access.log -f workloads.yaml
    """
    from ganglion.advisor.assess import advice as assesses
    from ganglion.advisor.assess import intake
    from ganglion.entrypoints.advise.files import read_log

    team = assesses.read_map(_case(file, {"latency_unit": latency_unit}, put))

    def read(files: list[Path]) -> intake.Intake:
        return intake.merged([intake.read(read_log(each), each.name, latency_unit=team.latency_unit) for each in files])

    _show(assesses.advise(read(logs), team, read(after) if after else None), output)


@app.command("schema")
def schema(
    topic: Annotated[
        Topic | None, typer.Argument(help="Command whose schema is printed; without it, all of them.")
    ] = None,
    of_input: Annotated[bool, typer.Option("--input", help="Of what the command reads, not of its answer.")] = False,
) -> None:
    """Print the JSON Schema of an answer, or of what a command reads.

    Example: ganglion advise schema cost
    """
    import msgspec

    from ganglion.entrypoints.advise.schema import answer_schema, input_schema

    make = input_schema if of_input else answer_schema
    value = make(topic.value) if topic else {each.value: make(each.value) for each in Topic}
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


_COST_FLAGS = {
    "sites", "volume", "cloud_price", "device_price", "power", "electricity_price", "management", "capex",
    "cloud_month",
    "edge_opex_month", "horizon", "delivery", "device_life", "escalated_share", "month_days", "draws", "seed",
}  # fmt: skip
_STORAGE_FLAGS = {
    "bytes_per_day", "retention", "copies", "parity", "reduction", "capacity", "outage", "lock", "written", "price",
}  # fmt: skip


def _case(files: list[Path] | None, flags: dict[str, str], settings: list[str] | None) -> "dict[str, Tree]":
    """Return the files as one tree, with options put in. Raises: InvalidRequest: two files say one thing."""
    from ganglion.core.errors import InvalidRequest
    from ganglion.entrypoints.advise.files import read_tree, with_settings

    tree: dict[str, Tree] = {}
    for each in files or []:
        read = read_tree(each)
        twice = sorted(set(tree) & set(read))
        if twice:
            raise InvalidRequest(f"{each} says {', '.join(twice)} again")
        tree |= read
    said = [f"{name}={value}" for name, value in flags.items() if value]
    if not files and not said and not settings and "latency_unit" not in flags:
        raise InvalidRequest("give a case file with -f, or the facts as options")
    return with_settings(tree, [*said, *(settings or [])])


def _show(advice: "Advice", output: OutputFormat, report: Path | None = None) -> None:
    if report is not None:
        from ganglion.entrypoints.advise.report import write_report

        write_report(advice, report)
    if output is OutputFormat.TABLE:
        from ganglion.entrypoints.advise.text import text

        typer.echo(text(advice), nl=False)
    else:
        emit(advice, output)
    if report is not None:
        note(f"The report is in {report}.")
