"""Takes what looks like a secret out of the output of a program before it leaves the node."""

import re
from typing import Final

HIDDEN: Final = "[hidden]"

_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_WORDS = (
    r"(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|authori[sz]ation"
    r"|cookie|signature|session[_-]?(?:id|key)|(?<![a-z])(?:pass|pwd|pin|sig)(?![a-z]))"
)
_VALUE = r'\\"(?:[^"\\\n]|\\\\)*\\"|"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'|\S+"
"""A value in quotes, in the escaped quotes of JSON within JSON, or up to a space."""
_NAMED = re.compile(rf"(?i)({_WORDS}[\w.-]{{0,40}}(?:\\?[\"'])?\s{{0,8}}[:=]\s{{0,8}})({_VALUE})")
_OPTION = re.compile(rf"(?i)((?<![\w-])--[\w-]{{0,40}}{_WORDS}[\w-]{{0,40}}[ \t]{{1,8}})({_VALUE})")
_HEADER = re.compile(r"(?i)((?:authori[sz]ation|cookie)\"?\s{0,8}[:=]\s{0,8})([^\s\"'][^\"'\n]*)")
"""All of a header's line: a scheme of which nobody here has heard, or one cookie after another."""
_BEARER = re.compile(r"(?i)\b(bearer|basic|digest)(\s+)[A-Za-z0-9._~+/=-]{8,}")
_IN_ADDRESS = re.compile(r"(://)(?:[^/\s:@\"']{0,64}:[^@/\s]{1,256}|[^/\s:@\"']{8,256})@")
_TOKENS = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bglpat-[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9_-]{20,}"
    # Our own: of people, programs and nodes, and what lets a machine join.
    r"|\bganglion-[a-z]{1,20}-[0-9a-f]{32,}|(?<![0-9a-f])[0-9a-f]{48}\.[0-9a-f]{64}(?![0-9a-f])"
)


def redacted(text: str) -> str:
    """Return the text with passwords, tokens and private keys taken out. It hides too much rather than too little."""
    text = _BLOCK.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    text = _HEADER.sub(rf"\1{HIDDEN}", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _OPTION.sub(rf"\1{HIDDEN}", text)
    text = _IN_ADDRESS.sub(rf"\1{HIDDEN}@", text)
    return _TOKENS.sub(HIDDEN, text)


def printable(data: bytes) -> str:
    """Return bytes as text that does nothing to a terminal: of control characters only tab and new line stay."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(each if each.isprintable() or each in "\t\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
