"""`ganglion serve`: models from files, at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli.failures import DEBUG

if TYPE_CHECKING:
    from ganglion.entrypoints.serve.start import Child
    from ganglion.entrypoints.settings.serve import ServeSettings


def serve(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A model file, a package, or a folder of them.")],
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    open_to_network: Annotated[
        bool | None, typer.Option("--open-to-network", help="Let every machine ask, without a token.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8080")] = None,
    uds: Annotated[Path | None, typer.Option(help="Unix socket to listen on, too.", show_default="none")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="Port of gRPC; 0: a free one.", show_default="none")] = None,
    grpc_uds: Annotated[Path | None, typer.Option(help="Unix socket of gRPC.", show_default="none")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each model.", show_default="cores - 1")] = None,
    batching: Annotated[
        list[str] | None,
        typer.Option(help="Answer requests together: [MODEL=]ROWS[:DELAY_US]. May be repeated.", show_default="off"),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Share requests between versions: MODEL=VERSION:WEIGHT,... May be repeated."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Runtime, hardware or variant to take: onnxruntime, openvino, cpu, cuda, int8.",
            show_default="what the file is for",
        ),
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="Keep a record of each answer in this directory.")] = None,
    supervise: Annotated[bool, typer.Option(help="Start again when a model takes the process down.")] = True,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Serve model files and packages, without a hub.

    ONNX, TFLite and OpenVINO files, packages, or a folder of them. Ends with Ctrl-C or SIGTERM.

    Subfolders with numbers for names are versions of one model; the newest one answers, the others by their name.

    Example: ganglion serve gate.onnx --port 8000
    """
    from ganglion.entrypoints.cli import serve_options
    from ganglion.entrypoints.client_access.guard import check_exposure
    from ganglion.entrypoints.settings.tree import load_settings

    overrides = {
        "serve.host": host,
        "serve.open_to_network": open_to_network,
        "serve.port": port,
        "serve.uds": str(uds) if uds else None,
        "serve.grpc_port": grpc_port,
        "serve.grpc_uds": str(grpc_uds) if grpc_uds else None,
        "serve.threads": threads,
        "serve.target": target,
        "serve.batching": serve_options.batching_of(batching) if batching else None,
        "serve.split": serve_options.split_of(split) if split else None,
    }
    settings = load_settings(config, overrides).serve
    check_exposure(settings.host, open_to_network=settings.open_to_network, clients=settings.clients_path)
    if supervise:
        _hand_over(path, settings, journal, context.obj)
    _serve_here(path, settings, journal)


def _hand_over(path: Path, settings: "ServeSettings", journal: Path | None, child: "Child | None") -> None:
    """Tell the process that was started already what to serve, and become its supervisor. Does not return."""
    import sys

    import msgspec

    from ganglion.adapters.run_marks import RunMarks
    from ganglion.entrypoints.serve.order import ServeOrder
    from ganglion.entrypoints.serve.start import Child

    order = ServeOrder(
        path=str(path),
        settings=settings,
        journal=str(journal) if journal else "",
        with_traceback=DEBUG in sys.argv,
    )
    started = child or Child.start(RunMarks.create())
    started.become_supervised(msgspec.json.encode(order))


def _serve_here(path: Path, settings: "ServeSettings", journal: Path | None) -> None:
    import logging
    import os
    import sys

    from ganglion.entrypoints.cli.output import note
    from ganglion.entrypoints.processes.logs import configure_logs
    from ganglion.entrypoints.serve.process import Voice, run_serve

    # What cannot be served is named in a line of its own; only defects are worth a log line here.
    configure_logs("serve", level=logging.ERROR)
    run_serve(path, settings, Voice(say=typer.echo, note=note), journal=journal)
    sys.stdout.flush()
    # A model that hangs in its thread would hold the interpreter for ever.
    os._exit(0)
