"""Takes what looks like a secret out of the output of a program before it leaves the node."""

import re
from typing import Final

HIDDEN: Final = "[hidden]"

_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_NAMED = re.compile(
    r"(?i)((?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|credential)"
    r"[\w.-]{0,40}[\"']?\s{0,8}[:=]\s{0,8})(\"[^\"\n]*\"|'[^'\n]*'|\S+)"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|digest)(\s+)[A-Za-z0-9._~+/=-]{8,}")
_IN_ADDRESS = re.compile(r"(://[^/\s:@]{0,64}:)[^@/\s]{1,256}@")
_TOKENS = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}"
)


def redacted(text: str) -> str:
    """Return the text with passwords, tokens and private keys taken out. It hides too much rather than too little."""
    text = _BLOCK.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _IN_ADDRESS.sub(rf"\1{HIDDEN}@", text)
    return _TOKENS.sub(HIDDEN, text)


def printable(data: bytes) -> str:
    """Return bytes as text that does nothing to a terminal: of control characters only tab and new line stay."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(each if each.isprintable() or each in "\t\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
