"""Files of this machine: by path or `file:` below the folders that the run config allows, in the provider's folder
`lsfs`, and in installed packages. What the run config names itself may be anywhere.

    file:///data/questions.json?join=answers.json&on=id

of `file:` and `package:` takes a second file, which is named from the folder of the first one: each row of the first
has the columns of the row of the second that says the same in a column.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from runtime.addresses import origin_of
from runtime.errors import RequestError
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.localfs import installed
from runtime.providers.datasetio.localfs.config import LocalRowsConfig
from runtime.providers.datasetio.localfs.given import LONGEST_PLACE, Given, check_size, new_path

_WAYS = "give `https://`, `data:`, `huggingface://datasets/ID?split=S`, or the id of a file of `/v1/files`"
_FIELDS = ("join", "on")
_PIECE = 1024 * 1024


class LocalFiles:
    """lsfs: a folder of the provider."""

    def __init__(self, config: LocalRowsConfig, *, lsfs: Path) -> None:
        self._most = config.max_source_bytes
        self._folders = [Path(folder).expanduser() for folder in config.allowed_folders]
        self._packages = config.allowed_packages
        self._lsfs = lsfs

    def copied(self, uri: str, folder: Path, *, is_trusted: bool) -> Given:
        """A copy, in a folder, of the file that an address names, as it is now. is_trusted: whether the run config
        names it. Raises RequestError for one that may not be read, or is none, and TooLarge.
        """
        if not uri.lower().startswith(("file:", installed.SCHEME)):
            return self._copied(self._path(uri, is_trusted=is_trusted), folder, shortened(uri, LONGEST_PLACE))
        asked = _read(uri)
        given = self._copied(self._named(asked.first, is_trusted=is_trusted), folder, shortened(uri, LONGEST_PLACE))
        if not asked.on:
            return given
        beside = self._copied(self._named(asked.second, is_trusted=is_trusted), folder, asked.join)
        return replace(given, beside=replace(beside, name=asked.join), on=asked.on)

    def _named(self, address: SplitResult, *, is_trusted: bool) -> Path:
        """Where the file of a `file:` or `package:` address is. Raises RequestError."""
        if f"{address.scheme}:" == installed.SCHEME:
            if not is_trusted:
                installed.check_allowed(address.netloc, self._packages)
            return installed.file_of(address.netloc, os.path.normpath(unquote(address.path).lstrip("/")))
        if address.netloc not in ("", "localhost"):
            raise RequestError("a `file:` address names a file of this machine", hint="as in `file:///data/a.csv`")
        return self._allowed(unquote(address.path), is_trusted=is_trusted)

    def _path(self, uri: str, *, is_trusted: bool) -> Path:
        """The same of a path, and of `lsfs://`. Raises RequestError."""
        if uri.startswith("lsfs://"):
            return _below([self._lsfs], self._lsfs / unquote(uri.removeprefix("lsfs://")), "in the provider's `lsfs`")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri):
            raise RequestError(f"addresses of the kind `{origin_of(uri)[:40]}` cannot be read", hint=_WAYS)
        return self._allowed(uri, is_trusted=is_trusted)

    def _allowed(self, named: str, *, is_trusted: bool) -> Path:
        path = Path(named).expanduser() if is_trusted else Path(named)
        if "\0" in named or not (path.is_absolute() or is_trusted):
            raise RequestError("it is neither an address nor an absolute path", hint=_WAYS)
        if is_trusted:
            return path
        if not self._folders:
            raise RequestError(
                "files of this machine may not be registered",
                hint="whoever runs this server allows folders with `allowed_folders` in the provider's config; or send"
                " the file to `/v1/files` and give its id",
                code="path_not_allowed",
            )
        return _below(self._folders, path, "below a folder that `allowed_folders` has")

    def _copied(self, path: Path, folder: Path, called: str) -> Given:
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise RequestError(f"`{called}` cannot be read: {error.strerror}") from error
        try:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                raise RequestError(f"`{called}` is no file" + (" but a folder" if stat.S_ISDIR(about.st_mode) else ""))
            copy, size = new_path(folder), 0
            with copy.open("xb") as file:
                while piece := os.read(opened, _PIECE):
                    size += len(piece)
                    check_size(max(size, about.st_size), self._most)
                    file.write(piece)
        finally:
            os.close(opened)
        return Given(path=copy, name=path.name)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """first, second: addresses of files. join: the second one as it was named. on: a column; empty for no second."""

    first: SplitResult
    second: SplitResult
    join: str
    on: str


def _read(uri: str) -> _Asked:
    """Raises RequestError for what is no address, and for a query that says something else."""
    try:
        first = urlsplit(uri)
    except ValueError as error:
        raise RequestError(f"it is no address: {error}", code="invalid_address") from None
    query = parse_qs(first.query, keep_blank_values=True)
    if unknown := set(query).difference(_FIELDS):
        raise RequestError(
            f"the address of a file has no `{min(unknown)[:40]}`",
            hint="after `?` it has `join=FILE&on=COLUMN`, or nothing; a `?` in a name is `%3F`",
            code="invalid_address",
        )
    join, on = (query.get(field, [""])[-1] for field in _FIELDS)
    if query and not (join and on):
        raise RequestError(
            "of `join=FILE` and `on=COLUMN` one is missing",
            hint="`join` names a file beside the first one, `on` the column that both have",
            code="invalid_address",
        )
    folder = first.path.rpartition("/")[0]
    return _Asked(first=first, second=first._replace(path=f"{folder}/{quote(join)}"), join=join, on=on)


def _below(folders: list[Path], path: Path, where: str) -> Path:
    """The path without links. Raises RequestError for one that is not there, or leads out of the folders."""
    try:
        found = path.resolve(strict=True)
        is_allowed = any(found.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name that is too long
        is_allowed = False
    if not is_allowed:
        raise RequestError(f"there is no such file {where}", code="path_not_allowed")
    return found
