"""Builders that hide what a test of the node does not care about."""

from ganglion.node.domain.update.reconcile import Installed
from ganglion.wire.desired import Assignment, DeploymentPolicy, DesiredState
from ganglion.wire.paths import target_path


def an_assignment(version: str = "2", *, rollout: str = "r2", policy: DeploymentPolicy | None = None) -> Assignment:
    return Assignment(
        model="meter",
        version=version,
        variant="fp32",
        target_path=target_path("meter", version, "fp32"),
        size_bytes=1000,
        sha256=version * 64,
        arch="any",
        runtime="onnxruntime",
        rollout_id=rollout,
        policy=policy or DeploymentPolicy(probation_s=5.0, inferences_min=10),
    )


def an_installed(version: str = "1") -> Installed:
    return Installed(version=version, path=f"/packages/meter/{version}", sha256=version * 64)


def a_desired(revision: int, *assignments: Assignment, incarnation: str = "hub-1") -> DesiredState:
    return DesiredState(incarnation=incarnation, revision=revision, assignments=assignments)
