"""What goes wrong when a model is asked."""

from ganglion.core.errors import Broken, InvalidRequest, Unavailable


class InputUnusable(InvalidRequest):
    """The inputs are of the declared type and shape, but a step cannot use what they hold, as a damaged image."""

    code = "input_unusable"
    remedy = "Correct the input that the message names; the model was not asked."


class ServingUnreachable(Unavailable):
    """The serving process does not answer on its local socket."""

    code = "serving_unreachable"
    remedy = "Wait: the supervisor starts it again."


class ModelNotReady(Unavailable):
    """The model is known but no version of it is loaded yet."""

    code = "model_not_ready"
    remedy = "Load one, or wait for the node to commit one; `GET /v2/models/NAME/ready` tells."


class DeadlineExceeded(Unavailable):
    """The time that the client gave was over before the model's turn came; the model did not run."""

    code = "deadline_exceeded"
    remedy = "Allow more time, send less at a time, or ask another node."


class ModelHung(Unavailable):
    """The model did not come back within the time that one run may take; the serving process starts again."""

    code = "model_hung"
    remedy = "Do not send this input again; the log names the version. `run_s_max` is how long a run may take."


class ModelQuarantined(Unavailable):
    """The version took the serving process down several times, by a crash or a run without end."""

    code = "model_quarantined"
    remedy = "Replace the model file, release a better version, or start the server again to give it another chance."
    retryable = False


class ModelFailed(Broken):
    """The model failed on inputs that its manifest allows."""

    code = "model_failed"
    remedy = "Go back to the previous version, or release one that answers this input; the node's log has the reason."
