"""Does the gate tell a good version from a broken one on real images, by real confidences and answers?

`python bench/gate_real.py --train train.npz --tried val.npz` reads images `x` [N, height, width] and classes `y`. It
trains a model on a part of the first file, which is the old version, and another on all of it; makes an INT8 form of
the old one, and breaks the new one as people break it: images upside down, not scaled, inverted, too dark, two
labels mixed up. Small fleets answer the images of the second file, class by class unlike from site to site.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA  # type: ignore[import-untyped]  # it ships no types
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # it ships no types
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # it ships no types
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # it ships no types

from ganglion.hub.domain.gate.verdict import Answer
from ganglion.testing.answer_pool import Answers, Pool
from ganglion.testing.small_fleet import Release, SmallFleet, World
from ganglion.wire.rollout_resources import GateSettings

RESULTS = Path(__file__).parent / "results"
GATE = GateSettings(soak_s=1800.0, deadline_s=4 * 3600.0)
FLEETS = {"10 nodes": World(rates=(30.0,) * 10), "40 nodes": World(rates=(30.0,) * 40, sites=5)}
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """Scaling, the main directions of the images, and a net of one hidden layer."""

    front: object
    net: MLPClassifier

    @classmethod
    def trained(cls, images: Array, classes: npt.NDArray[np.int64], *, seed: int, epochs: int) -> "Model":
        """Return a model of these images."""
        net = MLPClassifier((128,), max_iter=epochs, random_state=seed, alpha=1e-3)
        pipe = make_pipeline(StandardScaler(), PCA(80, svd_solver="randomized", random_state=seed), net)
        pipe.fit(images, classes)
        return cls(pipe[:-1], net)

    def shares(self, images: Array, *, bits: int = 0) -> Array:
        """Return the share that each class gets; with `bits`, weights and activations are rounded to so many."""
        values: Array = self.front.transform(images)  # type: ignore[attr-defined]  # scikit-learn has no types
        for layer, (weights, biases) in enumerate(zip(self.net.coefs_, self.net.intercepts_, strict=True)):
            values = rounded(values, bits) @ rounded(weights, bits) + biases
            values = np.maximum(values, 0.0) if layer + 1 < len(self.net.coefs_) else values
        grown = np.exp(values - values.max(axis=1, keepdims=True))
        shares: Array = grown / grown.sum(axis=1, keepdims=True)
        return shares


def rounded(values: Array, bits: int) -> Array:
    """Return values on a grid of so many bits; 0 leaves them as they are."""
    if not bits:
        return values
    step = np.abs(values).max() / (2 ** (bits - 1) - 1)
    found: Array = np.round(values / step) * step
    return found


def answers(shares: Array) -> Answers:
    """Return the class with the largest share, and that share."""
    return Answers(shares.argmax(axis=1), shares.max(axis=1))


def versions(train: Path, tried: Path, epochs: int) -> tuple[npt.NDArray[np.int64], Answers, dict[str, Answers]]:
    """Return the true classes of the images that are tried, and what each version says of them."""
    known, new = np.load(train), np.load(tried)
    shape = new["x"].shape
    images, seen = (each["x"].reshape(len(each["x"]), -1).astype(float) for each in (known, new))
    truth = new["y"].astype(np.int64)
    part = np.random.default_rng(1).permutation(len(images))[: len(images) * 3 // 5]
    old = Model.trained(images[part], known["y"][part], seed=1, epochs=epochs)
    better = Model.trained(images, known["y"], seed=2, epochs=epochs)
    usual = better.shares(seen)
    upside_down = seen.reshape(shape)[:, ::-1, :].reshape(len(seen), -1)
    rest = [int(label) for label in np.argsort(-np.bincount(truth))[:3]]
    mixed = np.arange(usual.shape[1])
    mixed[rest[1:]] = rest[:0:-1]
    made = {
        "retrained on more images": usual,
        "INT8": old.shares(seen, bits=8),
        "INT8 of the retrained": better.shares(seen, bits=8),
        "images upside down": better.shares(upside_down),
        "images not scaled": better.shares(seen / 255.0),
        "images inverted": better.shares(255.0 - seen),
        "images two fifths darker": better.shares(0.6 * seen),
        "second and third label mixed up": usual[:, mixed],
    }
    return truth, answers(old.shares(seen)), {name: answers(shares) for name, shares in made.items()}


def measured(fleet: str, name: str, pool: Pool, gate: GateSettings, seeds: range) -> dict[str, object]:
    ends = [SmallFleet(seed, FLEETS[fleet], Release(pool), gate).rollout() for seed in seeds]
    aborted = [end for end in ends if end.answer is Answer.ABORT]
    rules = Counter(rule for end in aborted for rule in end.rules or ("deadline",))
    stages = Counter(f"{end.stage + 1}" for end in aborted)
    accuracy = f"{pool.accuracy(pool.old):.1%} to {pool.accuracy(pool.new):.1%}"
    sure = f"{pool.old.confidence.mean():.2f} to {pool.new.confidence.mean():.2f}"
    print(
        f"{fleet}, agreement_min {gate.agreement_min:g}, {name}: right {accuracy}, sure {sure}, agree "
        f"{pool.agreement:.1%}: {len(aborted)} of {len(ends)} aborted, rules {dict(rules)}, stages {dict(stages)}",
        *(f"seed {seed}: {end.reason[:240]}" for seed, end in zip(seeds, ends, strict=True) if end in aborted[:1]),
        sep="\n      ",
        flush=True,
    )
    return {
        "fleet": fleet,
        "version": name,
        "agreement_min": gate.agreement_min,
        "right": [pool.accuracy(pool.old), pool.accuracy(pool.new)],
        "agree": pool.agreement,
        "rollouts": len(ends),
        "aborted": len(aborted),
        "rules": dict(rules),
        "stages": dict(stages),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--tried", type=Path, required=True)
    parser.add_argument("--rollouts", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--agreement", type=float, action="append", help="agreement_min; several are tried in turn")
    parser.add_argument("--fleet", action="append", choices=list(FLEETS))
    options = parser.parse_args()
    truth, old, made = versions(options.train, options.tried, options.epochs)
    found = [
        measured(fleet, name, Pool(truth, old, new), replace(GATE, agreement_min=limit), range(options.rollouts))
        for limit in options.agreement or [GATE.agreement_min]
        for fleet in options.fleet or FLEETS
        for name, new in made.items()
    ]
    RESULTS.joinpath("gate_real.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
