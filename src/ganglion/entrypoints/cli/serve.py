"""`ganglion serve`: models from files, at once."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    path: Annotated[Path, typer.Argument(help="A model file, a package, or a folder of them.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8080")] = None,
    uds: Annotated[Path | None, typer.Option(help="Unix socket to listen on, too.", show_default="none")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each model.", show_default="cores - 1")] = None,
    journal: Annotated[Path | None, typer.Option(help="Keep a record of each answer in this directory.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Serve ONNX, TFLite and OpenVINO models and packages from files, without a hub. Ends with Ctrl-C or SIGTERM.

    Subfolders with numbers for names are versions of one model; the newest one answers.

    Example: ganglion serve gate.onnx --port 8000
    """
    import logging
    import os
    import sys

    from ganglion.entrypoints.cli.output import note
    from ganglion.entrypoints.logs import configure_logs
    from ganglion.entrypoints.serve_process import Voice, run_serve
    from ganglion.entrypoints.settings import load_settings

    overrides = {
        "serve.host": host,
        "serve.port": port,
        "serve.uds": str(uds) if uds else None,
        "serve.threads": threads,
    }
    settings = load_settings(config, overrides).serve
    # What cannot be served is named in a line of its own; only defects are worth a log line here.
    configure_logs("serve", level=logging.ERROR)
    run_serve(path, settings, Voice(say=typer.echo, note=note), journal=journal)
    sys.stdout.flush()
    # A model that hangs in its thread would hold the interpreter for ever.
    os._exit(0)
