"""Where a node's keys lie, by its settings."""

from contextlib import suppress
from pathlib import Path

from ganglion.adapters.node_keys import NodeKeyFiles
from ganglion.core.errors import InvalidSettings, MissingExtra
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.services.places import Places
from ganglion.ports.node_keys import NodeKeys


def node_keys(settings: NodeSettings) -> NodeKeys:
    """Return the keys. Raises: InvalidSettings, MissingExtra, KeyStoreUnusable, DiskUnusable."""
    directory = Places(settings.data_path).private_key.parent
    chosen = settings.keys
    # Here first, because parents of the directory of keys would be open to everybody: inputs lie beside it.
    with suppress(OSError):  # Whoever writes there next says what is wrong.
        settings.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not chosen.pkcs11_module:
        return NodeKeyFiles(directory)
    try:
        from ganglion.adapters.node_keys.token import Token, TokenKeys  # noqa: PLC0415 - an extra that few have
    except ModuleNotFoundError as error:
        raise MissingExtra("keys on a token need python-pkcs11; run: pip install 'ganglion[pkcs11]'") from error
    token = Token(
        module=Path(chosen.pkcs11_module),
        label=chosen.pkcs11_token,
        pin=_pin(chosen.pkcs11_pin_file),
        key_label=chosen.pkcs11_key,
    )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return TokenKeys(token, lock=directory / "lock")


def _pin(file: str) -> str:
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"node.keys.pkcs11_pin_file: {file!r} cannot be read: {error}") from error
