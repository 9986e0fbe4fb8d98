from ganglion.node.domain.sending.pace import Pace


def spent(pace: Pace, times: int, *, now_s: float) -> Pace:
    for _ in range(times):
        pace = pace.after(now_s=now_s)
    return pace


def test_a_burst_is_free_and_what_follows_waits() -> None:
    pace = Pace(burst=3, every_s=10.0)

    assert spent(pace, 2, now_s=5.0).wait_s(now_s=5.0) == 0.0
    assert spent(pace, 3, now_s=5.0).wait_s(now_s=5.0) == 10.0
    assert spent(pace, 3, now_s=5.0).wait_s(now_s=10.0) == 5.0


def test_a_long_pause_gives_the_burst_back_and_no_more() -> None:
    pace = spent(Pace(burst=3, every_s=10.0), 3, now_s=0.0)

    assert spent(pace, 3, now_s=1e9).wait_s(now_s=1e9) == 10.0


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    pace = spent(Pace(burst=1, every_s=10.0), 1, now_s=100.0)

    assert pace.wait_s(now_s=50.0) == 10.0
