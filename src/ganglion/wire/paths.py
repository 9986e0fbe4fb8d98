"""Every URL path of the hub, in one place. Names were parsed by `core.ids`, so nothing needs escaping."""

from ganglion.core.ids import Digest, RolloutId

API = "/api/v1"

CA = f"{API}/ca"
JOIN = f"{API}/node/join"
CHALLENGE = f"{API}/node/challenge"
ACCESS = f"{API}/node/access"
REKEY = f"{API}/node/rekey"
DESIRED = f"{API}/node/desired"
REPORT = f"{API}/node/report"
BATCHES = f"{API}/node/batches"
NODE_FILES = f"{API}/node/files"
NODE_SAMPLES = f"{API}/node/samples"
NODE_SHELLS = f"{API}/node/shells"
TUF_METADATA = f"{API}/tuf/metadata"
TUF_TARGETS = f"{API}/tuf/targets"

NODES = f"{API}/nodes"
NODE_TOKENS = f"{API}/node-tokens"
NODE_TOKEN_LISTS = f"{NODE_TOKENS}/lists"
NODE_ACTIONS = f"{API}/node-actions"
FLEET = f"{API}/fleet"
GROUPS = f"{API}/groups"
SITES = f"{API}/sites"
ZONES = f"{API}/zones"
APPLY = f"{API}/apply"
SCHEMAS = f"{API}/schemas"
ROLLOUT_POLICIES = f"{API}/rollout-policies"
RELEASES = f"{API}/releases"
ROLLOUTS = f"{API}/rollouts"
ROLLOUT_PLAN = f"{ROLLOUTS}/plan"
EXPERIMENTS = f"{API}/experiments"
ALERTS = f"{API}/alerts"
ALERT_TARGETS = f"{API}/alert-targets"
SAMPLES = f"{API}/samples"
LABELS = f"{API}/labels"
DATASETS = f"{API}/datasets"
ARTIFACTS = f"{API}/artifacts"
RESULTS = f"{API}/results"
EVENTS = f"{API}/events"
INPUT_SHIFTS = f"{API}/input-shifts"
STATUS = f"{API}/status"
FIGURES = f"{API}/figures"
FIGURE_DAYS = f"{FIGURES}/days"
SETTINGS = f"{API}/settings"
FILES = f"{API}/files"
ACCOUNTS = f"{API}/accounts"
PROGRAM_TOKENS = f"{API}/tokens"
LOGIN = f"{API}/login"
LOGIN_REQUESTS = f"{LOGIN}/requests"
WHO = f"{API}/who"
AUDIT = f"{API}/audit"
AUDIT_VERIFICATION = f"{AUDIT}/verification"
AUDIT_CHECKPOINTS = f"{AUDIT}/checkpoints"
AUDIT_SEGMENTS = f"{AUDIT}/segments"
TRUST = f"{API}/trust"
TRUST_DOCUMENTS = f"{TRUST}/documents"
TRUST_PROPOSALS = f"{TRUST}/proposals"
TRUST_ONLINE_KEYS = f"{TRUST}/online-keys"
TRUST_MODELS = f"{TRUST}/models"


def rollout(rollout_id: RolloutId, action: str = "") -> str:
    """Return the path of a rollout, or of an action on it: pause, resume, abort, promote, approve, skip, retry."""
    return f"{ROLLOUTS}/{rollout_id}/{action}" if action else f"{ROLLOUTS}/{rollout_id}"


def experiment(name: str, action: str = "") -> str:
    """Return the path of an experiment, or of an action on it: start, stop, conclude."""
    return f"{EXPERIMENTS}/{name}/{action}" if action else f"{EXPERIMENTS}/{name}"


def node(name: str, action: str = "") -> str:
    """Return the path of a node, or of an action on it: revoke, retire, admit, rekey, groups."""
    return f"{NODES}/{name}/{action}" if action else f"{NODES}/{name}"


def declared(where: str, name: str, action: str = "") -> str:
    """Return the path of a group, a site, a zone or an alert, or of an action on it: remove."""
    return f"{where}/{name}/{action}" if action else f"{where}/{name}"


def account(name: str, action: str = "") -> str:
    """Return the path of an account, or of an action on it: disable, renew, password, link."""
    return f"{ACCOUNTS}/{name}/{action}" if action else f"{ACCOUNTS}/{name}"


def program_token(token_id: str, action: str = "") -> str:
    """Return the path of a program's token, or of an action on it: revoke."""
    return f"{PROGRAM_TOKENS}/{token_id}/{action}" if action else f"{PROGRAM_TOKENS}/{token_id}"


def release_package(model: str, version: str, variant: str) -> str:
    """Return the path of a released package file."""
    return f"{RELEASES}/{model}/{version}/{variant}/package"


def node_file(digest: Digest) -> str:
    """Return the path by which a node asks for a reference file."""
    return f"{NODE_FILES}/{digest}"


def node_sample(sha256: str) -> str:
    """Return the path by which a node hands over the inputs of a large sample."""
    return f"{NODE_SAMPLES}/{sha256}"


def node_shell(shell_id: str, part: str) -> str:
    """Return the path of a part of a session, as the node reaches it: output, input, recording."""
    return f"{NODE_SHELLS}/{shell_id}/{part}"


def shell(name: str, shell_id: str = "", part: str = "") -> str:
    """Return the path of a node's sessions, or of a part of one: output, input, close, recording."""
    return f"{NODES}/{name}/shells/{shell_id}/{part}" if shell_id else f"{NODES}/{name}/shells"


def artifact(digest: Digest) -> str:
    """Return the path of content in the artifact store."""
    return f"{ARTIFACTS}/{digest}"


def dataset(name: str, version: int) -> str:
    """Return the path of one data set version's contents."""
    return f"{DATASETS}/{name}/{version}"


def target_path(model: str, version: str, variant: str) -> str:
    """Return the TUF target name of a package; the role `model-MODEL` is trusted for it alone."""
    return f"models/{model}/{version}/{variant}.ganglion"


def artifact_name(digest: Digest) -> str:
    """Return the file name of content in an artifact store."""
    return f"{digest[:2]}/{digest}"
