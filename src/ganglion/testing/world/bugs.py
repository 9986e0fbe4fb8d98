"""Classic errors that the test kit can plant in its own parts, to see that the laws notice them.

They live in the kit's disks, stores and shells alone. What ships to a hub or a node knows nothing of them.
"""

from enum import StrEnum


class Bug(StrEnum):
    """One error, and the law that must be broken by it: see `CAUGHT_BY`."""

    ACK_BEFORE_COMMIT = "ack_before_commit"
    CURSOR_OUTSIDE_TRANSACTION = "cursor_outside_transaction"
    DEDUPE_BY_TIME_WINDOW = "dedupe_by_time_window"
    NEWEST_DROPPED = "newest_dropped"
    SHED_UNCOUNTED = "shed_uncounted"
    STAMPED_WHEN_SENT = "stamped_when_sent"
    CAP_IGNORED = "cap_ignored"
    PUBLISH_BEFORE_SAVE = "publish_before_save"
    TWO_WRITES = "two_writes"
    DOUBLE_EPOCH = "double_epoch"
    GATE_COUNTS_SILENT = "gate_counts_silent"
    STAGE_WITHOUT_GATE = "stage_without_gate"
    ABORT_FORGETS_LATE_RETURNERS = "abort_forgets_late_returners"
    REVERT_TO_ANOTHER_MODEL = "revert_to_another_model"
    COMMIT_WITHOUT_SOAK = "commit_without_soak"
    RETRY_OF_A_FAILED_VERSION = "retry_of_a_failed_version"
    TWO_ACTIVE_SLOTS = "two_active_slots"
    NO_FALL_BACK = "no_fall_back"
    CLOCK_USED_FOR_ORDERING = "clock_used_for_ordering"
    RESTORED_HUB_KEEPS_ITS_LIFE = "restored_hub_keeps_its_life"
    LENGTH_TRUSTED_ON_RESUME = "length_trusted_on_resume"
    TOKEN_CHECKED_ONLY_AT_LOGIN = "token_checked_only_at_login"  # noqa: S105 - no token
    ANOTHER_NODES_WISH = "another_nodes_wish"
    NODE_ID_FROM_THE_BATCH = "node_id_from_the_batch"
    UNAUDITED = "unaudited"
    EXPERIMENT_FORGETS_THE_AWAY = "experiment_forgets_the_away"
    NODE_IN_TWO_ARMS = "node_in_two_arms"


CAUGHT_BY = {
    Bug.ACK_BEFORE_COMMIT: 3,
    Bug.CURSOR_OUTSIDE_TRANSACTION: 3,
    Bug.DEDUPE_BY_TIME_WINDOW: 3,
    Bug.NEWEST_DROPPED: 4,
    Bug.SHED_UNCOUNTED: 3,
    Bug.STAMPED_WHEN_SENT: 3,
    Bug.CAP_IGNORED: 4,
    Bug.PUBLISH_BEFORE_SAVE: 7,
    Bug.TWO_WRITES: 7,
    Bug.DOUBLE_EPOCH: 3,
    Bug.GATE_COUNTS_SILENT: 6,
    Bug.STAGE_WITHOUT_GATE: 5,
    Bug.ABORT_FORGETS_LATE_RETURNERS: 5,
    Bug.REVERT_TO_ANOTHER_MODEL: 5,
    Bug.COMMIT_WITHOUT_SOAK: 2,
    Bug.RETRY_OF_A_FAILED_VERSION: 2,
    Bug.TWO_ACTIVE_SLOTS: 1,
    Bug.NO_FALL_BACK: 1,
    Bug.CLOCK_USED_FOR_ORDERING: 8,
    Bug.RESTORED_HUB_KEEPS_ITS_LIFE: 8,
    Bug.LENGTH_TRUSTED_ON_RESUME: 2,
    Bug.TOKEN_CHECKED_ONLY_AT_LOGIN: 9,
    Bug.ANOTHER_NODES_WISH: 2,
    Bug.NODE_ID_FROM_THE_BATCH: 9,
    Bug.UNAUDITED: 9,
    Bug.EXPERIMENT_FORGETS_THE_AWAY: 11,
    Bug.NODE_IN_TWO_ARMS: 11,
}
"""The law that notices first, or beside others."""
