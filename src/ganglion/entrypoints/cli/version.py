"""`ganglion version`: what is installed here."""

from dataclasses import dataclass

from ganglion.entrypoints.cli.output import Output, OutputFormat, emit


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed here."""

    ganglion: str
    python: str
    machine: str


def version(output: Output = OutputFormat.TABLE) -> None:
    """Print what is installed here, for reports of faults.

    Example: ganglion version -o json
    """
    import platform
    from importlib import metadata

    emit(Installed(metadata.version("ganglion"), platform.python_version(), platform.platform()), output)
