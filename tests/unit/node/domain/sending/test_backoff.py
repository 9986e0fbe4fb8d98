from ganglion.node.domain.sending.backoff import BackoffPolicy, delay_s
from ganglion.node.domain.serving.restarts import after_exit

POLICY = BackoffPolicy(first_s=1.0, max_s=8.0)


def test_no_failure_means_no_delay() -> None:
    assert delay_s(POLICY, 0, share=0.9) == 0.0


def test_delays_double_up_to_the_limit() -> None:
    delays = [delay_s(POLICY, failures, share=1.0) for failures in range(1, 7)]

    assert delays == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_two_nodes_do_not_come_back_together() -> None:
    assert delay_s(POLICY, 3, share=0.1) != delay_s(POLICY, 3, share=0.8)


def test_a_process_that_died_once_is_back_almost_at_once() -> None:
    assert after_exit(0, ran_s=2.0, delay_s_max=30.0).delay_s <= 0.1


def test_a_process_that_keeps_dying_waits_longer_and_longer_up_to_the_limit() -> None:
    decision = after_exit(0, ran_s=0.1, delay_s_max=30.0)
    delays = []
    for _ in range(8):
        decision = after_exit(decision.failures, ran_s=0.1, delay_s_max=30.0)
        delays.append(decision.delay_s)

    assert delays == sorted(delays)
    assert delays[-1] == 30.0


def test_a_long_run_is_forgiven() -> None:
    assert after_exit(9, ran_s=3600.0, delay_s_max=30.0).failures == 1
