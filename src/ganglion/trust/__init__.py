"""Who may say what: TUF roles, signed identity assertions, single-use tokens. Pure: keys and time are arguments.

The library of keys loads the libraries of every cloud and of hardware that it finds installed, for signers that nobody
here uses: a fifth of a second at each start of a node. It is loaded here, and finds none of them.
"""

import sys

_UNUSED = [name for name in ("boto3", "google.cloud", "azure", "hvac", "pkcs11", "keylet") if name not in sys.modules]

# What stands as None in this table cannot be imported, and the library does without it.
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # the type does not know of None
try:
    import securesystemslib.signer  # noqa: F401 - for what importing it does
finally:
    for _name in _UNUSED:
        del sys.modules[_name]
