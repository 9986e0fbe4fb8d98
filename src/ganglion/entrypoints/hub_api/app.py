"""The application: routes, error replies, and the middleware around them."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from ganglion.entrypoints.hub_api import (
    alert_routes,
    apply_routes,
    audit_routes,
    curation_routes,
    experiment_routes,
    file_routes,
    fleet_routes,
    group_routes,
    health_routes,
    node_routes,
    openapi,
    people_routes,
    problems,
    release_routes,
    rollout_routes,
    settings_routes,
    shell_routes,
    status_routes,
    telemetry_routes,
    trust_routes,
    tuf_routes,
)
from ganglion.entrypoints.hub_api.body_limit import BodyLimit
from ganglion.entrypoints.hub_api.envelope import Envelope
from ganglion.entrypoints.hub_api.long_polls import LongPolls
from ganglion.entrypoints.hub_api.web import (
    admit_routes,
    label_routes,
    login_routes,
    page_routes,
    provider_routes,
    rollout_page,
)
from ganglion.entrypoints.hub_api.web.manifests import Manifests
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import paths

_ROUTERS = (
    node_routes.router,
    tuf_routes.router,
    trust_routes.router,
    fleet_routes.router,
    group_routes.router,
    apply_routes.router,
    people_routes.router,
    audit_routes.router,
    release_routes.router,
    rollout_routes.router,
    experiment_routes.router,
    alert_routes.router,
    curation_routes.router,
    telemetry_routes.router,
    health_routes.router,
    settings_routes.router,
    shell_routes.router,
    file_routes.router,
    status_routes.router,
    # Not part of the interface, and not described.
    openapi.router,
    page_routes.router,
    rollout_page.router,
    login_routes.router,
    provider_routes.router,
    label_routes.router,
    admit_routes.router,
)


def create_app(hub: Hub) -> ASGIApp:
    """Return the ASGI application that serves `hub`."""
    settings = hub.settings
    app = create_routes()
    app.state.hub = hub
    app.state.manifests = Manifests(hub.world.control)
    limited = BodyLimit(app, limit_of=_limit_by_route(settings), idle_s_max=settings.http.body_idle_s_max)
    return Envelope(
        LongPolls(limited),
        metrics=hub.metrics,
        requests_max=settings.http.requests_max,
        hsts_s=settings.http.hsts_s,
        new_id=hub.new_id,
    )


def create_routes() -> FastAPI:
    """Return the routes alone, which is enough to describe them."""
    # FastAPI's documentation pages load scripts from a CDN; the document itself is served by `openapi.router`.
    app = FastAPI(
        title="Ganglion hub",
        version=openapi.VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # Not `include_router`: it reads every signature again, for each application, when the first request comes.
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    app.mount("/static", page_routes.static_files())
    problems.install(app)
    return app


def _limit_by_route(settings: HubSettings) -> Callable[[Scope], int]:
    """Packages and reference files are large; every other body is small."""

    def limit_of(scope: Scope) -> int:
        is_large = scope["path"] == paths.RELEASES or scope["path"].startswith(f"{paths.FILES}/")
        is_upload = scope["method"] == "POST" and is_large
        return settings.http.package_bytes_max if is_upload else settings.http.body_bytes_max

    return limit_of
