"""The compiled descriptors of the gRPC edge are those of its `.proto` texts."""

import protos


def test_the_descriptors_are_compiled_from_the_texts() -> None:
    assert protos.COMPILED.read_bytes() == protos.compiled(), "run `make protos`"
