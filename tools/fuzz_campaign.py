"""A long fuzz campaign: `make fuzz ARGS="--cases 100000 --seed 7 --target http"`. Findings go to files."""

import argparse
import json
import sys
import time
from pathlib import Path

from fuzz.campaign import GROWTH_BYTES_MAX, Outcome, run_campaign
from fuzz.targets import TARGETS

_TELL_EVERY_S = 30.0
_MIB = 1 << 20


class _Progress:
    """Tells now and then how far a campaign is."""

    def __init__(self, name: str, cases: int) -> None:
        self._name, self._cases = name, cases
        self._told_s = self._began_s = time.monotonic()

    def __call__(self, _number: int, outcome: Outcome) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s > _TELL_EVERY_S:
            self._told_s = now_s
            rate = outcome.cases / (now_s - self._began_s)
            print(f"  {self._name}: {outcome.cases:,} of {self._cases:,}, {rate:,.0f} cases/s", flush=True)


def main() -> int:
    """Return 1 if anything was found."""
    options = _options()
    print(f"seed {options.seed}")
    names = [options.target] if options.target else list(TARGETS)
    is_good = True
    for name in names:
        cases = options.cases if options.target else options.cases * TARGETS[name].percent // 100
        outcome = run_campaign(
            name, TARGETS[name].make, seed=options.seed, cases=cases, first=options.first, tell=_Progress(name, cases)
        )
        is_good = _report(name, options.seed, outcome, Path(options.findings)) and is_good
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="how many inputs to try, of all targets together")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same cases")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case, to see a finding again")
    parser.add_argument("--target", choices=tuple(TARGETS), help="only this one")
    parser.add_argument("--findings", default=".fuzz", help="a folder for what is found")
    return parser.parse_args()


def _report(name: str, seed: int, outcome: Outcome, folder: Path) -> bool:
    rate = outcome.cases / max(outcome.elapsed_s, 1e-9)
    print(f"{name}: {outcome.cases:,} cases in {outcome.elapsed_s:.0f} s, {rate:,.0f} cases/s")
    print("  " + ", ".join(f"{word} {count:,}" for word, count in outcome.counts.most_common(20)))
    print(f"  memory {outcome.grown_bytes / _MIB:+.1f} MiB, descriptors {outcome.grown_files:+d} since it was warm")
    for failure in outcome.failures:
        folder.mkdir(exist_ok=True)
        file = folder / f"{name}-{seed}-{failure.number}.json"
        text = [piece.decode("latin-1") for piece in failure.case.pieces]
        known = {"reason": failure.reason, "kind": failure.case.kind, "options": failure.case.options, "pieces": text}
        file.write_text(json.dumps(known, indent=1), encoding="utf-8")
        again = f"--target {name} --seed {seed} --first {failure.number} --cases 1"
        alone = "" if failure.is_alone else " (only after the cases before it)"
        print(f"  FOUND {failure.reason}\n    {file}; again with {again}{alone}\n    {failure.case.pieces!r}"[:3000])
    has_leak = outcome.grown_bytes > GROWTH_BYTES_MAX or outcome.grown_files > 0
    if has_leak:
        print(f"  FOUND a leak: more than {GROWTH_BYTES_MAX // _MIB} MiB, or a descriptor")
    return not (outcome.failures or has_leak)


if __name__ == "__main__":
    sys.exit(main())
