"""Run AI models where the data is born, and learn from it in the cloud.

`from ganglion import Model` runs a model inside your own program.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.entrypoints.models.model import Model, Result

# ONNX Runtime's wheels send usage figures to their maker, from the moment of their import. A program that runs in
# hospitals and factories sends nothing that its owner did not ask for. Set before anything can import it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Model", "Result"]


if not TYPE_CHECKING:  # A checker would believe that every name exists.

    def __getattr__(name: str) -> object:
        """Import what is asked for only now: `import ganglion` alone loads no runtime."""
        if name in __all__:
            return getattr(import_module("ganglion.entrypoints.models.model"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
