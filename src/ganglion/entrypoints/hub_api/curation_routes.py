"""Samples, labels, and the data sets built from them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ganglion.core.ids import parse_digest, parse_name
from ganglion.entrypoints.hub_api.access import Account, HubPart
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
    _account: Account,
    model: str | None = None,
    node: str | None = None,
    *,
    unlabelled: bool = False,
    limit: Annotated[int, Query(ge=1)] = 100,
) -> list[SampleView]:
    """List kept inputs, newest first."""
    return hub.curation.samples(
        model=model,
        node_id=node or None,
        unlabelled=unlabelled,
        limit=bounded(limit, hub.settings.http.rows_max),
    )


@router.post(paths.LABELS)
def label_samples(hub: HubPart, account: Account, request: LabelsRequest) -> LabelsReply:
    """Store people's words on samples; the newest for a sample counts."""
    return LabelsReply(hub.curation.label(request.labels, by=account))


@router.post(paths.DATASETS, status_code=201)
def build_dataset(hub: HubPart, _account: Account, request: DatasetRequest) -> DatasetView:
    """Freeze every labelled sample of a model as the next version of a data set."""
    return hub.curation.build_dataset(request)


@router.get(paths.DATASETS)
def list_datasets(hub: HubPart, _account: Account, name: str | None = None) -> list[DatasetView]:
    """List data set versions, newest first."""
    return hub.curation.datasets(name)


@router.get(paths.DATASETS + "/{name}/{version}")
def show_dataset(hub: HubPart, _account: Account, name: str, version: int) -> DatasetManifest:
    """Show what a data set version holds."""
    return hub.curation.dataset_manifest(parse_name(name, what="data set"), version)


@router.get(paths.ARTIFACTS + "/{sha256}", responses=gives_file(BINARY_TYPE, "The content."))
async def fetch_artifact(hub: HubPart, _account: Account, request: Request, sha256: str) -> Response:
    """Return stored content by its digest; Range resumes a part."""
    digest = parse_digest(sha256)
    return await file_reply(request, hub.artifacts.path(digest), digest)
