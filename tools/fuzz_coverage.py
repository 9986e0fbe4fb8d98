"""Coverage-guided fuzzing of the two readers that see every request: `make fuzz-coverage` (extra `fuzz`).

The engine changes input so that it reaches new lines; `tools/fuzz_campaign.py` knows the structure of requests instead.
Options are libFuzzer's: `-runs=1000000`, `-seed=7`.
"""

import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(
    include=["ganglion.entrypoints.inference_api", "ganglion.core"], enable_loader_override=False
):
    from fuzz.honest import FORMS, exchange
    from fuzz.hostile import body_request
    from ganglion.core.errors import GanglionError
    from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits
    from ganglion.entrypoints.inference_api.memo import Memo
    from ganglion.entrypoints.inference_api.messages import HttpRefusal, Request
    from ganglion.entrypoints.inference_api.oip_request import RequestDecoder
    from ganglion.entrypoints.inference_api.request_reader import HEADER_LENGTH, RequestReader

_CORPUS = Path(".fuzz/corpus")
"""What reached something new; kept from run to run."""
_SEEDS = 200
_REFUSALS = range(400, 600)
_LIMITS = HttpLimits(head_bytes_max=4096, body_bytes_max=100_000)
_DECODER = RequestDecoder()
"""One for all inputs: what it learned from one of them must not break on the next."""


def try_bytes(data: bytes) -> None:
    """Read `data` as a client's bytes, and decode every request that is in it."""
    requests: list[Request] = []
    budget = BodyBudget(_LIMITS.bodies_bytes_max)
    reader = RequestReader(_LIMITS, budget, Memo(16), deliver=requests.append, on_expect=lambda: None)
    cut = len(data) // 2
    try:
        for piece in (data[:cut], data[cut:]):
            reader.feed(piece)
    except HttpRefusal as refusal:
        _check(refusal.response.status in _REFUSALS, "a refusal has a status")
    for request in requests:
        try:
            _DECODER.decode(request.body, request.head.headers.get(HEADER_LENGTH))
        except GanglionError as error:
            _check(bool(error.message), "a refusal has a reason")


def _check(is_so: bool, claim: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not is_so:
        raise AssertionError(claim)


def main() -> None:
    """Begin with good and bad requests, and go on until something fails or the runs are over."""
    _CORPUS.mkdir(parents=True, exist_ok=True)
    random = Random(1)  # noqa: S311 - the same corpus every time
    for number in range(_SEEDS):
        request = exchange(number, number).request if number < FORMS else body_request(random)
        (_CORPUS / f"seed-{number}").write_bytes(request)
    atheris.Setup([*sys.argv, str(_CORPUS)], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
