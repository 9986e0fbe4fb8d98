"""The files that travel between key holders: damaged, changed, half copied."""

from pathlib import Path

import pytest

from ganglion.core.errors import DataCorrupt, DiskUnusable, NotFound
from ganglion.core.trust_errors import ProposalRefused
from ganglion.entrypoints.key_holders.ceremony_directory import CeremonyDirectory
from ganglion.trust.ceremony.proposal import Proposal, ProposalState, state_of
from ganglion.wire.trust_resources import OnlineKeyView
from unit.trust.ceremonies import Hub, begun, in_production, signed_by

ONLINE = [OnlineKeyView(role, role, "ab" * 32) for role in ("snapshot", "timestamp", "assignment")]


def documents_of(hub: Hub) -> dict[str, bytes]:
    present = hub.present()
    whole = Proposal(present, present.root, present.targets, present.models)
    return {role: document.to_bytes() for role, document in whole.documents()}


@pytest.fixture
def hub() -> Hub:
    return Hub("digits")


@pytest.fixture
def files(tmp_path: Path, hub: Hub) -> CeremonyDirectory:
    made = CeremonyDirectory(tmp_path / "ceremony")
    made.put_present(documents_of(hub), ONLINE)
    return made


def test_what_was_signed_on_one_machine_is_read_on_the_next(files: CeremonyDirectory, hub: Hub) -> None:
    files.save(signed_by(begun(hub), "ada"))
    files.save(signed_by(files.load(), "bo", "publisher"))

    assert state_of(files.load()) is ProposalState.READY
    assert files.online_keys()["timestamp"].name == "timestamp"


def test_fetching_the_same_again_keeps_the_proposal_and_something_newer_throws_it_away(
    files: CeremonyDirectory, hub: Hub
) -> None:
    files.save(begun(hub))

    files.put_present(documents_of(hub), ONLINE)
    kept = state_of(files.load())
    files.put_present(documents_of(in_production("digits")), ONLINE)

    assert (kept, state_of(files.load())) == (ProposalState.PROPOSED, ProposalState.EMPTY)


def test_a_directory_without_a_ceremony_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="trust fetch"):
        CeremonyDirectory(tmp_path).load()
    with pytest.raises(NotFound, match="trust fetch"):
        CeremonyDirectory(tmp_path).online_keys()


@pytest.mark.parametrize("name", ["root", "targets", "model-digits"])
@pytest.mark.parametrize("harm", [b"", b"{}", b"[1"])
def test_present_metadata_that_is_damaged_is_found_out(
    files: CeremonyDirectory, tmp_path: Path, name: str, harm: bytes
) -> None:
    (tmp_path / "ceremony" / "present" / f"{name}.json").write_bytes(harm)

    with pytest.raises(DataCorrupt, match="fetch again"):
        files.load()


def test_present_metadata_of_another_hub_mixed_in_is_found_out(files: CeremonyDirectory, tmp_path: Path) -> None:
    other = documents_of(in_production("digits"))
    (tmp_path / "ceremony" / "present" / "targets.json").write_bytes(other["targets"])

    with pytest.raises(DataCorrupt):
        files.load()


def test_a_proposed_file_that_is_damaged_is_refused(files: CeremonyDirectory, hub: Hub, tmp_path: Path) -> None:
    files.save(begun(hub))
    file = tmp_path / "ceremony" / "proposed" / "root.json"
    file.write_bytes(file.read_bytes()[:-10])

    with pytest.raises(ProposalRefused, match="root"):
        files.load()


def test_a_foreign_file_among_the_proposed_ones_is_refused(files: CeremonyDirectory, tmp_path: Path) -> None:
    (tmp_path / "ceremony" / "proposed" / "notes.json").write_bytes(b"{}")

    with pytest.raises(ProposalRefused, match="notes"):
        files.load()


@pytest.mark.parametrize("data", [b"{", b"[]", b'[{"role":"timestamp","name":"timestamp","public_key":"ab"}]'])
def test_damaged_keys_of_the_hub_are_said_so(files: CeremonyDirectory, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ceremony" / "present" / "hub-keys.json").write_bytes(data)

    with pytest.raises(DataCorrupt):
        files.online_keys()


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DiskUnusable):
        CeremonyDirectory(tmp_path / "file").put_present(documents_of(hub), ONLINE)
