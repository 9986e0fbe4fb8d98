"""Settings of alerts: how often the hub looks, and whom it tells."""

from typing import Annotated

import msgspec

from ganglion.wire.alert_resources import Severity


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A web address that is told. docs/howto/be-told.md describes the fields."""

    url: str
    """https; http is for this machine itself alone."""

    secret_file: str = ""
    """File with the secret with which messages are signed."""

    secret: str = ""
    """The secret itself, for who gives it in a variable. With neither, messages are not signed."""

    severity_min: Severity = Severity.INFO
    """info, warning or critical: what matters less is not sent."""

    ca_file: str = ""
    """Certificates with which the address is checked; empty: those of the system."""

    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    """How long an attempt may take in all."""


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts. Who is told stands here, not in a call: nobody makes a hub call an address that its operator did not."""

    look_s: Annotated[float, msgspec.Meta(ge=0.05, le=3600)] = 60.0
    """Time between two looks; a look that took long is followed by a longer pause."""

    targets: dict[str, TargetSettings] = {}
    """Web addresses by name, each a table: `url`; `secret_file` or `secret`; `severity_min`, `ca_file`, `timeout_s`."""

    queue_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    """Messages that wait to be taken; beyond, the oldest is dropped (drop_oldest), and the log tells."""

    queue_look_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0
    """Time between two looks at the queue when nothing was due."""

    retry_first_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """Pause before the second attempt; each further pause is twice as long."""

    retry_pause_s_max: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    """Longest pause between two attempts."""

    give_up_after_s: Annotated[float, msgspec.Meta(gt=0)] = 86_400.0
    """A message that was not taken for so long is dropped, and the log tells."""
