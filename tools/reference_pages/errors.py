"""docs/reference/errors.md: every error code, who must act, and what it becomes over HTTP and as an exit code."""

import importlib
import pkgutil

import ganglion.core
from ganglion.core import errors
from ganglion.core.errors import GanglionError
from ganglion.wire import problems
from reference_pages.markdown import code, page, table
from source_tree import one_line

_INTRODUCTION = """\
Every error has a stable code. Over HTTP it is a problem document (RFC 9457, `application/problem+json`) with
`title`, `status`, `detail`, `code`, `remedy` and `retryable`; on the command line it is one line on standard
error and an exit code. The family says who must act."""

_FAMILIES: dict[type[GanglionError], str] = {
    errors.Rejected: "The caller must change the request.",
    errors.Unavailable: "Nobody: the same call may succeed later, unchanged.",
    errors.Untrusted: "Stop, and find out who sent what: a proof is missing or wrong.",
    errors.Broken: "An operator: this machine or its data needs repair.",
}

_EXITS = {
    0: "It worked.",
    problems.EXIT_FAILED: "It was tried and failed, or a check did not hold.",
    problems.EXIT_USAGE: "The request or the command line is wrong.",
    problems.EXIT_NOT_FOUND: "What was named does not exist.",
    problems.EXIT_AUTH: "A proof of identity is missing, wrong or not enough.",
    problems.EXIT_CONFLICT: "It contradicts what is there already.",
    problems.EXIT_UNAVAILABLE: "Not now; the same command may work later.",
    problems.EXIT_BROKEN: "This machine needs an operator.",
}


def render() -> str:
    """Return the page."""
    sections = [_section(family, who) for family, who in _FAMILIES.items()]
    exits = table(("exit code", "meaning"), ((str(number), text) for number, text in sorted(_EXITS.items())))
    return page("Errors", _INTRODUCTION, "## Exit codes", exits, *sections, _section(GanglionError, "Us: report it."))


def known_errors() -> list[type[GanglionError]]:
    """Return every error of the shared vocabulary, families before members."""
    for module in pkgutil.iter_modules(ganglion.core.__path__, "ganglion.core."):
        importlib.import_module(module.name)
    return [kind for kind in problems.all_errors() if kind.__module__.startswith("ganglion.core.")]


def _section(family: type[GanglionError], who: str) -> str:
    own = [GanglionError] if family is GanglionError else [kind for kind in known_errors() if issubclass(kind, family)]
    rows = (
        (
            code(kind.code),
            one_line(kind.__doc__),
            str(problems.status_of(kind)),
            str(problems.exit_code_of(kind)),
            "yes" if kind.retryable else "no",
            kind.remedy,
        )
        for kind in sorted(own, key=lambda kind: (kind is not family, kind.code))
    )
    header = ("code", "what happened", "HTTP", "exit", "retry", "what to do")
    title = "Everything else" if family is GanglionError else family.__name__
    return f"## {title}\n\nWho acts: {who[0].lower() + who[1:]}\n\n{table(header, rows)}"
