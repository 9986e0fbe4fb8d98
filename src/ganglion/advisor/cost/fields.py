"""Everything that a cost case may say. The fields are the reference: docs/reference/advise.md is written from them."""

from dataclasses import replace

from ganglion.advisor.given import Field

FLEET, SITE, DEVICE = "fleet", "site", "device"
FACTORS = ("compute", "storage", "network", "operations", "downtime_risk")
"""The five factors of running cost. A plan that says nothing of one is incomplete, not cheap; say 0 to say nothing."""


def _side(side: str, item: str, *others: str) -> tuple[str, ...]:
    """Return the names of a line of one side; the lines of the edge may leave their side out."""
    heads = (f"{side}_", *(("",) if side == "edge" else ()))
    names = [f"{head}{word}" for word in (item, *others) for head in heads]
    return tuple(name for name in names if name != f"{side}_{item}")


_COMMON = (
    Field("sites", "count", "How many sites run the workload; 1 when not said.", "500",
          ("shops", "stores", "locations", "site_count", "number_of_sites", "shop_count", "plants", "branches"),
          positive=True, whole=True),
    Field("devices_per_site", "count", "Devices on each site; 1 when not said.", "1",
          ("devices_site", "edge_devices_per_site", "units_per_site", "devices_per_shop", "devices_per_store"),
          positive=True),
    Field("devices", "count", "Devices altogether, in place of devices_per_site.", "500",
          ("device_count", "edge_devices", "devices_total", "total_devices", "number_of_devices",
          "edge_device_count"), positive=True, whole=True),
    Field("volume", "inference/month", "Inferences over time; per site unless it says per device.",
              "1000 inferences/hour",
          ("inferences", "requests", "rate", "request_rate", "inference_rate", "load", "volume_per_site",
          "inference_volume",
           "workload_volume", "workload_rate", "requests_per_site", "inferences_per_site", "throughput"),
          scoped=True, positive=True),
    Field("volume_total", "inference/month", "Inferences of all sites together, in place of volume.",
              "360M inferences/month",
          ("total_volume", "fleet_volume", "volume_fleet", "requests_total", "inferences_total"), positive=True),
    Field("duty_cycle", "share", "Share of the time in which the volume arrives; all of it when not said.", "50 %",
          ("duty", "active_share"), positive=True),
    Field("hours_per_day", "h", "Hours of a day in which the volume arrives, in place of duty_cycle.", "12",
          ("opening_hours", "operating_hours", "active_hours", "operating_hours_per_day"), bare="h", positive=True),
    Field("horizon", "month", "Time over which total cost is compared.", "36 months",
          ("period", "time_horizon", "evaluation_period", "evaluation_horizon", "tco_horizon", "tco_period"),
          positive=True),
    Field("delivery", "month", "Time from the order to the first saved dollar; the cloud is paid meanwhile.", "60 days",
          ("delivery_time", "lead_time", "edge_delivery", "edge_delivery_time", "time_to_deploy", "deployment_time",
           "edge_lead_time", "time_to_first_saving")),
    Field("input_size", "byte", "Bytes of one input.", "200 kB", ("request_size", "payload_size", "bytes_in", "input")),
    Field("output_size", "byte", "Bytes of one answer.", "2 kB", ("response_size", "answer_size", "bytes_out",
              "output")),
    Field("sensitivity", "share", "How far the tornado plot moves each input without a range, up and down.", "20 %",
          ("change", "sensitivity_change", "tornado")),
)  # fmt: skip
_CLOUD = (
    Field("cloud_price", "CUR/inference", "Price of one inference in the cloud.", "0.002 USD/inference",
          ("price", "price_per_inference", "cloud_price_per_inference", "inference_price", "api_price",
          "cloud_api_price",
           "cloud_cost_per_inference", "cost_per_inference", "cloud_inference_price", "cloud_price_inference",
           "price_per_prediction", "cloud_price_per_prediction", "price_per_request", "cloud_price_per_request",
           "price_per_call", "cloud_price_per_call"), scoped=False),
    Field("cloud_token_price", "CUR/token", "Price of a token, where input and output cost alike.",
              "3 USD per 1M tokens",
          ("token_price", "price_per_token", "cloud_price_per_token")),
    Field("tokens_per_inference", "count", "Tokens of one inference.", "500", ("tokens", "cloud_tokens_per_inference")),
    Field("cloud_input_token_price", "CUR/token", "Price of an input token.", "3 USD per 1M tokens",
          ("input_token_price", "cloud_token_price_input", "prompt_token_price")),
    Field("input_tokens", "count", "Input tokens of one inference.", "400", ("prompt_tokens", "cloud_input_tokens")),
    Field("cloud_output_token_price", "CUR/token", "Price of an output token.", "15 USD per 1M tokens",
          ("output_token_price", "cloud_token_price_output", "completion_token_price")),
    Field("output_tokens", "count", "Output tokens of one inference.", "100", ("completion_tokens",
              "cloud_output_tokens")),
    Field("cloud_month", "CUR/month", "The whole cloud bill, in place of its lines; for the fleet.", "720000 USD/month",
          ("cloud_bill", "cloud_cost", "cloud_monthly", "cloud_cost_month", "cloud_total", "api_bill",
          "cloud_monthly_cost",
           "cloud_monthly_bill", "cloud_cost_per_month", "cloud_opex", "cloud_opex_month", "cloud_per_month"),
           scoped=True),
    Field("cloud_setup", "CUR", "Paid once to run in the cloud.", "2000 USD",
          ("cloud_one_off", "cloud_capex", "cloud_migration"),
          scoped=True),
    Field("cloud_accelerator_price", "CUR/h", "Price of a rented accelerator.", "2.50 USD/hour",
          ("accelerator_price", "accelerators_price", "gpu_price", "cloud_gpu_price", "accelerator_hourly_price",
          "gpu_hourly_price"),
          scoped=True),
    Field("cloud_accelerator_utilisation", "share", "Share of the paid time in which it works.", "30 %",
          ("accelerator_utilisation", "accelerators_utilisation", "accelerators_utilization",
          "accelerator_utilization", "gpu_utilisation", "gpu_utilization", "utilisation",
           "utilization", "cloud_accelerator_utilization", "cloud_gpu_utilisation", "cloud_gpu_utilization",
           "cloud_utilisation", "cloud_utilization"), positive=True),
    Field("cloud_accelerators", "count", "Accelerators that are rented round the clock.", "2",
          ("accelerators", "gpus", "cloud_gpus", "accelerator_count", "accelerators_count", "gpu_count",
          "cloud_accelerator_count")),
    Field("cloud_accelerator_hours", "h/month",
              "Hours of useful work in a month; what is paid is this over utilisation.",
          "200 h/month", ("accelerator_hours", "accelerators_hours", "useful_hours", "gpu_hours",
          "cloud_accelerator_useful_hours")),
    Field("cloud_accelerator_throughput", "inference/h", "Inferences of one busy accelerator.", "90000 inferences/hour",
          ("accelerator_throughput", "accelerators_throughput", "gpu_throughput", "cloud_throughput"),
          positive=True, scoped=True),
)  # fmt: skip
_EDGE = (
    Field("device_price", "CUR", "Price of one device.", "499 USD",
          ("edge_device_price", "device_cost", "edge_device_cost", "devices_price", "hardware_price", "hardware_cost",
           "price_per_device", "edge_hardware", "edge_price_per_device", "edge_device", "device", "capex_per_device",
           "edge_capex_per_device", "cost_per_device", "edge_hardware_cost", "unit_price", "edge_price",
           "device_unit_price"),
          scoped=True),
    Field("installation", "CUR", "Paid once to install; per device unless it says per site.", "80 USD/device",
          ("edge_installation", "install", "installation_cost", "edge_install", "commissioning"), scoped=True),
    Field("site_setup", "CUR", "Paid once for each site.", "300 USD/site",
          ("edge_site_setup", "site_cost", "edge_site_cost", "cost_per_site"), scoped=True),
    Field("capex", "CUR", "All that is paid once, in place of its lines; for the fleet.", "249500 USD",
          ("edge_capex", "investment", "edge_investment", "capital", "upfront", "edge_upfront"), scoped=True),
    Field("programme", "CUR", "Paid once for the programme, however many sites.", "100000 USD",
          ("program", "programme_cost", "program_cost", "integration", "engineering", "nre", "fixed_cost",
          "project_cost",
           "fixed_programme_cost", "fixed_program_cost", "programme_fixed", "edge_programme", "programme_one_off",
           "programme_once", "edge_engineering", "edge_integration", "fixed_programme_costs")),
    Field("programme_month", "CUR/month", "Paid each month for the programme, however many sites.", "4000 USD/month",
          ("program_month", "programme_monthly", "program_monthly", "platform_fee", "fixed_month",
          "edge_programme_month",
           "edge_platform_fee", "programme_per_month")),
    Field("spares", "share", "Spare devices, as a share of all.", "5 %", ("edge_spares", "spare_share",
              "spares_share", "spare")),
    Field("spare_devices", "count", "Spare devices altogether, in place of spares.", "25", ("spares_count",
              "spare_count")),
    Field("device_life", "month", "Life of a device; each one that ends within the horizon is bought again.",
              "48 months",
          ("life", "lifetime", "edge_life", "edge_lifetime", "device_lifetime", "hardware_life", "useful_life",
          "edge_device_life",
           "edge_device_lifetime", "end_of_life", "service_life"), positive=True),
    Field("replacement_price", "CUR", "Price of the successor of a device; that of a device when not said.", "450 USD",
          ("replacement_cost", "replacement", "edge_replacement"), scoped=True),
    Field("replacement_rate", "1/month", "Share of devices that fail and are bought again.", "3 %/year",
          ("failure_rate", "edge_failure_rate", "annual_failure_rate", "edge_replacement_rate", "breakage")),
    Field("edge_power_draw", "W", "Power of a device.", "15 W",
          ("power", "edge_power", "power_draw", "device_power", "edge_device_power", "edge_opex_power", "opex_power"),
          scoped=True),
    Field("edge_power_cost", "CUR/month", "Electricity, in place of watts; per device.", "5 USD/month",
          ("power", "edge_power", "power_cost", "electricity_cost", "energy_cost", "edge_electricity",
          "edge_opex_power",
           "opex_power", "device_power", "edge_device_power", "edge_energy", "power_month", "power_monthly",
           "edge_power_month",
           "electricity"), scoped=True),
    Field("electricity_price", "CUR/kWh", "Price of electricity.", "0.15 USD/kWh",
          ("energy_price", "power_price", "kwh_price", "electricity_rate", "edge_electricity_price", "energy_rate")),
    Field("pue", "count", "Watts drawn for each watt of a device, cooling included.", "1.2", ("edge_pue",
              "cooling_factor")),
    Field("edge_opex_month", "CUR/month", "All running cost of the edge, in place of its lines; for the fleet.",
              "2500 USD/month",
          ("edge_opex", "opex", "edge_month", "opex_month", "edge_monthly", "edge_monthly_cost", "edge_cost_month",
           "edge_cost_per_month", "edge_opex_per_month", "opex_per_month", "edge_per_month", "edge_cost"), scoped=True),
    Field("escalated_share", "share", "Share of inferences that the edge hands to the cloud, paid there.", "5 %",
          ("escalation", "escalated", "escalation_share", "edge_escalated_share", "edge_escalation",
          "cloud_fallback_share",
           "escalation_rate", "edge_escalation_share", "hybrid_share")),
    Field("salvage", "CUR", "What a device is worth at the end of the horizon.", "50 USD",
          ("residual_value", "edge_salvage", "resale_value"), scoped=True),
)  # fmt: skip

