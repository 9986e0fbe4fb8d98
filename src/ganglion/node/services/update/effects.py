"""What each state of an update does to the world: check the machine, the signatures, bring, load, prove, switch."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
import msgspec

from ganglion.core import install_windows
from ganglion.core.errors import Conflict, DiskUnusable, InvalidPackage, NotFound, TargetMismatch
from ganglion.core.manifest import Limits
from ganglion.core.serving_errors import ModelNotReady
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.node.domain.update.reconcile import Installed, ModelState
from ganglion.node.domain.update.shadow import wants_shadow
from ganglion.node.domain.update.table import Update, UpdateEffect, UpdateEvent
from ganglion.node.services.places import Places
from ganglion.node.services.update.held_trials import split
from ganglion.ports.hub_link import HubLink, Vouched
from ganglion.ports.packages import PackageFiles
from ganglion.ports.sandbox import Sandbox
from ganglion.ports.serving_control import (
    Command,
    Load,
    Proof,
    Prove,
    Refused,
    Reply,
    ServingControl,
    ServingStatus,
    Switch,
)
from ganglion.wire.desired import Assignment, DeploymentPolicy
from ganglion.wire.identity import NodeFacts
from ganglion.wire.paths import target_path

T = TypeVar("T")

_DISK_FACTOR = 2.2
"""The package file and its unpacked form lie on the disk together for a moment."""
_DISK_FLOOR_BYTES = 50_000_000
_MEMORY_UNSTATED = Limits().memory_bytes_max
"""What a manifest says that says nothing: no reason to refuse a small machine."""
_LOAD_TIMEOUT_S = 120.0
_COMMAND_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an effect led to."""

    event: UpdateEvent
    reason: str = ""
    vouched: Vouched | None = None
    """What the model's role has signed beside the bytes, when that was looked at."""


def _by_anybody(_model: str, _signers: tuple[str, ...]) -> str:
    return ""


