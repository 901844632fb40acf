"""Our own package as a wheel, zipped from the files that are running.

Knows the wheel format (PEP 427, PEP 566, PEP 440's local versions) and where our files and dependencies are written
down, in a source tree or in an installed copy. Knows nothing of uv, of environments or of who wants the wheel. Runs
no build backend and opens no network.

Why: uv refuses an editable requirement where hashes are required, and a distribution must run the very code that
built it. The bytes depend on the content alone (sorted names, one fixed time, stored and not deflated, since zlib
builds differ), so unchanged sources give the same hash on any machine. What we depend on is brought to one spelling and
order, for a tree and its installed copy to agree.
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import runtime
from runtime.config.home import atomic_write
from runtime.errors import StackError

PROJECT = "llama-stack-toolchain"
PACKAGES = ("llama_cli", "runtime")
EXTRA = "server"
_METADATA = f"Metadata-Version: 2.1\nName: {PROJECT}\n"
_WHEEL = f"Wheel-Version: 1.0\nGenerator: {PROJECT}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_ENTRY_POINTS = "[console_scripts]\nllama = llama_cli.entry:main\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can hold
_LEFTOVERS = (".pyc", ".pyo", ".swp", "~")


def snapshot_wheel(folder: Path, *, root: Path | None = None) -> Path:
    """Write `llama_stack_toolchain-<version>+s<digest>-py3-none-any.whl` into `folder` (made if missing) and return
    its absolute path.

    The digest is of the content, so a changed source gives another name; where the same file already stands it is
    left alone. root: the folder that holds `runtime`; by default that of the code which is running. Raises StackError
    where neither a pyproject.toml nor an installed copy's metadata says what we depend on, OSError where `folder`
    cannot be written to.
    """
    root = (root or Path(runtime.__file__).parent.parent).resolve()
    pyproject = root / "pyproject.toml"
    declared = _from_pyproject(pyproject) if pyproject.is_file() else _from_installed(root)
    files = {name: path.read_bytes() for name, path in sorted(_package_files(root))}
    record = _record(files)
    digest = hashlib.sha256(f"{declared}\n{record}".encode()).hexdigest()
    # A letter in front: a local version of digits alone would be read as a number and lose its leading zeros (PEP 440).
    version = f"{runtime.__version__}+s{digest[:12]}"

    stem = f"{PROJECT.replace('-', '_')}-{version}"
    info = {
        f"{stem}.dist-info/METADATA": f"{_METADATA}Version: {version}\n{declared}".encode(),
        f"{stem}.dist-info/WHEEL": _WHEEL.encode(),
        f"{stem}.dist-info/entry_points.txt": _ENTRY_POINTS.encode(),
    }
    own = f"{stem}.dist-info/RECORD"
    content = _zip({**files, **info, own: f"{record}{_record(info)}{own},,\n".encode()})
    wheel = folder.resolve() / f"{stem}-py3-none-any.whl"
    if not (wheel.is_file() and wheel.read_bytes() == content):
        atomic_write(wheel, content)
    return wheel


def _package_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Name in the wheel and place on disk of every file of ours; the source tree's top-level `templates` moves into
    llama_cli."""
    folders = {package: root / package for package in PACKAGES}
    if (root / "templates").is_dir() and (root / "pyproject.toml").is_file():
        folders["llama_cli/templates"] = root / "templates"
    for prefix, folder in folders.items():
        for path in folder.rglob("*"):
            name = path.relative_to(folder)
            is_ours = not any(part.startswith(".") or part == "__pycache__" for part in name.parts)
            if is_ours and not name.name.endswith(_LEFTOVERS) and path.is_file():
                yield f"{prefix}/{name.as_posix()}", path


def _from_pyproject(pyproject: Path) -> str:
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    requires = list(project["dependencies"])
    for line in project.get("optional-dependencies", {}).get(EXTRA, []):
        wanted, _, marker = line.partition(";")
        requires.append(f"{wanted}; {f'({marker}) and ' if marker else ''}extra == '{EXTRA}'")
    return _declared(project.get("requires-python", ">=3.11"), requires)


def _from_installed(root: Path) -> str:
    from email.parser import HeaderParser

    file = next(root.glob(f"{PROJECT.replace('-', '_')}-*.dist-info/METADATA"), None)
    if file is None:
        raise StackError(
            f"cannot tell what {PROJECT} depends on: `{root}` holds neither pyproject.toml nor installed metadata",
            hint=f"install it again: `pip install --force-reinstall {PROJECT}`",
        )
    fields = HeaderParser().parsestr(file.read_text(encoding="utf-8"))
    return _declared(fields.get("Requires-Python", ">=3.11"), fields.get_all("Requires-Dist", []))


def _declared(requires_python: str, requires: Iterable[str]) -> str:
    """METADATA's lines about what we depend on; those for other extras than ours are left out."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    lines = sorted(str(Requirement(line)) for line in requires)
    kept = [line for line in lines if "extra ==" not in line or f'extra == "{EXTRA}"' in line]
    head = f"Requires-Python: {SpecifierSet(requires_python)}\nProvides-Extra: {EXTRA}\n"
    return head + "".join(f"Requires-Dist: {line}\n" for line in kept)


def _record(files: Mapping[str, bytes]) -> str:
    """RECORD's lines: `name,sha256=<url-safe base64, no padding>,<bytes>`. None of our names needs quotes."""
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(content).digest()) for name, content in files.items()}
    lines = (f"{name},sha256={digests[name].rstrip(b'=').decode()},{len(files[name])}\n" for name in files)
    return "".join(lines)


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
