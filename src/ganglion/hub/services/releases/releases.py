"""Releasing a model package: checked, stored, signed, and only then listed.

The order makes a kill harmless at any point: the row that makes a release visible comes last, and each
step before it, done again with the same bytes, changes nothing.
"""

import hashlib
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from ganglion.core import golden
from ganglion.core import manifest as manifests
from ganglion.core.errors import Conflict, DataCorrupt, NotFound
from ganglion.core.ids import Digest
from ganglion.core.manifest import Manifest
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.artifacts import ArtifactStore
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, ReleaseRow
from ganglion.ports.packages import PackageFiles
from ganglion.trust import target_path
from ganglion.trust.roles import Caller
from ganglion.trust.target_path import TargetPath
from ganglion.wire.resources import ReleaseView

ReleaseViews: TypeAlias = list[ReleaseView]
"""Inside the class below, `list` is a method."""

log = structlog.get_logger(__name__)


class Releases:
    """Takes packages in, and hands them out."""

    def __init__(
        self,
        *,
        control: ControlStore,
        artifacts: ArtifactStore,
        packages: PackageFiles,
        repository: Repository,
        clock: Clock,
    ) -> None:
        self._control = control
        self._artifacts = artifacts
        self._packages = packages
        self._repository = repository
        self._clock = clock

    def release(self, file: Path, *, by: Caller | None = None) -> ReleaseView:
        """Release the package in `file`, under the name that its manifest gives; `file` may be gone afterwards.

        Raises: Forbidden: the model is not among the caller's.
        InvalidPackage, GoldenMissing, Conflict: the version was released with other bytes. DiskUnusable.
        """
        manifest = self._packages.inspect(file)
        if by is not None:
            by.check_model(manifest.name)
        golden.golden_of(manifest)  # What no node can prove must not be rolled out.
        row = self._describe(manifest, file)
        with self._control.read() as tx:
            known = _find(tx, row.model, row.version, row.variant)
        if known is not None and known.sha256 != row.sha256:
            raise Conflict(f"{row.model}:{row.version} ({row.variant}) was released with other bytes")
        self._artifacts.put_file(file)
        self._repository.publish(
            str(TargetPath(manifest.name, manifest.version, manifest.variant)),
            row.sha256,
            row.size_bytes,
            row.model,
            memory_bytes_max=manifest.limits.memory_bytes_max,
            offline_s_max=manifest.limits.offline_s_max,
        )
        if known is None:
            with self._control.write() as tx:
                tx.add_release(row)
                audit.note(tx, self._clock, _deed(row, by))
            log.info("release.made", model=row.model, version=row.version, variant=row.variant, sha256=row.sha256)
        return _view(known or row)

    def list(self, model: str | None = None) -> ReleaseViews:
        """Return releases, newest first."""
        with self._control.read() as tx:
            return [_view(row) for row in tx.releases(model)]

    def package_path(self, model: str, version: str, variant: str) -> Path:
        """Return where a released package lies. Raises: NotFound."""
        with self._control.read() as tx:
            row = _find(tx, model, version, variant)
        if row is None:
            raise NotFound(f"{model}:{version} has no released variant {variant!r}")
        return self._artifacts.path(Digest(row.sha256))

    def target_path(self, hashed: str) -> Path:
        """Return where a signed target lies, by the name that TUF clients ask for. Raises: NotFound, InvalidName."""
        name, digest = target_path.parse_hashed(hashed)
        with self._control.read() as tx:
            row = _find(tx, name.model, name.version, name.variant)
        if row is None or row.sha256 != digest:
            raise NotFound(f"there is no target {hashed[:200]!r}")
        return self._artifacts.path(digest)

    def _describe(self, manifest: Manifest, file: Path) -> ReleaseRow:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size_bytes = stream.tell()
        return ReleaseRow(
            model=manifest.name,
            version=manifest.version,
            variant=manifest.variant,
            arch=manifest.target.arch,
            runtime=manifest.target.runtime,
            sha256=digest,
            size_bytes=size_bytes,
            manifest=manifests.encode(manifest),
            released_at_s=utc_s(self._clock),
        )


def _find(tx: ControlTransaction, model: str, version: str, variant: str) -> ReleaseRow | None:
    return next((row for row in tx.releases(model, version) if row.variant == variant), None)


def _deed(row: ReleaseRow, by: Caller | None) -> Deed:
    subject = f"{row.model}:{row.version} ({row.variant})"
    return Deed(actor=by.actor if by else "hub", action="release.made", subject=subject, facts={"sha256": row.sha256})


def _view(row: ReleaseRow) -> ReleaseView:
    try:
        # Checked when it was released; nobody else writes this column.
        lineage = msgspec.json.decode(row.manifest, type=Manifest).lineage
    except msgspec.DecodeError as error:
        raise DataCorrupt(f"the stored manifest of {row.model}:{row.version} ({row.variant}) is damaged") from error
    return ReleaseView(
        model=row.model,
        version=row.version,
        variant=row.variant,
        arch=row.arch,
        runtime=row.runtime,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        released_at_s=row.released_at_s,
        parent=lineage.parent,
        metrics=lineage.metrics,
    )
