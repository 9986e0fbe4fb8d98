"""What a file really is, by its first bytes: code and archives stay out, whatever their names say.

This recognises honest files with a wrong name. It is not the wall against code: that is that nothing here
unpickles, imports, or loads a library from a package.
"""

import re
from typing import Final

from ganglion.core.errors import InvalidPackage

HEAD_BYTES: Final = 4096

_MAGICS: Final = (
    (b"PK\x03\x04", "a zip archive, as PyTorch, Keras and numpy .npz files are"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x7fELF", "a native program or library (ELF)"),
    (b"\xfe\xed\xfa\xce", "a native program or library (Mach-O)"),
    (b"\xfe\xed\xfa\xcf", "a native program or library (Mach-O)"),
    (b"\xce\xfa\xed\xfe", "a native program or library (Mach-O)"),
    (b"\xcf\xfa\xed\xfe", "a native program or library (Mach-O)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them"),
    (b"#!", "a script"),
)
_TAR: Final = (b"ustar", 257)
_PE_OFFSET, _PE_MAGIC = slice(0x3C, 0x40), b"PE\0\0"
_PICKLE: Final = re.compile(
    # Protocols 4 and 5 begin with a frame, 2 and 3 with one of the opcodes that picklers write first.
    rb"\x80[\x04\x05]\x95.{6}\0\0|\x80[\x02\x03][\x28\x29\x4b\x4d\x58\x5d\x63\x71\x7d\x8a\x8c]|"
    # Protocols 0 and 1 are text: names, and then what is stored or called. Lists of labels look much like it.
    rb"[}\]]q\0|\([dl]p\d+\n|\(?[ci][A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n(?:p\d+\n|q.[(X}\]]|\((?:S'|V|I\d|c))",
    re.DOTALL,
)
_CODE_SUFFIXES: Final = (
    ".dll", ".dylib", ".exe", ".joblib", ".npz", ".ort", ".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".pyd", ".sh",
    ".so",
)  # fmt: skip
_NPY_MAGIC: Final = b"\x93NUMPY"
_NPY_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\0..\{'descr': '(?:[<|][biuf]\d{1,2}|\|S\d{1,9})', "
    rb"'fortran_order': False, 'shape': \([\d, ]*\), \} *\n",
    re.DOTALL,
)


def check_member(name: str, head: bytes) -> None:
    """Refuse a file that is code or an archive by its name or its first `HEAD_BYTES`. Raises: InvalidPackage."""
    lower = name.lower()
    suffix = next((suffix for suffix in _CODE_SUFFIXES if lower.endswith(suffix)), "")
    if suffix or ".so." in lower:
        raise InvalidPackage(f"{name}: files of the kind {suffix or '.so'} hold code, or can, and are in no package")
    kind = _kind_of(head)
    if kind:
        raise InvalidPackage(f"{name} is not what its name says: it is {kind}")
    if lower.endswith(".npy") or head.startswith(_NPY_MAGIC):
        _check_npy(name, head)


def _kind_of(head: bytes) -> str:
    kind = next((kind for magic, kind in _MAGICS if head.startswith(magic)), "")
    magic, offset = _TAR
    if head[offset : offset + len(magic)] == magic:
        kind = "a tar archive"
    if head.startswith(b"MZ") and head[int.from_bytes(head[_PE_OFFSET], "little") :].startswith(_PE_MAGIC):
        kind = "a native program or library (PE)"
    return kind or ("a Python pickle, which is code" if _PICKLE.match(head) else "")


def _check_npy(name: str, head: bytes) -> None:
    if not _NPY_HEADER.match(head):
        raise InvalidPackage(
            f"{name} is no .npy of plain numbers or bytes: objects, structures and column order are in no package"
        )
