"""What files a `winmail.dat` holds: Outlook's own container ([MS-OXTNEF]), as far as to tell names and sizes.

Pure; never raises: reading stops where the bytes make no sense. Time is linear in the container.
"""

import struct

_SIGNATURE = 0x223E9F78
_HEADER = struct.Struct("<IH")
_ATTRIBUTE = struct.Struct("<BII")
_CHECKSUM = 2
_BEGINS_FILE = 0x00069002  # attAttachRenddata
_TITLE = 0x00018010  # attAttachTitle: the name, in the system's charset, often shortened to 8.3
_DATA = 0x0006800F  # attAttachData
_PROPERTIES = 0x00069005  # attAttachment
_LONG_NAMES = ((b"\x1f\x00\x07\x37", "utf-16-le"), (b"\x1e\x00\x07\x37", "cp1252"))
"""PR_ATTACH_LONG_FILENAME as type and tag stand in the properties."""


def files_in(data: bytes) -> list[tuple[str, int]]:
    """Name and size in bytes of each file, in order; none when this is no such container."""
    if len(data) < _HEADER.size or _HEADER.unpack_from(data)[0] != _SIGNATURE:
        return []
    found: list[tuple[str, int]] = []
    position = _HEADER.size
    while position + _ATTRIBUTE.size <= len(data):
        _, attribute, length = _ATTRIBUTE.unpack_from(data, position)
        begin = position + _ATTRIBUTE.size
        if begin + length > len(data):
            break
        position = begin + length + _CHECKSUM
        if attribute == _BEGINS_FILE:
            found.append(("", 0))
        elif found:
            found[-1] = _known(found[-1], attribute, data[begin : begin + length])
    return found


def _known(file: tuple[str, int], attribute: int, value: bytes) -> tuple[str, int]:
    """The file with what one more attribute says of it."""
    name, size = file
    if attribute == _TITLE:
        return name or value.rstrip(b"\0").decode("cp1252", "replace"), size
    if attribute == _DATA:
        return name, len(value)
    if attribute == _PROPERTIES:
        return _long_name(value) or name, size
    return file


def _long_name(properties: bytes) -> str:
    """The property follows its tag as a count (1), a length in bytes, and so many bytes."""
    for tag, codec in _LONG_NAMES:
        at = properties.find(tag)
        if at >= 0 and at + 12 <= len(properties):
            (length,) = struct.unpack_from("<I", properties, at + 8)
            return properties[at + 12 : at + 12 + min(length, 1024)].decode(codec, "replace").rstrip("\0")
    return ""
