"""What is looked at before a ZIP archive is given to a library: how large it becomes, what its XML declares, and how
deep that is nested.

Sizes are counted while the members are decompressed, since an archive may lie about them.
"""

from __future__ import annotations

import re
import zipfile
from typing import Any, BinaryIO
from xml.parsers import expat

from runtime.providers.file_processors._readers.refusals import encrypted, invalid, over_limit, unsupported

_MAX_MEMBERS = 20_000
_MAX_PART_BYTES = 1024 * 1024
_ENCRYPTED = 0x1
_XML = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".htm", ".svg")
_STRICT_XML = (".xml", ".rels", ".opf", ".ncx")
"""Without pages, which are read as HTML, in which depth costs nothing."""
_MAX_DEPTH = 1000
"""The libraries take time that grows with the square of it: minutes for some kilobytes."""
_ZIP = b"PK\x03\x04"
OTHER_ARCHIVES = {
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
}
"""What is no ZIP, by its first bytes."""
_ENTITY = re.compile(
    b"|".join(re.escape("<!ENTITY".encode(encoding)) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
)
_EMBEDDED = ("/embeddings/", "/media/")
"""Where office formats keep files that are not read, archives among them."""


def check_archive(file: BinaryIO, what: str, *, limit_bytes: int) -> list[str]:
    """The names of the members of an archive that is safe to be read. what: such as `The DOCX`, for messages.

    Raises RequestError for one that is damaged or encrypted, becomes larger than the limit, has archives in it, or XML
    that declares entities or is nested too deeply.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS:
                raise over_limit(f"{what} has {len(members)} members, more than {_MAX_MEMBERS}")
            left = limit_bytes
            for member in members:
                if member.flag_bits & _ENCRYPTED:
                    raise encrypted(what)
                left -= _checked_size(archive, member, what, left)
                if left < 0:
                    raise over_limit(f"{what} becomes larger than {limit_bytes} bytes when it is decompressed")
            return [member.filename for member in members]
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise invalid(what, str(error)) from error
    except Exception as error:  # of zlib and lzma, each with a class of its own
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise invalid(what, str(error)) from error
        raise
    finally:
        file.seek(0)


def _checked_size(archive: zipfile.ZipFile, member: zipfile.ZipInfo, what: str, left: int) -> int:
    """The bytes of a member; more than `left` for one that is too large, which is not read to its end."""
    size, tail = 0, b""
    is_xml = member.filename.lower().endswith(_XML)
    nesting = _Nesting(what) if member.filename.lower().endswith(_STRICT_XML) else None
    with archive.open(member) as content:
        while part := content.read(_MAX_PART_BYTES):
            if (
                not size
                and part.startswith((_ZIP, *OTHER_ARCHIVES))
                and not any(place in member.filename for place in _EMBEDDED)
            ):
                raise unsupported(f"{what} has another archive in it, which is not read")
            size += len(part)
            if size > left:
                return size
            if is_xml:
                if _ENTITY.search(tail + part):
                    raise invalid(what, "its XML declares entities, which such documents do not need")
                tail = part[-32:]
            if nesting is not None:
                nesting.read(part)
    return size


class _Nesting:
    """How deep the elements of some XML are nested. What is not XML is left to the library that reads it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._depth = 0
        self._is_broken = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end

    def read(self, part: bytes) -> None:
        """The next bytes. Raises RequestError for what is nested too deeply, or in an encoding that cannot be read."""
        if not self._is_broken:
            try:
                self._parser.Parse(part, False)
            except expat.ExpatError:
                self._is_broken = True
            except (LookupError, ValueError) as error:  # of the codec that it names
                raise invalid(self._what, str(error)) from error

    def _begin(self, name: str, attributes: Any) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise over_limit(f"{self._what} has elements nested more than {_MAX_DEPTH} deep")

    def _end(self, name: str) -> None:
        self._depth -= 1
