"""What lies on the disk of a node while its updates go on: nothing is removed that somebody writes at the time."""

from pathlib import Path

from ganglion.node.services.places import Places
from unit.node.builders import a_desired, an_assignment
from unit.node.update_bench import serving_version_1


def test_what_is_being_unpacked_is_left_alone_until_that_has_ended(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    place = Places(tmp_path).package(an_assignment("2"))
    unpacked = place.parent / f".{place.name}.partial"

    (claimed,) = bench.updates.claim_due()
    unpacked.mkdir(parents=True)
    bench.run(bench.updates.keep_house)
    kept = unpacked.exists()
    bench.run(lambda: bench.updates.drive(claimed))
    bench.run(bench.updates.keep_house)

    assert (kept, unpacked.exists()) == (True, False)
