"""All services of the gRPC edge, put together: what the transport calls, by path."""

from collections.abc import Callable
from functools import partial

from ganglion.adapters.shared_memory import SharedRegions
from ganglion.entrypoints.client_access.guard import Guard, NoGuard
from ganglion.entrypoints.grpc_api import messages
from ganglion.entrypoints.grpc_api.about_service import AboutService
from ganglion.entrypoints.grpc_api.calls import Methods, StreamMethod, UnaryMethod
from ganglion.entrypoints.grpc_api.guarding import guarded
from ganglion.entrypoints.grpc_api.health_service import Health, HealthService
from ganglion.entrypoints.grpc_api.infer_request import GrpcRequestDecoder
from ganglion.entrypoints.grpc_api.infer_response import GrpcResponseEncoder
from ganglion.entrypoints.grpc_api.inference_service import InferenceService, end_if_idle
from ganglion.entrypoints.grpc_api.reflection_service import Described, ReflectionStream
from ganglion.entrypoints.grpc_api.rounds import CanCallLater, Rounds
from ganglion.entrypoints.inference_api.repository import Repository
from ganglion.node.services.serving.answers import Serving

INFERENCE = "inference.GRPCInferenceService"
_HEALTH = "grpc.health.v1.Health"
_REFLECTIONS = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


def inference_methods(
    serving: Serving,
    *,
    loop: CanCallLater,
    release: str,
    is_stopping: Callable[[], bool],
    repository: Repository | None = None,
    regions: SharedRegions | None = None,
    guard: Guard | None = None,
) -> Methods:
    """Return every method. Without a repository no client can load or unload.

    `regions` are given by whoever shares them with another edge; the `guard` judges calls from other machines.
    """
    regions, guard = regions or SharedRegions(), guard or NoGuard()
    streams = Rounds(partial(end_if_idle, is_stopping), loop)
    inference = InferenceService(serving, GrpcRequestDecoder(regions), GrpcResponseEncoder(regions), streams, guard)
    about = AboutService(serving, regions, repository, release, is_stopping)
    told = about.methods()
    health = HealthService(partial(_health_of, about), loop, is_stopping=is_stopping)
    described = Described(messages.files())
    return {
        f"/{INFERENCE}/ModelInfer": UnaryMethod(inference.infer),
        f"/{INFERENCE}/ModelStreamInfer": StreamMethod(inference.open_stream),
        **{f"/{INFERENCE}/{name}": UnaryMethod(guarded(name, answer, guard)) for name, answer in told.items()},
        f"/{_HEALTH}/Check": UnaryMethod(health.check),
        f"/{_HEALTH}/Watch": UnaryMethod(health.watch),
        **{
            f"/{package}.ServerReflection/ServerReflectionInfo": StreamMethod(
                partial(ReflectionStream, package, described)
            )
            for package in _REFLECTIONS
        },
    }


def _health_of(about: AboutService, service: str) -> Health:
    if service in ("", INFERENCE):
        return Health.NOT_SERVING if about.is_stopping() else Health.SERVING
    if service not in about.serving.table.models:
        return Health.SERVICE_UNKNOWN
    is_serving = about.is_ready(service) and not about.is_stopping()
    return Health.SERVING if is_serving else Health.NOT_SERVING
