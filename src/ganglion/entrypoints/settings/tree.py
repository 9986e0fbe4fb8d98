"""Every setting of every program, in one typed tree: defaults, then one TOML file, then variables, then options.

The TOML file has a table per section (`[hub]`, `[node.serving]`, …); `hub.port` is the variable
GANGLION_HUB_PORT; the file may also be named by GANGLION_CONFIG. An unknown name is an error, so that a
misspelt limit is never silently the default. Nobody else reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import msgspec

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.settings import loader as settings_loader
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.entrypoints.settings.serve import ServeSettings
from ganglion.entrypoints.settings.trust import TrustSettings

__all__ = [
    "ClientSettings",
    "HubSettings",
    "NodeSettings",
    "ServeSettings",
    "Settings",
    "TrustSettings",
    "child_environment",
    "load_settings",
    "sandbox_environment",
    "wants_colour",
]

CONFIG_VARIABLE = f"{settings_loader.PREFIX}CONFIG"
_SANDBOX_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The root of all settings."""

    hub: HubSettings = HubSettings()
    """`ganglion hub run`."""

    node: NodeSettings = NodeSettings()
    """`ganglion node join` and `ganglion node run`."""

    serve: ServeSettings = ServeSettings()
    """`ganglion serve`."""

    client: ClientSettings = ClientSettings()
    """Every command that talks to a hub."""

    trust: TrustSettings = TrustSettings()
    """`ganglion trust`, and `ganglion model publish --key`."""


def load_settings(config: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Read all settings. `overrides` are command-line options by dotted name; None among them means not given.

    Raises: InvalidSettings: every problem, in one message.
    """
    environment = dict(os.environ)
    named = environment.pop(CONFIG_VARIABLE, "")
    file = config or (Path(named) if named else None)
    sources = settings_loader.Sources(
        document=_read_toml(file) if file else {},
        document_name=str(file),
        environment=environment,
        overrides=overrides or {},
    )
    return settings_loader.load(Settings, sources)


def child_environment(node: NodeSettings | None = None) -> dict[str, str]:
    """Return the environment for a child process: ours without our variables, so that no token is inherited.

    With `node`, the child reads exactly these node settings, whatever file and options we had them from.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(settings_loader.PREFIX)}
    return clean | (settings_loader.variables_of(node, prefix="node.") if node else {})


def sandbox_environment() -> dict[str, str]:
    """Return what the child of a sandbox needs to find this program, and nothing that it could give away."""
    return {name: os.environ[name] for name in _SANDBOX_VARIABLES if name in os.environ}


def wants_colour(stream: TextIO) -> bool:
    """Tell whether `stream` is a terminal whose user did not switch colours off (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _read_toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} is not TOML: {error}") from error
