"""The formulas of a cost case, over typed amounts: inputs in, a ledger of figures out.

The same code runs over decimals once, and over arrays of draws in a simulation (`sensitivity`).
"""

from collections.abc import Sequence
from decimal import Decimal

from ganglion.advisor.cost.amounts import (
    EnergyPrice,
    HourPrice,
    HoursPerMonth,
    Money,
    MoneyPerMonth,
    Months,
    Price,
    Size,
    TrafficPrice,
    Volume,
    Watts,
)
from ganglion.advisor.cost.fields import DEVICE, FACTORS, FLEET, LINES, SITE
from ganglion.advisor.cost.ledger import HOURS_PER_DAY, Facts, Ledger, Value


def evaluate(facts: Facts) -> Ledger:
    """Return every figure that the facts allow. Values of one case, or arrays of them."""
    ledger = Ledger()
    _volume(facts, ledger)
    _cloud(facts, ledger)
    _edge(facts, ledger)
    _capex(facts, ledger)
    _saving(ledger)
    _over_horizon(facts, ledger)
    _per_prediction(facts, ledger)
    return ledger


def _volume(facts: Facts, ledger: Ledger) -> None:
    name = "volume_total" if facts.has("volume_total") else "volume"
    if not facts.has(name):
        return
    amount = facts.values[name] if name == "volume_total" else facts.spread(name, SITE)
    inputs = [name]
    if facts.has("duty_cycle"):
        amount, inputs = amount * facts.values["duty_cycle"], [*inputs, "duty_cycle"]
    if facts.has("hours_per_day"):
        amount, inputs = amount * facts.values["hours_per_day"] / HOURS_PER_DAY, [*inputs, "hours_per_day"]
    ledger.put("volume_month", Volume(amount), "volume_month", "Inferences of all sites in a month", inputs)


def _cloud(facts: Facts, ledger: Ledger) -> None:
    if facts.has("cloud_month"):
        ledger.put(
            "cloud_month", facts.monthly("cloud_month", FLEET), "input", "Cloud bill of a month", ["cloud_month"]
        )
        return
    _inference_price(facts, ledger)
    _accelerators(facts, ledger)
    _traffic(facts, ledger, "cloud")
    _lines(facts, ledger, "cloud", FLEET)
    _downtime(facts, ledger, "cloud")
    _total(ledger, "cloud_month", "cloud", "Cloud cost of a month")


def _edge(facts: Facts, ledger: Ledger) -> None:
    _escalation(facts, ledger)
    if facts.has("programme_month"):
        amount = facts.monthly("programme_month", FLEET)
        ledger.put("edge_line_operations_programme", amount, "scaled", "Edge programme, a month", ["programme_month"])
    if facts.has("edge_opex_month"):
        amount = facts.monthly("edge_opex_month", FLEET)
        ledger.put("edge_line_unsplit", amount, "scaled", "Edge running cost that nobody split", ["edge_opex_month"])
    _power(facts, ledger)
    _traffic(facts, ledger, "edge")
    _lines(facts, ledger, "edge", DEVICE)
    _downtime(facts, ledger, "edge")
    if facts.has("replacement_rate") and (facts.has("device_price") or facts.has("replacement_price")):
        price = "replacement_price" if facts.has("replacement_price") else "device_price"
        amount = MoneyPerMonth(facts.values["replacement_rate"] * facts.spread(price, DEVICE), facts.currency)
        ledger.put(
            "edge_line_operations_replacements", amount, "replacements_month", "Devices that fail, a month",
            ["replacement_rate", price],
        )  # fmt: skip
    _total(ledger, "edge_opex_month", "edge", "Running cost of the edge in a month")


def _inference_price(facts: Facts, ledger: Ledger) -> None:
    volume = ledger.volume()
    price, inputs = inference_price(facts)
    if price is None or volume is None:
        return
    formula = "price_by_volume" if inputs == ["cloud_price"] else "tokens_by_volume"
    ledger.put(
        "cloud_line_compute_inferences", volume * price, formula, "Cloud inferences, a month", ["volume_month", *inputs]
    )


