"""Samples, labels, and the data sets built from them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ganglion.core.ids import parse_digest, parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import Curator, HubPart, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute, gives_file
from ganglion.entrypoints.hub_api.file_reply import BINARY_TYPE, file_reply
from ganglion.entrypoints.hub_api.limits import bounded
from ganglion.wire import paths
from ganglion.wire.resources import (
    DatasetManifest,
    DatasetRequest,
    DatasetView,
    LabelsReply,
    LabelsRequest,
    SampleView,
)

router = APIRouter(tags=["curation"], route_class=StrictRoute)


@router.get(paths.SAMPLES)
def list_samples(
    hub: HubPart,
    caller: Viewer,
    model: str | None = None,
    node: str | None = None,
    *,
    unlabelled: bool = False,
    reason: Annotated[str | None, Query(max_length=200)] = None,
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1)] = 100,
) -> list[SampleView]:
    """List kept inputs, newest first; fewer than `limit` when they are large. `before` is the last id of a page."""
    found = hub.curation.samples(
        model=model,
        node_id=node or None,
        unlabelled=unlabelled,
        reason=reason or None,
        before=before or None,
        limit=bounded(limit, hub.settings.http.rows_max),
    )
    return scopes.of_visible_nodes(hub, caller, found)


@router.get(paths.SAMPLES + "/{sample_id}")
def show_sample(hub: HubPart, caller: Viewer, sample_id: str) -> SampleView:
    """Show one kept input."""
    found = hub.curation.sample(sample_id)
    scopes.check_node(hub, caller, found.node)
    return found


@router.post(paths.LABELS)
def label_samples(hub: HubPart, caller: Curator, request: LabelsRequest) -> LabelsReply:
    """Store people's words on samples; the newest for a sample counts."""
    scopes.check_samples(hub, caller, (each.sample_id for each in request.labels))
    return LabelsReply(hub.curation.label(request.labels, by=caller.actor))


@router.post(paths.DATASETS, status_code=201)
def build_dataset(hub: HubPart, caller: Curator, request: DatasetRequest) -> DatasetView:
    """Freeze every labelled sample of a model as the next version of a data set."""
    caller.check_whole_fleet()
    caller.check_model(request.model)
    return hub.curation.build_dataset(request, by=caller.actor)


@router.get(paths.DATASETS)
def list_datasets(hub: HubPart, caller: Viewer, name: str | None = None) -> list[DatasetView]:
    """List data set versions, newest first."""
    caller.check_whole_fleet()
    return hub.curation.datasets(name)


@router.get(paths.DATASETS + "/{name}/{version}")
def show_dataset(hub: HubPart, caller: Viewer, name: str, version: int) -> DatasetManifest:
    """Show what a data set version holds."""
    caller.check_whole_fleet()
    return hub.curation.dataset_manifest(parse_name(name, what="data set"), version)


@router.get(paths.ARTIFACTS + "/{sha256}", responses=gives_file(BINARY_TYPE, "The content."))
async def fetch_artifact(hub: HubPart, caller: Viewer, request: Request, sha256: str) -> Response:
    """Return stored content by its digest; Range resumes a part."""
    caller.check_whole_fleet()
    digest = parse_digest(sha256)
    return await file_reply(request, hub.artifacts.path(digest), digest)