LINES: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    ("compute", "compute", "Machines, licences and whatever else computes.", "20 USD/month", ("licence", "license",
    "licences")),
    ("storage", "storage", "Storage.", "1 USD/month", ("disk",)),
    ("network", "network", "Network as one sum, in place of uplink, egress and ingress.", "8 USD/month",
    ("connectivity", "data")),
    ("network", "uplink", "The line of the site.", "30 USD/month/site", ("network_uplink", "network_link", "line")),
    ("network", "egress", "Traffic out of the provider.", "3 USD/month", ("network_egress", "provider_egress",
    "egress_cost")),
    ("network", "ingress", "Traffic into the provider.", "0 USD/month", ("network_ingress", "provider_ingress",
    "ingress_cost")),
    ("operations", "operations", "Operations as one sum, or what the lines below leave out.", "10 USD/month",
     ("ops", "operating", "staff", "administration")),
    ("operations", "management", "Management of devices.", "100 USD/device/month",
     ("device_management", "operations_management", "fleet_management", "mdm")),
    ("operations", "maintenance", "Maintenance.", "4 USD/month", ("operations_maintenance", "support")),
    ("operations", "remote_hands", "People who go to the site.", "2 USD/month", ("operations_remote_hands",
    "field_service", "truck_rolls")),
    ("operations", "software_distribution", "Distribution of software and models.", "1 USD/month",
     ("operations_software_distribution", "updates", "ota", "distribution")),
    ("downtime_risk", "downtime_risk", "Expected loss from outages, as money.", "12 USD/month", ("downtime", "risk",
    "outage_cost")),
)  # fmt: skip
"""(factor, item, meaning, example, other names) of each monthly line; each exists for the cloud and for the edge."""

