from ganglion.entrypoints.cli import trust_views
from ganglion.wire.trust_resources import OnlineKeyView, TrustKeyView, TrustRoleView, TrustView


def role(name: str, *, due: bool = False, expired: bool = False, on_hub: bool = False) -> TrustRoleView:
    keys = [TrustKeyView("ab" * 32, "ada", on_hub)]
    return TrustRoleView(name, 3, 1, keys, 0.0, is_due=due, is_expired=expired)


def view(*roles: TrustRoleView, mode: str = "production", new: bool = False) -> TrustView:
    online = [OnlineKeyView("timestamp", "timestamp-4", "cd" * 32, is_new=new)]
    return TrustView(mode, 3, "ef" * 32, list(roles), online)


def test_development_mode_is_said_loudly() -> None:
    (remark,) = trust_views.remarks(view(role("root", on_hub=True), mode="development"))

    assert remark.startswith("DEVELOPMENT MODE")


def test_a_hub_in_order_needs_no_remark() -> None:
    assert trust_views.remarks(view(role("root"), role("targets"))) == []


def test_what_is_due_is_named() -> None:
    remarks = trust_views.remarks(view(role("root", due=True), role("model-gate", due=True), role("targets"), new=True))

    assert remarks[0].startswith("DUE: root, model-gate must be signed again")
    assert "new keys for timestamp" in remarks[1]


def test_a_line_says_who_holds_the_keys_and_in_which_state_the_role_is() -> None:
    roles = (role("root", due=True), role("targets", expired=True), role("timestamp", on_hub=True))

    lines = trust_views.role_lines(view(*roles))

    assert [(line.held_by, line.state) for line in lines] == [("people", "due"), ("people", "EXPIRED"), ("hub", "good")]
    assert lines[0].keys == ["ada " + "ab" * 6]
    assert int(lines[0].days_left) < 0
