from ganglion.hub.domain.people.login_gate import LoginGate, LoginLimits


def gate(*, tries_per_minute_max: int = 1000, remembered_max: int = 100) -> LoginGate:
    return LoginGate(
        LoginLimits(
            tries_free_max=3, pause_s_max=60, tries_per_minute_max=tries_per_minute_max, remembered_max=remembered_max
        )
    )


def test_a_name_waits_twice_as_long_after_each_wrong_password() -> None:
    login, now_s = gate(), 0.0
    for _ in range(3):
        assert login.begin("ada", "here", now_s) == 0

    waits = []
    for _ in range(8):
        wait_s = login.begin("ada", "here", now_s)
        waits.append(wait_s)
        now_s += wait_s
        assert login.begin("ada", "here", now_s) == 0

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_try_that_comes_too_early_makes_nobody_wait_longer() -> None:
    login = gate()
    for _ in range(3):
        login.begin("ada", "here", 0.0)

    assert [login.begin("ada", "there", 0.5) for _ in range(100)] == [0.5] * 100


def test_many_tries_at_once_are_counted_before_any_is_looked_at() -> None:
    login = gate()

    assert sum(login.begin("ada", "here", 0.0) == 0 for _ in range(1000)) == 3


def test_a_right_password_lets_the_name_begin_anew() -> None:
    login = gate()
    for _ in range(3):
        login.begin("ada", "here", 0.0)

    login.succeeded("ada")

    assert login.begin("ada", "here", 0.0) == 0


def test_a_pause_is_over_some_day() -> None:
    login = gate()
    for now_s in range(3):
        login.begin("ada", "here", float(now_s))

    assert login.begin("ada", "here", 3.0 + 2 * 60) == 0
    assert login.begin("ada", "here", 3.0 + 2 * 60) == 0


def test_an_address_that_tries_many_names_waits_too() -> None:
    login = gate(tries_per_minute_max=5)
    assert [login.begin(f"name{number}", "here", 0.0) for number in range(5)] == [0] * 5

    assert login.begin("ada", "here", 20.0) == 40
    assert login.begin("ada", "elsewhere", 20.0) == 0
    assert login.begin("ada", "here", 60.0) == 0


def test_what_is_remembered_is_bounded() -> None:
    login = gate(remembered_max=10)

    for number in range(1000):
        login.begin(f"name{number}", f"address{number}", 0.0)

    assert len(login._names) == len(login._peers) == 10