_LINE_FIELDS = tuple(
    Field(
        f"{side}_{item}",
        "CUR/month",
        f"{side.capitalize()}: {meaning}",
        example,
        _side(side, item, *names),
        scoped=True,
    )
    for side in ("cloud", "edge")
    for _, item, meaning, example, names in LINES
)
_TRAFFIC = tuple(
    each
    for side in ("cloud", "edge")
    for each in (
        Field(f"{side}_egress_volume", "GB/month", f"{side.capitalize()}: bytes out of the provider.", "40 GB/month",
              _side(side, "egress_volume", "network_egress_volume", "egress_traffic", "egress_bytes"), scoped=True),
        Field(f"{side}_egress_price", "CUR/GB", f"{side.capitalize()}: price of bytes out of the provider.",
              "0.09 USD/GB",
              _side(side, "egress_price", "network_egress_price", "egress_rate")),
        Field(f"{side}_ingress_volume", "GB/month", f"{side.capitalize()}: bytes into the provider.", "40 GB/month",
              _side(side, "ingress_volume", "network_ingress_volume", "ingress_traffic", "ingress_bytes"), scoped=True),
        Field(f"{side}_ingress_price", "CUR/GB", f"{side.capitalize()}: price of bytes into the provider.", "0 USD/GB",
              _side(side, "ingress_price", "network_ingress_price", "ingress_rate")),
        Field(f"{side}_downtime_hours", "h/month", f"{side.capitalize()}: hours without an answer.", "0.5 h/month",
              _side(side, "downtime_hours", "outage_hours"), scoped=True),
        Field(f"{side}_downtime_cost", "CUR/h", f"{side.capitalize()}: loss of one such hour.", "900 USD/hour",
              tuple(n for n in _side(side, "downtime_cost", "cost_of_downtime", "outage_hour_cost",
              "downtime_cost_per_hour",
                                     "downtime_hour") if n not in {"edge_downtime_cost",
                                     "downtime_cost"} or side == "edge"),
              scoped=True),
    )
)  # fmt: skip