def inference_price(facts: Facts) -> tuple[Price | None, list[str]]:
    """Return what one inference in the cloud costs by its price or its tokens, and the inputs that say so."""
    parts, inputs = [], []
    if facts.has("cloud_price"):
        parts, inputs = [Price(facts.values["cloud_price"], facts.currency)], ["cloud_price"]
    for price, count in (
        ("cloud_token_price", "tokens_per_inference"),
        ("cloud_input_token_price", "input_tokens"),
        ("cloud_output_token_price", "output_tokens"),
    ):
        if facts.has(price, count):
            parts.append(Price(facts.values[price] * facts.values[count], facts.currency))
            inputs += [price, count]
    total = parts[0] if parts else None
    for part in parts[1:]:
        assert total is not None
        total = total + part
    return total, inputs


def _accelerators(facts: Facts, ledger: Ledger) -> None:
    name = "cloud_accelerator_price"
    if not facts.has(name):
        return
    volume, share = ledger.volume(), facts.values.get("cloud_accelerator_utilisation")
    price, all_hours = HourPrice(facts.values[name], facts.currency), HOURS_PER_DAY * facts.month_days
    hours, inputs = None, [name]
    if facts.has("cloud_accelerator_hours") and share is not None:
        hours, inputs = facts.values["cloud_accelerator_hours"] / share, [*inputs, "cloud_accelerator_hours"]
    elif facts.has("cloud_accelerators"):
        hours, inputs = facts.values["cloud_accelerators"] * all_hours, [*inputs, "cloud_accelerators"]
    elif facts.has("cloud_accelerator_throughput") and share is not None and volume is not None:
        hours = volume.value / facts.values["cloud_accelerator_throughput"] / share
        inputs = [*inputs, "volume_month", "cloud_accelerator_throughput", "cloud_accelerator_utilisation"]
    if hours is not None:
        ledger.put(
            "cloud_line_compute_accelerators", price * HoursPerMonth(hours), "accelerator_month",
            "Cloud accelerators, a month", inputs,
        )  # fmt: skip
    if share is not None:
        both = (name, "cloud_accelerator_utilisation")
        title = "Price of a useful hour of an accelerator"
        ledger.put("accelerator_effective_price", price.over(share), "accelerator_effective_price", title, both)
        if facts.has("cloud_accelerator_throughput"):
            each = Price(price.over(share).value / facts.values["cloud_accelerator_throughput"], facts.currency)
            title = "Price of one inference on an accelerator"
            ledger.put(
                "accelerator_inference_price", each, "accelerator_inference_price", title,
                (*both, "cloud_accelerator_throughput"),
            )  # fmt: skip


def _escalation(facts: Facts, ledger: Ledger) -> None:
    if not facts.has("escalated_share"):
        return
    share, volume, (price, inputs) = facts.values["escalated_share"], ledger.volume(), inference_price(facts)
    if price is not None and volume is not None:
        amount = (volume * price).times(share)
    else:
        amount_or_none = ledger.monthly("cloud_month")
        if amount_or_none is None:
            return
        amount, inputs = amount_or_none.times(share), ["cloud_month"]
    names = ["escalated_share", *(["volume_month"] if inputs != ["cloud_month"] else []), *inputs]
    ledger.put(
        "edge_line_compute_escalation", amount, "escalation_month", "Inferences handed to the cloud, a month", names
    )


def _power(facts: Facts, ledger: Ledger) -> None:
    name = "edge_line_compute_power"
    if facts.has("edge_power_cost"):
        amount = facts.monthly("edge_power_cost", DEVICE)
        ledger.put(name, amount, "scaled", "Electricity of the edge, a month", ["edge_power_cost"])
    elif facts.has("edge_power_draw", "electricity_price"):
        hours = HoursPerMonth(HOURS_PER_DAY * facts.month_days)
        watts = Watts(facts.spread("edge_power_draw", DEVICE) * facts.values.get("pue", 1))
        amount = EnergyPrice(facts.values["electricity_price"], facts.currency) * (watts * hours)
        inputs = [each for each in ("edge_power_draw", "electricity_price", "pue") if facts.has(each)]
        ledger.put(name, amount, "power_month", "Electricity of the edge, a month", inputs)


