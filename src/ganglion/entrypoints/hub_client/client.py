"""Everything a person or a program may ask of a hub, one method per route; values are `wire.resources`.

Names are parsed before they become part of a path, so no text of a user is ever escaped or misread.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from ganglion.core.errors import NotFound
from ganglion.core.ids import RolloutId, parse_digest, parse_name
from ganglion.entrypoints.hub_client.alerts import AlertCalls
from ganglion.entrypoints.hub_client.connection import HubConnection, Query
from ganglion.entrypoints.hub_client.experiments import ExperimentCalls
from ganglion.entrypoints.hub_client.fleet import FleetCalls
from ganglion.entrypoints.hub_client.nodes import NodeCalls
from ganglion.entrypoints.hub_client.people import PeopleCalls
from ganglion.entrypoints.hub_client.shells import ShellCalls
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.wire import paths
from ganglion.wire.resources import (
    DatasetManifest,
    DatasetRequest,
    DatasetView,
    EventView,
    LabelRequest,
    LabelsReply,
    LabelsRequest,
    ReleaseView,
    ResultView,
    SampleView,
)
from ganglion.wire.rollout_resources import ActionRequest, RolloutPlan, RolloutRequest, RolloutView
from ganglion.wire.trust_resources import TrustDocuments, TrustInstalled, TrustView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE_TYPE = "application/octet-stream"
_PAGE = 1000
_SAMPLE_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")
RolloutAction = Literal["pause", "resume", "abort", "promote", "approve", "skip", "retry"]


class HubClient(FleetCalls, ExperimentCalls, AlertCalls, PeopleCalls, NodeCalls, ShellCalls):
    """A hub, as one account sees it. Blocking; every call has a deadline; every error is one of `core.errors`."""

    def __init__(self, url: str, *, ca_pem: bytes, token: str, settings: ClientSettings | None = None) -> None:
        super().__init__(HubConnection(url, ca_pem=ca_pem, token=token, settings=settings or ClientSettings()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the line to the hub."""
        self._hub.close()

    @property
    def url(self) -> str:
        """The address of the hub, as it was given."""
        return str(self._hub.address)

    # --- releases ---------------------------------------------------------------------------------

    def release(self, package: Path) -> ReleaseView:
        """Hand a single-file package to the hub, which checks, keeps and signs it."""
        return self._hub.upload(paths.RELEASES, package, PACKAGE_TYPE, ReleaseView)

    def releases(self, model: str | None = None) -> list[ReleaseView]:
        """List releases, newest first."""
        return self._hub.get(paths.RELEASES, list[ReleaseView], {"model": model})

    def fetch_package(self, model: str, version: str, variant: str, destination: Path) -> ReleaseView:
        """Bring a released package to the file `destination`, whole or not at all, and return its release.

        Raises: NotFound: no such release. ArtifactUntrusted: other bytes came. DiskUnusable.
        """
        path = paths.release_package(
            parse_name(model, what="model"), parse_name(version, what="version"), parse_name(variant, what="variant")
        )
        found = [each for each in self.releases(model) if (each.version, each.variant) == (version, variant)]
        if not found:
            raise NotFound(f"{model}:{version} has no variant {variant}")
        self._hub.download(path, destination, parse_digest(found[0].sha256))
        return found[0]

    # --- trust ------------------------------------------------------------------------------------

    def trust(self) -> TrustView:
        """Return every role of the hub's signed metadata, with its keys and its expiry."""
        return self._hub.get(paths.TRUST, TrustView)

    def trust_documents(self) -> dict[str, bytes]:
        """Return the signed metadata that a ceremony may change, by role."""
        documents = self._hub.get(paths.TRUST_DOCUMENTS, TrustDocuments).documents
        return {role: text.encode() for role, text in documents.items()}

    def make_online_keys(self) -> TrustView:
        """Let the hub make new keys for the roles that it signs by itself; they serve when a root names them."""
        return self._hub.post(paths.TRUST_ONLINE_KEYS, {}, TrustView)

    def install_trust(self, documents: Mapping[str, bytes]) -> TrustInstalled:
        """Put proposed metadata in force, with all its signatures."""
        return self._hub.post(paths.TRUST_PROPOSALS, _documents(documents), TrustInstalled)

    def offer_model(self, role: str, signed: bytes) -> TrustInstalled:
        """Hand over a model's next list of packages, signed by its publisher, before the package that it adds."""
        return self._hub.post(paths.TRUST_MODELS, _documents({role: signed}), TrustInstalled)

    # --- rollouts ---------------------------------------------------------------------------------

    def start_rollout(self, request: RolloutRequest) -> RolloutView:
        """Start to bring a released version to the fleet, stage by stage."""
        return self._hub.post(paths.ROLLOUTS, request, RolloutView)

    def plan_rollout(self, request: RolloutRequest) -> RolloutPlan:
        """Return who would get what, and when; nothing is stored."""
        return self._hub.post(paths.ROLLOUT_PLAN, request, RolloutPlan)

    def rollouts(self) -> list[RolloutView]:
        """List rollouts, newest first."""
        return self._hub.get(paths.ROLLOUTS, list[RolloutView])

    def rollout(self, rollout_id: str) -> RolloutView:
        """Return one rollout with its stages and its history."""
        return self._hub.get(paths.rollout(_rollout_id(rollout_id)), RolloutView)

    def act_on_rollout(
        self, rollout_id: str, action: RolloutAction, *, reason: str = "", stage: int | None = None
    ) -> RolloutView:
        """Act on a rollout; with `stage`, promote past that one alone, or approve that one."""
        request = ActionRequest(reason=reason, stage=stage)
        return self._hub.post(paths.rollout(_rollout_id(rollout_id), action), request, RolloutView)

    # --- feedback ---------------------------------------------------------------------------------

    def samples(
        self,
        *,
        model: str | None = None,
        node: str | None = None,
        reason: str | None = None,
        unlabelled: bool = False,
        limit: int = 100,
    ) -> list[SampleView]:
        """List kept inputs, newest first, however many answers of the hub that takes."""
        found: list[SampleView] = []
        query: Query = {"model": model, "node": node, "reason": reason, "unlabelled": unlabelled}
        while len(found) < limit:
            before = found[-1].sample_id if found else None
            rest = min(limit - len(found), _PAGE) if found else limit
            page = self._hub.get(paths.SAMPLES, list[SampleView], {**query, "before": before, "limit": rest})
            # An earlier hub does not know `before`, and gives the first page again.
            if not page or (found and page[0].sample_id == found[0].sample_id):
                break
            found += page
        return found[:limit]

    def sample(self, sample_id: str) -> SampleView:
        """Return one kept input."""
        return self._hub.get(f"{paths.SAMPLES}/{_sample_id(sample_id)}", SampleView)

    def label(self, labels: Sequence[LabelRequest]) -> int:
        """Store people's words on samples, and return how many were stored."""
        return self._hub.post(paths.LABELS, LabelsRequest(list(labels)), LabelsReply).stored

    def build_dataset(self, request: DatasetRequest) -> DatasetView:
        """Freeze every labelled sample of a model as the next version of a data set."""
        return self._hub.post(paths.DATASETS, request, DatasetView)

    def datasets(self, name: str | None = None) -> list[DatasetView]:
        """List data set versions, newest first."""
        return self._hub.get(paths.DATASETS, list[DatasetView], {"name": name})

    def dataset(self, name: str, version: int) -> tuple[DatasetManifest, dict[str, "NDArray[np.generic]"]]:
        """Return a data set version: what it holds, and its inputs by name, [samples, ...].

        Raises: NotFound. ArtifactUntrusted: manifest or tensors are not the bytes that were frozen.
        """
        from ganglion.entrypoints.hub_client import dataset_contents  # noqa: PLC0415 - brings numpy, which few commands need

        return dataset_contents.fetch(self._hub, self._dataset_view(name, version))

    def fetch_dataset(self, name: str, version: int, directory: Path) -> DatasetManifest:
        """Write a data set version into a new directory, which appears whole or not at all.

        Raises: NotFound, Conflict, ArtifactUntrusted, DiskUnusable.
        """
        from ganglion.entrypoints.hub_client import dataset_contents  # noqa: PLC0415 - as above

        return dataset_contents.save(self._hub, self._dataset_view(name, version), directory)

    # --- telemetry --------------------------------------------------------------------------------

    def results(self, node: str, *, after: tuple[str, int] = ("", 0), limit: int = 100) -> list[ResultView]:
        """List a node's stored results by (epoch, seq), beginning after the pair given."""
        query: Query = {"node": node, "after_epoch": after[0], "after_seq": after[1], "limit": limit}
        return self._hub.get(paths.RESULTS, list[ResultView], query)

    def events(self, *, node: str | None = None, rollout: str | None = None, limit: int = 100) -> list[EventView]:
        """List events, newest first."""
        return self._hub.get(paths.EVENTS, list[EventView], {"node": node, "rollout": rollout, "limit": limit})

    def _dataset_view(self, name: str, version: int) -> DatasetView:
        found = [view for view in self.datasets(name) if (view.name, view.version) == (name, version)]
        if not found:
            raise NotFound(f"there is no version {version} of the data set {name}")
        return found[0]


def _documents(documents: Mapping[str, bytes]) -> TrustDocuments:
    return TrustDocuments({role: data.decode() for role, data in documents.items()})


def _rollout_id(text: str) -> RolloutId:
    return RolloutId(parse_name(text, what="rollout"))


def _sample_id(text: str) -> str:
    """Return an id that may be part of a path: NODE-EPOCH-SEQ has no other letters. Raises: NotFound."""
    if not _SAMPLE_ID.fullmatch(text):
        raise NotFound(f"no sample has the id {text[:200]!r}")
    return text