_PAID_ONCE = {"device_price", "installation", "site_setup", "programme", "spares", "spare_devices", "replacement_price"}
_MONTHLY = {each.id for each in _LINE_FIELDS}
_COMMON_IDS = {each.id for each in _COMMON}
_TAILS = ("_month", "_monthly", "_per_month", "_cost", "_month_cost")
_WATTS_OR_MONEY = "power"
"""A word that stands for two fields: its unit says for which."""


def _without_clashes(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Drop each other name that an earlier field has, except for power; add those that a rule makes of the rest."""
    taken = {each.id for each in fields}
    listed: list[Field] = []
    for each in fields:
        free = _free(each.names, taken, each)
        listed.append(replace(each, names=free))
    return tuple(replace(each, silent=_free(_by_rule(each), taken, each)) for each in listed)


def _free(names: tuple[str, ...], taken: set[str], of: Field) -> tuple[str, ...]:
    shared = {name for name in names if of.id == "edge_power_cost" and _WATTS_OR_MONEY in name} - {of.id}
    free = tuple(dict.fromkeys(name for name in names if name not in taken or name in shared))
    taken.update(free)
    return free


def _by_rule(of: Field) -> tuple[str, ...]:
    """Return the names with their side before them, with capex or opex before that, and with a month behind."""
    if _WATTS_OR_MONEY in of.id:
        return ()
    if of.id in _COMMON_IDS:
        return tuple(f"{head}_{name}" for head in ("fleet", "workload", "case") for name in (of.id, *of.names))
    side = "cloud" if of.id.startswith("cloud_") else "edge"
    bare = tuple(dict.fromkeys(name.removeprefix(f"{side}_") for name in (of.id, *of.names)))
    kind = "capex" if of.id in _PAID_ONCE else "opex"
    heads = (f"{side}_", f"{side}_{kind}_", *((f"{kind}_",) if side == "edge" else ()))
    tails = ("", *_TAILS) if of.id in _MONTHLY else ("",)
    return tuple(f"{head}{name}{tail}" for head in heads for name in bare for tail in tails)


FIELDS = _without_clashes((*_COMMON, *_CLOUD, *_EDGE, *_TRAFFIC, *_LINE_FIELDS))
BY_ID = {each.id: each for each in FIELDS}