def _traffic(facts: Facts, ledger: Ledger, side: str) -> None:
    for way, size in (("egress", "output_size"), ("ingress", "input_size")):
        price_name, volume_name = f"{side}_{way}_price", f"{side}_{way}_volume"
        if not facts.has(price_name):
            continue
        price, volume = TrafficPrice(facts.values[price_name], facts.currency), ledger.volume()
        if facts.has(volume_name):
            gigabytes = facts.spread(volume_name, FLEET)
            amount, inputs = MoneyPerMonth(price.value * gigabytes, facts.currency), [price_name, volume_name]
        elif facts.has(size) and volume is not None and side == "cloud":
            amount = price * (volume * Size(facts.values[size]))
            inputs = [price_name, "volume_month", size]
        else:
            continue
        ledger.put(
            f"{side}_line_network_{way}_traffic", amount, "traffic_month", f"{side.capitalize()} {way}, a month", inputs
        )


def _lines(facts: Facts, ledger: Ledger, side: str, scope: str) -> None:
    for factor, item, _, _, _ in LINES:
        name = f"{side}_{item}"
        if facts.has(name):
            title = f"{side.capitalize()} {item.replace('_', ' ')}, a month"
            ledger.put(f"{side}_line_{factor}_{item}", facts.monthly(name, scope), "scaled", title, [name])


def _downtime(facts: Facts, ledger: Ledger, side: str) -> None:
    hours, cost = f"{side}_downtime_hours", f"{side}_downtime_cost"
    if facts.has(hours, cost):
        per_site = HoursPerMonth(facts.spread(hours, SITE))
        loss = HourPrice(facts.values[cost], facts.currency) * per_site
        title = f"{side.capitalize()} expected loss from outages, a month"
        ledger.put(f"{side}_line_downtime_risk_hours", loss, "downtime_month", title, [hours, cost])


def _total(ledger: Ledger, name: str, side: str, title: str) -> None:
    """Sum the lines of a side: by factor, and altogether."""
    head = f"{side}_line_"
    lines = {key: entry.value for key, entry in ledger.entries.items() if key.startswith(head)}
    for factor in FACTORS:
        chosen = [key for key in lines if key.startswith(f"{head}{factor}")]
        amount = _sum([lines[key] for key in chosen])
        if amount is not None:
            words = factor.replace("_", " ")
            ledger.put(f"{side}_{factor}_month", amount, "sum", f"{side.capitalize()} {words}, a month", chosen)
    amount = _sum(list(lines.values()))
    if amount is not None:
        ledger.put(name, amount, name, title, list(lines))


def _sum(values: Sequence[Value]) -> MoneyPerMonth | None:
    amounts = [each for each in values if isinstance(each, MoneyPerMonth)]
    total = amounts[0] if amounts else None
    for each in amounts[1:]:
        assert total is not None
        total = total + each
    return total


def _capex(facts: Facts, ledger: Ledger) -> None:
    parts: dict[str, Money] = {}
    if facts.has("capex"):
        ledger.put("capex", facts.once("capex", FLEET), "scaled", "Paid once", ["capex"])
        return
    if facts.has("device_price"):
        _devices(facts, ledger, parts)
    for name, scope, title in (
        ("installation", DEVICE, "Installation"),
        ("site_setup", SITE, "Setup of the sites"),
        ("programme", FLEET, "Programme, paid once"),
    ):
        if facts.has(name):
            parts[name] = facts.once(name, scope)
            ledger.put(f"capex_{name}", parts[name], "scaled", title, [name])
    if parts:
        first, *rest = parts.values()
        for each in rest:
            first = first + each
        ledger.put("capex", first, "capex", "Paid once", [f"capex_{name}" for name in parts])


def _devices(facts: Facts, ledger: Ledger, parts: dict[str, Money]) -> None:
    price = facts.once("device_price", DEVICE)
    parts["devices"] = price
    ledger.put("capex_devices", price, "scaled", "Devices", ["device_price"])
    if facts.has("spares"):
        parts["spares"] = price.times(facts.values["spares"])
        ledger.put("capex_spares", parts["spares"], "spares", "Spare devices", ["spares", "device_price"])
    elif facts.has("spare_devices"):
        parts["spares"] = price.over(facts.devices).times(facts.values["spare_devices"])
        ledger.put("capex_spares", parts["spares"], "spares", "Spare devices", ["spare_devices", "device_price"])


def _saving(ledger: Ledger) -> None:
    cloud, edge = ledger.monthly("cloud_month"), ledger.monthly("edge_opex_month")
    if cloud is not None and edge is not None:
        title = "Saved in a month"
        ledger.put("saving_month", cloud - edge, "saving_month", title, ["cloud_month", "edge_opex_month"])


