"""Looks through an OpenVINO model before an engine does: plain XML, known layers, constants inside its weights."""

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from ganglion.core.errors import InvalidPackage
from ganglion.trust.model_files.limits import ModelFileLimits

XML_BYTES_MAX: Final = 100_000_000
_DEPTH_MAX = 64
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"""^<\?xml[^>]*encoding\s*=\s*["']([^"']*)["']""", re.IGNORECASE)
_OPSET = re.compile(r"opset\d{1,2}\Z")
_ENDLESS = "Loop"
_SHOWN = 80


def check_openvino(xml: memoryview, weights_bytes: int, limits: ModelFileLimits, *, loops_allowed: bool) -> None:
    """Check the .xml of a model whose .bin has `weights_bytes`. Raises: InvalidPackage: with the reason."""
    if len(xml) > XML_BYTES_MAX:
        raise InvalidPackage(f"it has {len(xml)} bytes, at most {XML_BYTES_MAX} are read")
    data = bytes(xml)
    _check_plain(data)
    _IrCheck(weights_bytes, limits, loops_allowed=loops_allowed).parse(data)


def _check_plain(data: bytes) -> None:
    encoding = _ENCODING.match(data)
    if b"\0" in data or (encoding and encoding.group(1).lower() not in {b"utf-8", b"us-ascii", b"ascii"}):
        raise InvalidPackage("only UTF-8 is read")
    if _DECLARATION.search(data):
        raise InvalidPackage("it declares a document type or an entity, which can read other files or grow without end")


class _IrCheck:
    def __init__(self, weights_bytes: int, limits: ModelFileLimits, *, loops_allowed: bool) -> None:
        self._weights_bytes, self._limits, self._loops_allowed = weights_bytes, limits, loops_allowed
        self._depth = self._elements = 0
        self._layer = ""

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise InvalidPackage(f"it is no XML: {error}") from error

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth == 1 and name != "net":
            raise InvalidPackage(f"it is no OpenVINO model: it begins with <{name[:_SHOWN]}>")
        if self._depth > _DEPTH_MAX:
            raise InvalidPackage(f"it is nested deeper than {_DEPTH_MAX}")
        if self._elements > self._limits.fields_max:
            raise InvalidPackage(f"it has more than {self._limits.fields_max} elements: fields_max is the limit")
        if name == "layer":
            self._check_layer(attributes)
        elif name == "data" and self._layer == "Const":
            self._check_constant(attributes)

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _check_layer(self, attributes: Mapping[str, str]) -> None:
        self._layer = attributes.get("type", "")
        shown, version = self._layer[:_SHOWN], attributes.get("version", "")
        if not _OPSET.match(version):
            raise InvalidPackage(f"its layer {shown!r} is of {version[:_SHOWN]!r}, which needs a native library")
        if self._layer == _ENDLESS and not self._loops_allowed:
            raise InvalidPackage(
                f"its layer {shown!r} may never end: if the model needs it, "
                'set "loops_allowed": true in the limits of its manifest'
            )

    def _check_constant(self, attributes: Mapping[str, str]) -> None:
        offset, size = attributes.get("offset", ""), attributes.get("size", "")
        is_number = all(text.isascii() and text.isdigit() and len(text) < 20 for text in (offset, size))  # noqa: PLR2004 - digits of 2^64
        if not is_number or int(offset) + int(size) > self._weights_bytes:
            raise InvalidPackage(
                f"a constant stands at {offset[:_SHOWN]!r} with {size[:_SHOWN]!r} bytes; "
                f"its .bin has {self._weights_bytes}"
            )
