from ganglion.ports.clock import new_id
from ganglion.testing.chance import SeededChance


def test_one_seed_gives_one_stream() -> None:
    one, other = SeededChance(7), SeededChance(7)

    assert [one.share(), one.token_bytes(100)] == [other.share(), other.token_bytes(100)]


def test_another_seed_gives_another_stream() -> None:
    assert SeededChance(1).token_bytes(32) != SeededChance(2).token_bytes(32)


def test_the_stream_does_not_repeat() -> None:
    chance = SeededChance()

    assert len({new_id(chance) for _ in range(1000)}) == 1000


def test_shares_spread_evenly_over_zero_to_one() -> None:
    chance = SeededChance()

    shares = [chance.share() for _ in range(10_000)]

    assert all(0 <= share < 1 for share in shares)
    assert all(900 < sum(tenth <= share * 10 < tenth + 1 for share in shares) < 1100 for tenth in range(10))


def test_exactly_the_wanted_number_of_bytes_is_given() -> None:
    chance = SeededChance()

    assert [len(chance.token_bytes(size)) for size in (0, 1, 31, 32, 33, 1000)] == [0, 1, 31, 32, 33, 1000]