class UpdateEffects:
    """Performs effects. Unavailable means: try again later. Any other error of ours ends the attempt."""

    def __init__(
        self,
        *,
        link: HubLink,
        control: ServingControl,
        packages: PackageFiles,
        sandbox: Sandbox,
        places: Places,
        facts: NodeFacts,
        root_version_min: Callable[[], int],
        memory_free: Callable[[], int],
        why_not_published: Callable[[str, tuple[str, ...]], str] = _by_anybody,
    ) -> None:
        """`memory_free` returns how many bytes of memory a model could take now.

        `why_not_published` returns why a model that these keys may sign may not run here; empty when it may.
        """
        self._link, self._control, self._packages, self._sandbox = link, control, packages, sandbox
        self._places, self._facts, self._root_version_min = places, facts, root_version_min
        self._memory_free, self._why_not_published = memory_free, why_not_published
        self._intact: set[str] = set()

    async def perform(
        self,
        update: Update,
        model: ModelState,
        status: ServingStatus,
        *,
        others: Sequence[Assignment] = (),
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        """Carry out the effect of the update's state.

        `others` are attempts of other models, which need their room on the disk, too; a download ends when
        `is_wanted` says no. Raises: GanglionError.
        """
        match update.effect:
            case UpdateEffect.PRECHECK:
                await _in_thread(lambda: self._precheck(update, model, others))
                outcome = Outcome(UpdateEvent.PRECHECKED)
            case UpdateEffect.TRUST:
                outcome = Outcome(UpdateEvent.TRUSTED, vouched=await _in_thread(lambda: self._trust(update)))
            case UpdateEffect.DOWNLOAD:
                await _in_thread(lambda: self._bring(update.assignment, is_wanted))
                outcome = Outcome(UpdateEvent.DOWNLOADED)
            case UpdateEffect.LOAD:
                outcome = await self._load(update)
            case UpdateEffect.PROVE:
                outcome = await self._prove(update)
            case UpdateEffect.SWITCH if can_shadow(update, model, status):
                outcome = Outcome(UpdateEvent.SHADOWED)
            case UpdateEffect.SWITCH | UpdateEffect.LISTEN:
                outcome = await self._switch(update, model, status)
            case _:
                raise AssertionError(f"{update.effect} is not performed here")
        return outcome

    def installed(self, update: Update) -> Installed:
        """Return where the update's package lies."""
        assignment = update.assignment
        return Installed(
            version=assignment.version,
            path=str(self._places.package(assignment)),
            sha256=assignment.sha256,
            offline_s_max=update.offline_s_max,
        )

    def is_intact(self, installed: Installed) -> bool:
        """Say whether an installed package is still what was installed. One found intact is not read again."""
        if installed.path not in self._intact and self._is_package(Path(installed.path)):
            self._intact.add(installed.path)
        return installed.path in self._intact

    def _precheck(self, update: Update, model: ModelState, others: Sequence[Assignment]) -> None:
        assignment, held = update.assignment, model.committed
        install_windows.checked(assignment.policy.install_windows)
        if held and held.version == assignment.version and held.sha256 not in ("", assignment.sha256):
            # Serving knows versions by name: the new bytes would answer before they are proven, and stay.
            raise Conflict(f"this node has version {held.version} with other bytes: release these as another version")
        if assignment.target_path != target_path(assignment.model, assignment.version, assignment.variant):
            raise ArtifactUntrusted(f"the assignment names {assignment.target_path!r} for another model or version")
        if assignment.arch not in ("any", self._facts.arch):
            raise TargetMismatch(f"the package is for {assignment.arch}, this machine is {self._facts.arch}")
        if not self._facts.has_runtime(assignment.runtime):
            present = ", ".join(self._facts.runtimes) or self._facts.runtime
            raise TargetMismatch(f"the package needs {assignment.runtime}, this node has {present}")
        if not self._is_unpacked(assignment):
            self._check_disk(assignment, others)

    def _check_disk(self, assignment: Assignment, others: Sequence[Assignment]) -> None:
        """Look for room for the whole plan: known-good and spare are on the disk already, and stay."""
        need = self._disk_need(assignment)
        promised = sum(self._disk_need(other) for other in others if not self._is_unpacked(other))
        free = shutil.disk_usage(self._places.data).free
        if free < need + promised + _DISK_FLOOR_BYTES:
            beside = f" beside {promised:,} for other updates" if promised else ""
            raise DiskUnusable(
                f"the package needs {need + _DISK_FLOOR_BYTES:,} bytes of disk{beside}, {free:,} are free"
            )

    def _disk_need(self, assignment: Assignment) -> int:
        part = self._places.download(assignment).with_suffix(".part")
        held = part.stat().st_size if part.exists() else 0
        return max(int(assignment.size_bytes * _DISK_FACTOR) - held, 0)

    def _trust(self, update: Update) -> Vouched | None:
        # A version that this node had committed was verified then, and going back must work with the network gone.
        if update.was_committed and self._is_unpacked(update.assignment):
            return None
        vouched = self._link.check_target(update.assignment, root_version_min=self._root_version_min())
        why = self._why_not_published(update.assignment.model, vouched.signers)
        if why:
            raise ArtifactUntrusted(why)
        self._check_memory(vouched)
        return vouched

    def _check_memory(self, vouched: Vouched) -> None:
        need, free = vouched.memory_bytes_max, self._memory_free()
        if need is not None and need != _MEMORY_UNSTATED and need > free:
            raise TargetMismatch(f"the model may need {need:,} bytes of memory, {free:,} are free")

    def _bring(self, assignment: Assignment, is_wanted: Callable[[], bool]) -> None:
        directory = self._places.package(assignment)
        if self._is_unpacked(assignment):
            return
        file = self._places.download(assignment)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._link.download(assignment, file, is_wanted=is_wanted)
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(directory, ignore_errors=True)
            manifest = self._packages.unpack(file, directory)
        finally:
            file.unlink(missing_ok=True)
        if (manifest.name, manifest.version, manifest.variant) != (
            assignment.model, assignment.version, assignment.variant,
        ):  # fmt: skip
            shutil.rmtree(directory, ignore_errors=True)
            raise InvalidPackage(f"the package says it is {manifest.name}:{manifest.version} ({manifest.variant})")

    def _is_unpacked(self, assignment: Assignment) -> bool:
        return self._is_package(self._places.package(assignment))

    def _is_package(self, directory: Path) -> bool:
        if not directory.is_dir():
            return False
        try:
            self._packages.check(directory)
        except (InvalidPackage, NotFound, DiskUnusable):
            return False
        return True

    async def _load(self, update: Update) -> Outcome:
        assignment = update.assignment
        path = Path(self._places.package(assignment))
        # Going back to what this node had committed must not hang on a trial: it has long shown what it does.
        if not update.was_committed:
            # Abandoned when the agent stops; the trial ends with the agent's process.
            trial = await anyio.to_thread.run_sync(self._sandbox.try_out, path, abandon_on_cancel=True)
            if not trial.proof.passed:
                return Outcome(UpdateEvent.FAILED, f"golden inputs: {trial.proof.reason}")
        await self._call(Load(assignment.model, assignment.version, str(path)), timeout_s=_LOAD_TIMEOUT_S)
        return Outcome(UpdateEvent.LOADED)

    async def _prove(self, update: Update) -> Outcome:
        reply = await self._call(Prove(update.assignment.model, update.assignment.version), timeout_s=_LOAD_TIMEOUT_S)
        if isinstance(reply, Proof) and reply.passed:
            return Outcome(UpdateEvent.PROVED)
        reason = reply.reason if isinstance(reply, Proof) else "no proof was given"
        return Outcome(UpdateEvent.FAILED, f"golden inputs: {reason}")

    async def _switch(self, update: Update, model: ModelState, status: ServingStatus) -> Outcome:
        serving = status.models.get(update.assignment.model)
        if update.is_held:
            if serving is None or serving.active != update.control:
                raise ModelNotReady(f"version {update.control} does not answer yet, beside which it is to be tried")
            await self._call(split(update, update.assignment.policy.compare_share), timeout_s=_COMMAND_TIMEOUT_S)
            return Outcome(UpdateEvent.SWITCHED)
        before = model.committed.version if model.committed else ""
        has_both = serving is not None and before in serving.loaded and before != update.assignment.version
        compare = before if has_both and not update.was_committed else ""
        share = update.assignment.policy.compare_share if compare else 0.0
        await self._call(
            Switch(update.assignment.model, update.assignment.version, compare_with=compare, compare_share=share),
            timeout_s=_COMMAND_TIMEOUT_S,
        )
        return Outcome(UpdateEvent.SWITCHED)

    async def _call(self, command: Command, *, timeout_s: float) -> Reply:
        reply = await self._control.call(command, timeout_s=timeout_s)
        if isinstance(reply, Refused):
            raise InvalidPackage(f"{reply.code}: {reply.message}")
        return reply


def can_shadow(update: Update, model: ModelState, status: ServingStatus) -> bool:
    """Say whether the version is wanted in the shadow first, was not there yet, and there is one that answers."""
    serving, committed = status.models.get(update.assignment.model), model.committed
    if committed is None or serving is None:
        return False
    is_due = not (update.was_heard or update.was_committed) and wants_shadow(update.assignment.policy)
    if not (is_due or update.only_listens):
        return False
    return serving.active == committed.version != update.assignment.version


def policy_of(update: Update, model: ModelState) -> DeploymentPolicy:
    """Return the policy of the update's probation.

    A version that this node had committed before is not on trial; a first version has nothing to be compared with.
    """
    policy = update.assignment.policy
    if update.was_committed:
        return msgspec.structs.replace(policy, probation_s=0.0, inferences_min=0, comparisons_min=0)
    has_other = model.committed is not None and model.committed.version != update.assignment.version
    return policy if has_other else msgspec.structs.replace(policy, comparisons_min=0)


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await anyio.to_thread.run_sync(work)
    except OSError as error:
        raise DiskUnusable(f"{error.filename or 'the disk'}: {error.strerror or error}") from error
