"""The hub's authority: what a TLS client accepts, what a start repairs, and what it refuses to guess."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ganglion.adapters.certificates import TlsFiles, ca_pin_of, open_authority
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import DataCorrupt, DiskUnusable, InvalidSettings

DAY_S = 86_400.0
NOW_S = SystemClock().utc_ns() / 1e9
"""OpenSSL judges certificates by the machine's clock, so these tests begin there."""


def open_in(directory: Path, *, hostnames: tuple[str, ...] = (), days: float = 0) -> TlsFiles:
    return open_authority(directory, hostnames=hostnames, now_s=NOW_S + days * DAY_S)


def contents(tls: TlsFiles) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in tls.ca_path.parent.iterdir()}


def handshake(tls: TlsFiles, name: str, *, ca_path: Path | None = None) -> None:
    """Let a strict client and a server meet in memory. Raises: ssl.SSLError: the client refused."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tls.cert_path, tls.key_path)
    client_context = ssl.create_default_context(cafile=ca_path or tls.ca_path)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [client, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            return
    raise AssertionError("the handshake did not end")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "hub.example.org", "10.1.2.3"])
def test_a_client_that_trusts_the_authority_accepts_the_server(tmp_path: Path, name: str) -> None:
    tls = open_in(tmp_path, hostnames=("hub.example.org", "10.1.2.3"))

    handshake(tls, name)


def test_a_client_refuses_a_name_that_was_not_given(tmp_path: Path) -> None:
    tls = open_in(tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls, "hub.example.org")


def test_a_client_of_another_hub_refuses_the_server(tmp_path: Path) -> None:
    ours, other = open_in(tmp_path / "ours"), open_in(tmp_path / "other")

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(ours, "localhost", ca_path=other.ca_path)


def test_the_pin_is_read_from_the_certificate_that_nodes_see(tmp_path: Path) -> None:
    tls = open_in(tmp_path)

    assert ca_pin_of(tls.ca_path.read_bytes()) == tls.ca_pin
    assert len(bytes.fromhex(tls.ca_pin)) == 32


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    tls = open_in(tmp_path / "tls")

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "server.pem": 0o644, "server.key": 0o600}
    assert stat.S_IMODE(tls.ca_path.parent.stat().st_mode) == 0o700


def test_starting_again_changes_nothing(tmp_path: Path) -> None:
    before = contents(open_in(tmp_path))

    assert contents(open_in(tmp_path, days=300)) == before


@pytest.mark.parametrize("change", [{"days": 340.0}, {"days": 400.0}, {"hostnames": ("hub.example.org",)}])
def test_a_server_certificate_is_made_again_in_time_and_for_other_names(
    tmp_path: Path, change: dict[str, float | tuple[str, ...]]
) -> None:
    before = contents(open_in(tmp_path))

    tls = open_in(tmp_path, **change)  # type: ignore[arg-type]  # one of two keyword arguments

    after = contents(tls)
    assert {name for name in after if after[name] != before[name]} == {"server.pem", "server.key"}
    shown = x509.load_pem_x509_certificate(after["server.pem"])
    assert (shown.not_valid_after_utc.timestamp() - NOW_S) / DAY_S > 364


def test_the_authority_keeps_its_key_and_pin_when_its_certificate_is_made_again(tmp_path: Path) -> None:
    before = open_in(tmp_path)
    key, certificate = (tmp_path / "ca.key").read_bytes(), before.ca_path.read_bytes()

    after = open_in(tmp_path, days=3400)

    assert after.ca_pin == before.ca_pin
    assert (tmp_path / "ca.key").read_bytes() == key
    assert after.ca_path.read_bytes() != certificate


def test_a_first_start_with_a_clock_at_1970_is_repaired_by_the_next(tmp_path: Path) -> None:
    wrong = open_authority(tmp_path, hostnames=(), now_s=0.0)

    tls = open_in(tmp_path)

    assert tls.ca_pin == wrong.ca_pin
    handshake(tls, "localhost")


@pytest.mark.parametrize("lost", ["ca.pem", "server.pem", "server.key"])
def test_what_a_kill_left_unwritten_is_made_at_the_next_start(tmp_path: Path, lost: str) -> None:
    before = open_in(tmp_path)
    (tmp_path / lost).unlink()

    tls = open_in(tmp_path)

    assert tls.ca_pin == before.ca_pin
    handshake(tls, "localhost")


def test_a_new_server_key_without_its_certificate_is_noticed(tmp_path: Path) -> None:
    tls = open_in(tmp_path / "hub")
    other = open_in(tmp_path / "other")
    tls.key_path.write_bytes(other.key_path.read_bytes())

    handshake(open_in(tmp_path / "hub"), "localhost")


def test_a_server_certificate_of_another_authority_is_made_again(tmp_path: Path) -> None:
    tls = open_in(tmp_path / "hub")
    other = open_in(tmp_path / "other")
    tls.key_path.write_bytes(other.key_path.read_bytes())
    tls.cert_path.write_bytes(other.cert_path.read_bytes())

    handshake(open_in(tmp_path / "hub"), "localhost")


def test_a_draft_that_a_kill_left_is_written_over(tmp_path: Path) -> None:
    draft = tmp_path / "ca.key.new"
    draft.write_bytes(b"half a key")
    draft.chmod(0o666)

    open_in(tmp_path)

    assert not draft.exists()
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", ["ca.pem", "ca.key", "server.pem", "server.key"])
@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, damaged: str, content: bytes) -> None:
    open_in(tmp_path)
    (tmp_path / damaged).write_bytes(content)

    with pytest.raises(DataCorrupt, match=damaged):
        open_in(tmp_path)

    assert (tmp_path / damaged).read_bytes() == content


def test_an_authority_without_its_key_is_not_replaced(tmp_path: Path) -> None:
    open_in(tmp_path)
    (tmp_path / "ca.key").unlink()

    with pytest.raises(DataCorrupt, match=r"ca\.key is missing"):
        open_in(tmp_path)


def test_an_authority_with_another_key_is_not_used(tmp_path: Path) -> None:
    open_in(tmp_path / "hub")
    open_in(tmp_path / "other")
    (tmp_path / "hub" / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())

    with pytest.raises(DataCorrupt, match="do not belong together"):
        open_in(tmp_path / "hub")


@pytest.mark.parametrize("pem", [b"", b"no certificate", b"\xff" * 100])
def test_what_is_no_certificate_has_no_pin(pem: bytes) -> None:
    with pytest.raises(DataCorrupt, match="the CA certificate"):
        ca_pin_of(pem)


def test_a_certificate_for_a_key_of_an_unknown_kind_has_no_pin(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(open_in(tmp_path).ca_path.read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    elliptic, unknown = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0207")
    pem = ssl.DER_cert_to_PEM_cert(der.replace(elliptic, unknown)).encode()

    with pytest.raises(DataCorrupt, match="the CA certificate"):
        ca_pin_of(pem)


@pytest.mark.parametrize("name", ["", "hub example", "hub/1", "-hub", "hüb.example", "h" * 64, "a..b", "x" * 300])
def test_a_name_that_no_certificate_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSettings, match="neither a host name nor an address"):
        open_in(tmp_path / "tls", hostnames=(name,))

    assert not (tmp_path / "tls").exists()


def test_a_directory_that_cannot_be_made_is_the_operators_to_repair(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DiskUnusable, match="file/tls"):
        open_in(tmp_path / "file" / "tls")