def bought_again(facts: Facts) -> Decimal:
    """Return how often each device is bought again within the horizon: whole lives begun in it, less one."""
    lives = facts.values["horizon"] // facts.values["device_life"]
    has_rest = (facts.values["horizon"] % facts.values["device_life"]) > 0
    return lives + has_rest - 1


def _over_horizon(facts: Facts, ledger: Ledger) -> None:
    cloud, edge, capex = ledger.monthly("cloud_month"), ledger.monthly("edge_opex_month"), ledger.money("capex")
    if not facts.has("horizon"):
        return
    horizon, delivery = (
        Months(facts.values["horizon"]),
        Months(facts.values.get("delivery", 0 * facts.values["horizon"])),
    )
    cost = _owned(facts, ledger)
    if cloud is not None:
        amount, inputs = cloud * horizon, ["cloud_month", "horizon"]
        if facts.has("cloud_setup"):
            amount, inputs = amount + facts.once("cloud_setup", FLEET), [*inputs, "cloud_setup"]
        ledger.put("tco_cloud", amount, "tco_cloud", "Total cost of the cloud over the horizon", inputs)
    # Without a delivery time nothing is paid to the cloud meanwhile, whatever it costs.
    waiting = facts.has("delivery")
    if cost is not None and edge is not None and capex is not None and (cloud is not None or not waiting):
        amount, inputs = cost + edge * (horizon - delivery), ["capex", "edge_opex_month", "horizon"]
        if waiting and cloud is not None:
            amount, inputs = amount + cloud * delivery, [*inputs, "cloud_month", "delivery"]
        inputs += [each for each in ("replacement", "salvage_total") if each in ledger.entries]
        ledger.put("tco_edge", amount, "tco_edge", "Total cost of the edge over the horizon", inputs)
    ours, theirs = ledger.money("tco_edge"), ledger.money("tco_cloud")
    if ours is not None and theirs is not None:
        title = "Saved over the horizon"
        ledger.put("tco_saving", theirs - ours, "tco_saving", title, ["tco_cloud", "tco_edge"])


def _owned(facts: Facts, ledger: Ledger) -> Money | None:
    """Return what is paid once over the horizon: capex, devices bought again, less their worth at the end."""
    total = ledger.money("capex")
    price = "replacement_price" if facts.has("replacement_price") else "device_price"
    if total is not None and facts.has("horizon", "device_life", price):
        again = facts.once(price, DEVICE).times(bought_again(facts))
        ledger.put("replacement", again, "replacement", "Devices bought again", [price, "device_life", "horizon"])
        total = total + again
    if total is not None and facts.has("salvage"):
        worth = facts.once("salvage", DEVICE)
        ledger.put("salvage_total", worth, "salvage", "Worth of the devices at the end", ["salvage"])
        total = total - worth
    return total


def _per_prediction(facts: Facts, ledger: Ledger) -> None:
    volume, cloud, edge = ledger.volume(), ledger.monthly("cloud_month"), ledger.monthly("edge_opex_month")
    if volume is None:
        return
    if cloud is not None:
        ledger.put(
            "cost_per_prediction_cloud", cloud / volume, "cost_per_prediction_cloud", "Cloud: cost of a prediction",
            ["cloud_month", "volume_month"],
        )  # fmt: skip
    if edge is None:
        return
    title = "Edge: running cost of a prediction"
    both = ["edge_opex_month", "volume_month"]
    ledger.put("running_cost_per_prediction_edge", edge / volume, "running_cost_per_prediction_edge", title, both)
    capex = ledger.money("capex")
    span = next((name for name in ("horizon", "device_life") if facts.has(name)), "")
    if capex is None or not span:
        return
    service = Months(facts.values[span])
    if facts.has("delivery") and span == "horizon":
        service = service - Months(facts.values["delivery"])
    owned = _owned(facts, Ledger({"capex": ledger.entries["capex"]})) if span == "horizon" else capex
    assert owned is not None
    title = "Edge: cost of a prediction, with what is paid once"
    both = ["edge_opex_month", "capex", span, "volume_month"]
    ledger.put("cost_per_prediction_edge", (edge + owned / service) / volume, "cost_per_prediction_edge", title, both)
