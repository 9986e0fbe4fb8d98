"""What a person set for the hub, in the words of the services that it is for."""

from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.hub.domain.records.ingest import BatchLimits
from ganglion.hub.services.identity.enrolment import EnrolmentSettings
from ganglion.hub.services.records.retention import RetentionLimits
from ganglion.hub.services.samples.sample_contents import ContentLimits

_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, never bound to


def enrolment(settings: HubSettings) -> EnrolmentSettings:
    """Return how long what nodes join and speak with is good."""
    chosen = settings.identity
    return EnrolmentSettings(
        join_token_life_s_max=chosen.join_token_life_s_max,
        join_tokens_max=chosen.join_tokens_max,
        challenge_life_s=chosen.challenge_life_s,
        access_token_life_s=chosen.access_token_life_s,
    )


def batches(settings: HubSettings) -> BatchLimits:
    """Return what a batch of records may be."""
    chosen = settings.records
    return BatchLimits(
        records_max=chosen.batch_records_max,
        bytes_max=chosen.batch_bytes_max,
        sample_bytes_max=chosen.sample_bytes_max,
        disk_free_bytes_min=chosen.disk_free_bytes_min,
    )


def contents(settings: HubSettings) -> ContentLimits:
    """Return what nodes may leave at the hub of large samples."""
    chosen = settings.records
    return ContentLimits(
        content_bytes_max=chosen.sample_bytes_max,
        node_bytes_max=chosen.sample_contents_node_bytes_max,
        days=chosen.sample_contents_days,
        joined_bytes_max=chosen.batch_bytes_max,
        disk_free_bytes_min=chosen.disk_free_bytes_min,
    )


def retention(settings: HubSettings) -> RetentionLimits:
    """Return how long records are kept."""
    chosen = settings.retention
    return RetentionLimits(
        records_days=chosen.records_days,
        audit_days=settings.audit.retention_days,
        minutes_days=chosen.minutes_days,
        hours_days=chosen.hours_days,
        events_days=chosen.events_days,
        samples_days=chosen.samples_days,
        bytes_max=chosen.bytes_max,
        step_rows_max=chosen.step_rows_max,
    )


def hostnames(settings: HubSettings) -> tuple[str, ...]:
    """Return the certificate's names: those of the settings, and the address itself when it is a real one."""
    known = settings.host in _WILDCARDS or settings.host in settings.hostnames
    return settings.hostnames if known else (*settings.hostnames, settings.host)
