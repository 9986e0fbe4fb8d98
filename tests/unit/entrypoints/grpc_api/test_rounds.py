"""Long calls are looked at once in a while; where there are none, nothing runs."""

import pytest
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.entrypoints.grpc_api.calls import Status, StreamMethod
from ganglion.entrypoints.grpc_api.rounds import Rounds
from unit.entrypoints.grpc_api.grpc_builders import RecordedCall
from unit.entrypoints.grpc_api.methods_world import SERVICE, FakeLoop, World


def test_each_member_is_looked_at_in_each_round_until_it_is_done() -> None:
    seen: list[str] = []
    loop = FakeLoop()

    def look(member: str) -> bool:
        seen.append(member)
        return member != "short"

    rounds = Rounds(look, loop)
    for member in ("short", "long", "discarded"):
        rounds.add(member)

    loop.pass_time()
    rounds.discard("discarded")
    loop.pass_time()

    assert seen == ["short", "long", "discarded", "long"]


def test_without_members_no_timer_runs() -> None:
    loop = FakeLoop()
    rounds: Rounds[str] = Rounds(lambda member: True, loop)
    rounds.add("a")
    rounds.discard("a")

    loop.pass_time()

    assert loop.due == []


def open_stream(world: World, *, is_ended: bool = False) -> RecordedCall:
    method, call = world.methods[f"{SERVICE}/ModelStreamInfer"], RecordedCall()
    assert isinstance(method, StreamMethod)
    stream = method.open(call)
    stream.receive(service_pb2.ModelInferRequest(model_name="nobody").SerializeToString())
    if is_ended:
        stream.end()
    return call


@pytest.mark.parametrize("is_stopping", [True, False])
def test_a_stream_without_open_requests_ends_with_the_server(*, is_stopping: bool) -> None:
    world = World()
    call = open_stream(world)
    world.is_stopping = is_stopping

    world.loop.pass_time()

    assert (call.status is Status.UNAVAILABLE) == is_stopping


@pytest.mark.parametrize("has_left", [True, False])
def test_a_stream_that_has_ended_is_not_looked_at_any_more(*, has_left: bool) -> None:
    world = World()
    call = open_stream(world, is_ended=not has_left)

    if has_left:
        call.leave()
    world.loop.pass_time()

    assert world.loop.due == []
