"""Compiles the `.proto` texts of the gRPC edge into the one file of descriptors that it reads: `make protos`.

    python tools/protos.py [--check]

Needs `grpcio-tools`, which nothing else does. Comments are left out of the result.
"""

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]  # it ships no types

PLACE = Path(__file__).parents[1] / "src/ganglion/entrypoints/grpc_api/protos"
COMPILED = PLACE / "descriptors.binpb"


def compiled() -> bytes:
    """Return the FileDescriptorSet of every text, those that others need first."""
    texts = sorted(path.name for path in PLACE.glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "set")
        status = protoc.main(["protoc", f"-I{PLACE}", "--include_imports", f"--descriptor_set_out={out}", *texts])
        if status:
            sys.exit(status)
        return out.read_bytes()


def main() -> None:
    """Write the descriptors, or say that they are old."""
    fresh = compiled()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if COMPILED.read_bytes() == fresh else f"{COMPILED} is not up to date: run `make protos`")
    COMPILED.write_bytes(fresh)
    print(f"{COMPILED}: {len(fresh)} bytes")


if __name__ == "__main__":
    main()
