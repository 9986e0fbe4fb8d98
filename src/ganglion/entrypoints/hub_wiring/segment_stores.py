"""Opens the place for closed segments of the audit chain that settings, or a command, name."""

from pathlib import Path

from ganglion.adapters.segment_directory import SegmentDirectory
from ganglion.core.errors import InvalidSettings, MissingExtra
from ganglion.hub.domain.audit_limits import ShippingSettings
from ganglion.ports.segment_store import SegmentStore

_S3 = "s3://"
_SECRET_BYTES_MAX = 4096


def open_segment_store(settings: ShippingSettings, target: str) -> SegmentStore:
    """Return the store at `target`: a directory, or `s3://BUCKET/PREFIX` by the settings. It is not asked yet.

    Raises: InvalidSettings. MissingExtra: what speaks S3 is not installed.
    """
    if not target.startswith(_S3):
        return SegmentDirectory(Path(target).expanduser())
    bucket, _, prefix = target.removeprefix(_S3).partition("/")
    if not bucket or not settings.access_key or not settings.secret_key_file:
        raise InvalidSettings("an object store needs s3://BUCKET, hub.audit.shipping.access_key and .secret_key_file")
    try:
        from ganglion.adapters.s3_segments import S3Place, S3Segments  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "ganglion":
            raise
        raise MissingExtra(f"object storage needs {error.name}; run: pip install 'ganglion[s3]'") from error
    return S3Segments(
        S3Place(
            bucket=bucket,
            prefix=prefix,
            endpoint=settings.endpoint,
            region=settings.region,
            access_key=settings.access_key,
            secret_key=_secret(Path(settings.secret_key_file).expanduser()),
            lock=settings.lock,
        )
    )


def _secret(file: Path) -> str:
    try:
        with file.open("rb") as source:
            return source.read(_SECRET_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"hub.audit.shipping.secret_key_file: {file} cannot be read") from error
