"""What is known about a dataset's rows: the files that they are in, and the versions that are made of these. Plain
data, which is written as a whole whenever it changes. Knows no database and no folder.

A part is a Parquet file that never changes. A version has the rows of some parts, one after another.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runtime.apis.datasetio.protocol import DatasetVersion
from runtime.errors import NotFound, RequestError
from runtime.providers.datasetio.localfs.kinds import Kind
from runtime.sse import encode

FORMAT = 1
ALGORITHM = "sha256:"
_SHOWN = 3
_SHOWN_DIGITS = 12


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A file. columns: those of its rows, in the order of the file's own `c0`, `c1` and so on."""

    file: str
    rows: int
    columns: list[tuple[str, Kind]]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A part that the dataset does not have yet. path: where it is."""

    part: Part
    path: Path


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What the dataset had at one time.

    digest: hex digits, over its rows and the names of its columns. state: what the digest of a version with more rows
    is computed on from. parts: spans of the manifest's parts, the second number of each exclusive. created_at: seconds
    since 1970.
    """

    digest: str
    state: str
    rows: int
    columns: list[tuple[str, Kind]]
    parts: list[tuple[int, int]]
    created_at: int

    def shown(self) -> DatasetVersion:
        """As the API has it."""
        return DatasetVersion(
            version=ALGORITHM + self.digest, num_rows=self.rows, columns=dict(self.columns), created_at=self.created_at
        )


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """dataset: its id. made: of this one, and of none that has its id later. source: the digest of where its rows are
    from, for those of the run config. versions: the latest is the last.
    """

    dataset: str
    made: str
    source: str = ""
    parts: list[Part] = []
    versions: list[Version] = []
    format: int = FORMAT

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    def parts_of(self, version: Version) -> list[Part]:
        return [part for begin, end in version.parts for part in self.parts[begin:end]]

    def version(self, named: str | None) -> Version:
        """The version with this digest, or with this beginning of one; the latest for None.

        Raises NotFound, and RequestError where several begin so.
        """
        if named is None:
            return self.latest
        digits = named.removeprefix(ALGORITHM)
        found = [version for version in self.versions if version.digest.startswith(digits)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RequestError(
                f"Several versions of the dataset begin with `{digits}`: {_listed(found, len(digits) + 8)}",
                hint="give more digits",
                param="version",
                code="ambiguous_version",
            )
        close = _closest(digits, self.versions)
        raise NotFound(
            f"The dataset `{self.dataset}` has no version `{named[:80]}`",
            hint=f"it has {_listed(close, _SHOWN_DIGITS)}" + (" and others" if len(self.versions) > len(close) else ""),
            param="version",
            code="version_not_found",
        )

    def of_source(self, source: str) -> Manifest:
        """The same, of rows that are from there."""
        return msgspec.structs.replace(self, source=source)

    def same_as(self, digest: str) -> Version | None:
        """The version with this digest."""
        return next((version for version in self.versions if version.digest == digest), None)

    def with_parts(self, new: Sequence[Part], version: Version) -> Manifest:
        """With more parts, and a version that is the latest; one with the same rows is no more."""
        others = [one for one in self.versions if one.digest != version.digest]
        return msgspec.structs.replace(self, parts=[*self.parts, *new], versions=[*others, version])


def extended(spans: Sequence[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    """Spans of parts with one more behind them."""
    if spans and spans[-1][1] == begin:
        return [*spans[:-1], (spans[-1][0], end)]
    return [*spans, (begin, end)]


def without_last(spans: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Spans of parts without the last parts of them."""
    kept = list(spans)
    while count:
        begin, end = kept.pop()
        if (left := end - begin - count) > 0:
            kept.append((begin, begin + left))
        count = max(0, count - (end - begin))
    return kept


def digest_of(state: str, names: Sequence[str]) -> str:
    """The digest of a version. state: of its rows, as `States` computes it."""
    return hashlib.sha256(f"{state}\n".encode() + encode(list(names))).hexdigest()


NO_ROWS = "00" * 32
"""The state before the first row."""


class States:
    """Goes on from the state of some rows to that of more: each is the digest of the one before and of a row as JSON,
    its members by name and without those that are null. So it is the same however rows are put into parts.
    """

    def __init__(self, before: str) -> None:
        self._state = bytes.fromhex(before)

    def add(self, rows: Iterator[bytes]) -> None:
        state, sha256 = self._state, hashlib.sha256
        for row in rows:
            state = sha256(state + row).digest()
        self._state = state

    @property
    def state(self) -> str:
        return self._state.hex()


def _listed(versions: Sequence[Version], digits: int) -> str:
    names = ", ".join(f"`{version.digest[:digits]}`" for version in versions[:_SHOWN])
    return f"{names} and others" if len(versions) > _SHOWN else names


def _closest(digits: str, versions: Sequence[Version]) -> list[Version]:
    """Those that begin most alike, and of such the latest."""

    def alike(version: Version) -> int:
        return next((at for at, digit in enumerate(digits) if version.digest[at : at + 1] != digit), len(digits))

    return heapq.nlargest(_SHOWN, reversed(versions), key=alike)
