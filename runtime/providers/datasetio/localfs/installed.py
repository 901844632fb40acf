"""Data files of the packages that are installed beside this server: `package://NAME/path/in/it.json`. Of each, the list
is read that its installer has made (https://packaging.python.org/en/latest/specifications/recording-installed-packages/);
none is imported.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from packaging.utils import InvalidName, canonicalize_name

from runtime.errors import RequestError
from runtime.similar import names_for

SCHEME = "package:"
_EXAMPLE = "as in `package://acme-questions/acme_questions/data/capitals.jsonl`"
_CODE = frozenset((".py", ".pyc", ".pyi", ".pyd", ".so", ".dll", ".dylib", ".exe", ".pth"))
_ROWS = frozenset((".json", ".jsonl", ".csv", ".tsv", ".parquet", ".gz"))


def file_of(package: str, path: str) -> Path:
    """Where a package's file is. Raises RequestError for a package that is not installed, and for what is no data file
    of it.
    """
    name = _canonical(package)
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise RequestError(
            f"the package `{name}` is not installed beside this server",
            hint=f"name it among `additional_pip_packages` of the run.yaml, as in `{name}==1.0`, or `{name}==1.0"
            " --no-deps` for its data alone; then `llama stack build` installs it",
            code="package_not_installed",
        ) from None
    files = {str(one): one for one in found.files or () if _is_data(one)}
    if path not in files:
        with_rows = [one for one, file in files.items() if file.suffix in _ROWS]
        raise RequestError(
            f"the package `{name}` {found.version} has no data file `{path[:200]}`",
            hint=names_for(path, with_rows) or "it has no file of rows at all",
            code="address_unreadable",
        )
    return Path(str(found.locate_file(files[path])))


def version_of(uri: str) -> str | None:
    """The version of the package that an address names, as it is installed now; None where it names none, or one that
    is not here.
    """
    if not uri.lower().startswith(SCHEME):
        return None
    try:
        return metadata.version(_canonical(urlsplit(uri).netloc))
    except (metadata.PackageNotFoundError, RequestError, ValueError):
        return None


def check_allowed(package: str, allowed: Collection[str]) -> None:
    """Raises RequestError for a package that is not among those."""
    if _canonical(package) not in {*map(canonicalize_name, allowed)}:
        raise RequestError(
            f"files of the package `{package[:100]}` may not be registered",
            hint="whoever runs this server allows packages with `allowed_packages` in the provider's config",
            code="path_not_allowed",
        )


def _canonical(package: str) -> str:
    """Raises RequestError for what is no name of a package."""
    try:
        return canonicalize_name(package, validate=True)
    except InvalidName:
        raise RequestError("it names no package and file of it", hint=_EXAMPLE, code="invalid_address") from None


def _is_data(file: PurePosixPath) -> bool:
    """Not code, nothing about the package itself, and nothing outside of what it brings."""
    return file.suffix not in _CODE and not any(part == ".." or part.endswith(".dist-info") for part in file.parts)
