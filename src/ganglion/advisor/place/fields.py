"""Every quantity that a workload or a tier may say."""

from dataclasses import replace

from ganglion.advisor.given import Field

F = Field

_BUDGET = F("latency_budget", "ms", "Time until the answer must be there.", "50 ms",
            ("budget", "latency", "deadline", "max_latency", "latency_limit", "response_time", "required_latency",
            "needs",
             "latency_need", "latency_requirement", "latency_max", "reaction_time"), positive=True)  # fmt: skip

_RATE = F("rate", "inference/s", "Requests over time, on the average.", "20/s",
          ("arrival_rate", "request_rate", "volume", "requests", "inferences", "arrivals", "frame_rate"),
          positive=True)  # fmt: skip

_PEAK = F(
    "peak_rate",
    "inference/s",
    "Requests over time, at the peak.",
    "60/s",
    ("burst", "burst_rate", "peak"),
    positive=True,
)

_BURST = F("burst", "count", "The peak, as a multiple of the rate.", "3x", ("burst_factor", "peak_factor",
          "burstiness"),
           positive=True)  # fmt: skip

_INPUT = F(
    "input_size",
    "byte",
    "Bytes of one input.",
    "200 kB",
    ("input", "request_size", "payload", "payload_size", "bytes_in"),
)

OUTPUT = F(
    "output_size", "byte", "Bytes of one answer.", "2 kB", ("output", "response_size", "answer_size", "bytes_out")
)

_PARAMETERS = F("model_parameters", "parameter", "Parameters of the model.", "7B parameters",
                ("parameters", "params", "model_params", "parameter_count"), positive=True)  # fmt: skip

_POWER = F("power", "W", "Power that the model draws.", "12 W", ("model_power", "power_needed", "power_draw"))

_AVAILABILITY = F("availability", "share", "Share of the time in which an answer must come.", "99.9 %",
                  ("availability_need", "required_availability", "availability_required", "uptime"))  # fmt: skip

_CADENCE = F(
    "update_cadence",
    "day",
    "Time between two versions of the model.",
    "1 week",
    ("updates", "update_interval", "cadence", "model_update_cadence", "model_cadence"),
)

_SPEND = F("api_spend", "CUR/month", "What API calls cost now.", "6000 USD/month", ("api_calls", "api_cost", "spend"))

_SERVICE = F("service_time", "ms", "Time of a step.", "20 ms")

_BANDWIDTH = F(
    "bandwidth", "byte/s", "Bandwidth of the link.", "10 Mbit/s", ("link_bandwidth", "uplink", "uplink_bandwidth")
)

_LOSS = F("loss", "share", "Share of packets that are lost.", "1 %", ("packet_loss", "link_loss", "link_packet_loss"))

_OUTAGES = F("link_outages", "h/month", "Hours of a month in which the link is down.", "4 h/month",
             ("outages", "link_outage", "outage_hours", "link_downtime", "outage"))  # fmt: skip

_WORKERS = F("workers", "count", "Requests that it works on at a time.", "4",
             ("slots", "servers", "accelerators", "gpus", "hardware_workers", "parallel", "replicas"),
             positive=True)  # fmt: skip

_MEMORY = F(
    "memory",
    "byte",
    "Memory that a model may have.",
    "8 GB",
    ("ram", "hardware_memory", "vram", "gpu_memory", "memory_free"),
)

_FIXED = F("price", "CUR/month", "Price of a month, however many requests.", "40 USD/month",
           ("cost", "monthly_cost", "price_month", "price_per_month", "cost_month", "cost_per_month", "fixed_price",
           "opex"))  # fmt: skip

_EACH = F("price_per_inference", "CUR/inference", "Price of one request.", "0.002 USD",
          ("price", "cost", "cost_per_inference", "inference_price", "price_per_request", "api_price"))  # fmt: skip

_HOURLY = F("price_per_hour", "CUR/h", "Price of an hour, round the clock.", "1.20 USD/hour",
            ("price", "cost", "hourly_price", "hourly_cost", "cost_per_hour"))  # fmt: skip

_MODEL_SIZE = F("model_size", "byte", "Bytes of the model, at its precision.", "400 MB",
                ("model", "size", "model_bytes", "weights_size", "file_size"), positive=True)  # fmt: skip
MODEL_MEMORY = F("model_memory", "byte", "Memory that the model needs when it runs.", "1.2 GB",
                  ("memory", "model_ram", "ram", "memory_needed"), positive=True)  # fmt: skip
_LINK_PRICE = F("link_price", "CUR/GB", "Price of bytes over the link.", "0.09 USD/GB",
                ("egress_price", "price_per_gb", "link_price_per_gb", "link_egress_price", "data_price"))  # fmt: skip
_LINK_UP = F("link_availability", "share", "Share of the time in which the link works.", "99.5 %", ("link_uptime",))
_TIER_UP = F(
    "availability", "share", "Share of the time in which the tier works.", "99.9 %", ("uptime", "tier_availability")
)
_TIER_POWER = F(
    "power", "W", "Power that a model may draw.", "15 W", ("power_budget", "hardware_power", "power_limit", "tdp")
)

_HEADS = {
    "workers": "hardware", "memory": "hardware", "power": "hardware",
    "bandwidth": "link", "loss": "link", "link_price": "link", "link_availability": "link", "link_outages": "link",
}  # fmt: skip
"""What may stand before the names of a tier's field: `hardware: {gpus: 2}` is hardware_gpus."""


def _under_head(of: Field) -> Field:
    head = _HEADS.get(of.id)
    names = tuple(f"{head}_{name}" for name in (of.id, *of.names) if not name.startswith(f"{head}_"))
    return replace(of, silent=tuple(name for name in names if name not in of.names)) if head else of


_TIER = (_BANDWIDTH, _LOSS, _LINK_PRICE, _LINK_UP, _OUTAGES, _TIER_UP, _WORKERS, _MEMORY, _TIER_POWER,
         _FIXED, _EACH, _HOURLY)  # fmt: skip
FIELDS = {
    "workload": (_BUDGET, _RATE, _PEAK, _BURST, _INPUT, OUTPUT, _MODEL_SIZE, MODEL_MEMORY, _PARAMETERS, _POWER,
                 _AVAILABILITY,
                 _CADENCE, _SPEND),
    "tier": tuple(map(_under_head, _TIER)),
}  # fmt: skip
"""What the reference page lists."""
