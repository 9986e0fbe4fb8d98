"""TLS at the hub: the operator's own certificate, an authority of somebody else, and proxies in front."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Scope

from ganglion.adapters.certificates import TlsFiles, ca_pin_of, open_authority
from ganglion.adapters.certificates.own import OwnFiles, open_own
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.entrypoints.settings.tls import TlsSettings
from ganglion.wire import paths
from integration.hub_api_world import serving

NOW_S = SystemClock().utc_ns() / 1e9


@pytest.fixture
def company(tmp_path: Path) -> TlsFiles:
    """A company's authority, and a certificate of it for localhost."""
    return open_authority(tmp_path / "company", hostnames=(), now_s=NOW_S)


def own(company: TlsFiles, **changed: Path) -> OwnFiles:
    files = {"ca": company.ca_path, "certificate": company.cert_path, "key": company.key_path} | changed
    return OwnFiles(**files)


def settings_of(company: TlsFiles, tmp_path: Path, **more: object) -> HubSettings:
    tls = TlsSettings(ca_file=str(company.ca_path), cert_file=str(company.cert_path), key_file=str(company.key_path))
    return HubSettings(data_dir=str(tmp_path / "hub"), port=0, tls=tls)


def test_nodes_recognise_the_hub_by_the_operators_authority(company: TlsFiles, tmp_path: Path) -> None:
    with serving(settings_of(company, tmp_path)) as hub:
        assert hub.ca_pin == company.ca_pin
        assert fetch_ca(hub.url, company.ca_pin) == company.ca_path.read_bytes()
        node = hub.join("gate")
        assert node.desired(-1, 0).status == 200


def test_a_certificate_that_was_renewed_is_shown_without_a_restart(company: TlsFiles, tmp_path: Path) -> None:
    before = company.cert_path.read_bytes()
    with serving(settings_of(company, tmp_path)) as hub:
        open_authority(company.ca_path.parent, hostnames=("hub.example",), now_s=NOW_S)

        renewed = hub.hub.renew()

    assert renewed.cert_path.read_bytes() != before


def test_an_authority_alone_is_that_of_a_proxy_in_front(company: TlsFiles, tmp_path: Path) -> None:
    hub = open_authority(tmp_path / "hub", hostnames=(), now_s=NOW_S)

    tls = open_own(OwnFiles(ca=company.ca_path), hub, now_s=NOW_S)

    assert (tls.ca_pin, tls.cert_path) == (company.ca_pin, hub.cert_path)
    assert ca_pin_of(tls.ca_path.read_bytes()) == company.ca_pin


def test_files_that_do_not_belong_together_are_refused(company: TlsFiles, tmp_path: Path) -> None:
    hub = open_authority(tmp_path / "hub", hostnames=(), now_s=NOW_S)
    other = open_authority(tmp_path / "other", hostnames=(), now_s=NOW_S)
    damaged = tmp_path / "damaged.pem"
    damaged.write_bytes(b"\xff")
    wrong = [
        own(company, key=other.key_path),
        own(company, ca=other.ca_path),
        own(company, certificate=damaged),
        own(company, ca=damaged),
        own(company, key=tmp_path / "missing"),
        own(company, ca=tmp_path / "missing"),
    ]

    for files in wrong:
        with pytest.raises(InvalidSettings):
            open_own(files, hub, now_s=NOW_S)


def test_an_expired_certificate_is_refused_with_its_date(company: TlsFiles, tmp_path: Path) -> None:
    hub = open_authority(tmp_path / "hub", hostnames=(), now_s=NOW_S)
    later = NOW_S + timedelta(days=400).total_seconds()

    with pytest.raises(InvalidSettings, match=f"valid until {datetime.fromtimestamp(NOW_S, tz=UTC).year + 1}"):
        open_own(own(company), hub, now_s=later)


@pytest.mark.parametrize(
    "settings",
    [TlsSettings(cert_file="c"), TlsSettings(ca_file="a", key_file="k"), TlsSettings(cert_file="c", key_file="k")],
    ids=["no key", "no certificate", "no authority"],
)
def test_half_of_the_files_are_refused(settings: TlsSettings) -> None:
    with pytest.raises(InvalidSettings, match="belong together"):
        settings.own_files()


@pytest.mark.parametrize("proxy", ["0.0.0.0/0", "::/0", "*", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_is_named_by_its_address(proxy: str) -> None:
    with pytest.raises(InvalidSettings, match="trusted_proxies"):
        TlsSettings(trusted_proxies=(proxy,)).proxies()


class SeenPeers:
    """Notes from where the application believes that a request comes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.peers = app, list[str]()

    async def __call__(self, scope: Scope, receive: object, send: object) -> None:
        self.peers.append(scope["client"][0])
        await self.app(scope, receive, send)  # type: ignore[arg-type]  # passed on as they came


def peer_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, proxies: tuple[str, ...]) -> str:
    """Return the peer of a request over loopback that says it comes from elsewhere."""
    seen: list[SeenPeers] = []

    def create(hub: object) -> SeenPeers:
        seen.append(SeenPeers(answering))
        return seen[0]

    monkeypatch.setattr("ganglion.entrypoints.hub_process.server.create_app", create)
    settings = HubSettings(data_dir=str(tmp_path / "hub"), port=0, tls=TlsSettings(trusted_proxies=proxies))
    with serving(settings) as hub:
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
        assert hub.call("GET", paths.CA, token="", headers=forged).status == 200
    return seen[0].peers[0]


async def answering(scope: Scope, receive: object, send: object) -> None:
    """Answer everything."""
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    await send(start)  # type: ignore[operator]  # what the server gave
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]  # as above


def test_attack_41_forged_addresses_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert peer_seen(tmp_path, monkeypatch, proxies=()) == "127.0.0.1"


def test_a_trusted_proxy_says_who_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert peer_seen(tmp_path, monkeypatch, proxies=("127.0.0.0/8",)) == "203.0.113.9"


def test_another_proxy_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert peer_seen(tmp_path, monkeypatch, proxies=("10.1.2.3",)) == "127.0.0.1"


def test_attack_41_headers_that_name_a_user_make_nobody(tmp_path: Path) -> None:
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as hub:
        forged = dict.fromkeys(("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Forwarded-Email"), "admin") | {
            "X-SSL-Client-Verify": "SUCCESS",
            "X-Client-Cert": "admin",
        }

        assert hub.call("GET", paths.NODES, token="", headers=forged).status == 401


def test_every_answer_carries_the_headers_of_a_careful_site(tmp_path: Path) -> None:
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as hub:
        for path in (paths.CA, "/login", "/nowhere"):
            headers = hub.call("GET", path, token="").headers
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
