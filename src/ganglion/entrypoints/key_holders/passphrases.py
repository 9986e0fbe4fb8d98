"""Where the passphrase of a private key comes from: a file, a setting, or the terminal, in this order."""

import sys
from pathlib import Path

import typer

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.settings.tree import load_settings


def passphrase_of(config: Path | None, prompt: str, *, new: bool = False) -> str:
    """Return the passphrase; a new one is asked for twice. Raises: InvalidSettings: there is none, and no terminal."""
    settings = load_settings(config).trust
    if settings.passphrase_file:
        return _first_line(Path(settings.passphrase_file))
    if settings.passphrase:
        return settings.passphrase
    if not sys.stdin.isatty():
        raise InvalidSettings(
            "there is no terminal to ask for a passphrase on: set trust.passphrase_file "
            "(GANGLION_TRUST_PASSPHRASE_FILE)"
        )
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True))


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"trust.passphrase_file: {file} cannot be read: {error}") from error
    if not lines or not lines[0]:
        raise InvalidSettings(f"trust.passphrase_file: the first line of {file} is empty")
    return lines[0]
