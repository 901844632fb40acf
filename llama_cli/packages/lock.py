"""A distribution's packages: what its providers ask for, and the pylock.toml (PEP 751) that uv makes of it.

Knows requirements and `uv pip compile`. Knows nothing of virtual environments, provider specs or run configs.

The file is uv's own, with versions, addresses, hashes and sizes, and the index added where only one is asked: uv looks
for a package in its cache by that, and without it unpacks each one anew. It stands behind two lines of ours:
    # input: <name=digest ...>  what it was made from (`_SUBJECTS`): as long as that stays, uv need not be asked
    # content: <digest>         of what follows: a file that was changed by hand is not taken for a lock
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from llama_cli.exits import Failure
from llama_cli.packages.pip_settings import UvSettings, choose_torch
from llama_cli.packages.requirements import Requirements
from llama_cli.packages.snapshot import EXTRA, PROJECT
from llama_cli.packages.temporary import work_folder
from llama_cli.packages.uv import run_uv
from runtime.config.home import LOCK, atomic_write
from runtime.config.requirement import Requirement
from runtime.config.text import read_text

_SUBJECTS = {
    "python": "Python",
    "toolchain": "the toolchain itself",
    "packages": "what its providers need",
    "torch": "whether torch is to use a GPU",
    "index": "where packages come from (settings of pip and uv)",
}
_FILES = "a package's file on this machine"
"""What a lock is made from, in words."""
HEAD = "# Written by `llama stack build`; a change made here is lost with the next lock.\n"


@dataclass(frozen=True, kw_only=True)
class Package:
    """size_bytes: of the file that is fetched, None where the index does not give it. is_local: it is on this
    machine already.
    """

    name: str
    version: str
    size_bytes: int | None = None
    is_local: bool = False


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A pylock.toml, and what is needed to install from it.

    digest: of its content. python: the interpreter it was made for. settings: how uv reaches what it names. seconds:
    how long uv was asked, 0 where nothing had changed. changed: what had, of a lock that was there, in words. replaces:
    whether a package has another file than before, perhaps of the same version. warnings: for people.
    """

    file: Path
    digest: str
    packages: tuple[Package, ...]
    python: Path
    settings: UvSettings
    seconds: float = 0.0
    changed: tuple[str, ...] = ()
    replaces: bool = False
    warnings: tuple[str, ...] = ()


def lock(
    requirements: Requirements,
    wheel: Path,
    folder: Path,
    settings: UvSettings,
    *,
    is_built: Callable[[Lock], bool] = lambda lock: False,
) -> Lock:
    """Pin `wheel` with its server extra and the requirements in `folder`/pylock.toml; without asking uv where nothing
    has changed. Versions of an earlier lock are kept where they still fit.

    is_built: whether what a lock names is installed already; where packages come from does not matter then.
    Raises Failure where uv finds no answer.
    """
    file = folder.resolve() / LOCK
    python = base_python()
    torch = choose_torch(settings)
    constraints = [torch.constraint] if torch.constraint else []
    facts = {
        "python": [str(python), sys.version, platform.machine()],
        "toolchain": [str(wheel.resolve()), _sha256(wheel.read_bytes())],
        "packages": [
            *(f"main {each}" for each in requirements.main),
            *(f"alone {each}" for each in requirements.alone),
        ],
        "torch": [str(torch.wants_cpu), os.environ.get("UV_TORCH_BACKEND", "")],
        "index": [*settings.fingerprint(), str(torch.constraint)],
    }
    digests = {name: _sha256("\n".join(lines))[:16] for name, lines in facts.items()}
    made_from, former = read_lock(file)
    made = partial(Lock, file=file, python=python, settings=settings)
    changed = [name for name, digest in digests.items() if made_from.get(name) != digest]
    replaced = _replaced(former, file) if former else False
    if former and not replaced and changed in ([], ["index"]):
        found = made(digest=_sha256(former), packages=packages_of(former))
        if not changed or is_built(found):
            return found

    started = time.monotonic()
    warnings: tuple[str, ...] = ()
    ask = partial(_compile, requirements, wheel, settings, python, former=former)
    text = ask(constraints)
    if torch.wants_cpu and _has_cuda_torch(packages_of(text)):
        text, warnings = _try_cpu_index(ask, text, settings)
    content = _sha256(text)
    stated = " ".join(f"{name}={digest}" for name, digest in digests.items())
    atomic_write(file, f"{HEAD}# input: {stated}\n# content: {content}\n\n{text}")
    return made(
        digest=content,
        packages=packages_of(text),
        seconds=time.monotonic() - started,
        replaces=replaced,
        changed=(*(_SUBJECTS[name] for name in changed), *([_FILES] if replaced else [])) if former else (),
        warnings=warnings,
    )


def base_python() -> Path:
    """The interpreter below ours, outside any virtual environment: what a distribution's own is made from."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).absolute()


def read_lock(file: Path) -> tuple[dict[str, str], str]:
    """The digests of what a lock was made from, by name, and uv's text; both empty where there is no file, or one that
    is not ours, not whole or changed by hand.
    """
    try:
        head, _, text = file.read_text(encoding="utf-8").partition("\n\n")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return {}, ""
    found = re.search(r"^# input: (.+)\n# content: (\w+)$", head, re.MULTILINE)
    if not found or found[2] != _sha256(text):
        return {}, ""
    return dict(re.findall(r"(\w+)=(\w+)", found[1])), text


def packages_of(text: str) -> tuple[Package, ...]:
    """What a pylock.toml pins, in its order."""
    return tuple(_package(stated) for stated in tomllib.loads(text).get("packages", []))


def _replaced(text: str, file: Path) -> bool:
    """Whether a file on this machine that a lock pins has become another since, as a wheel that its developer has built
    again. Only files that are younger than the lock are read.
    """
    locked_at = file.stat().st_mtime
    for package in tomllib.loads(text).get("packages", []):
        for pinned in [*package.get("wheels", []), *filter(None, [package.get("sdist"), package.get("archive")])]:
            local = _local_path(pinned)
            if local is None or not local.is_file() or local.stat().st_mtime <= locked_at:
                continue
            with local.open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != pinned.get("hashes", {}).get("sha256"):
                    return True
    return False


def _local_path(pinned: Mapping[str, Any]) -> Path | None:
    url = urlsplit(pinned.get("url", ""))
    found = pinned.get("path") or (unquote(url.path) if url.scheme == "file" else None)
    return Path(found) if found else None


def _compile(
    requirements: Requirements,
    wheel: Path,
    settings: UvSettings,
    python: Path,
    constraints: list[str],
    *arguments: str,
    former: str,
    environment: Mapping[str, str] | None = None,
) -> str:
    """uv's pylock.toml. former: an earlier one, whose versions it prefers."""
    ours = f"{PROJECT}[{EXTRA}] @ {wheel.resolve().as_uri()}"
    without = [Requirement.parse(entry).name for entry in requirements.alone]
    alone = [f'[[dependency-metadata]]\nname = "{name}"\nrequires-dist = []' for name in without]
    with work_folder() as work:
        _write_lines(work / "requirements.in", [ours, *requirements.main, *requirements.alone])
        _write_lines(work / "constraints.txt", constraints)
        # uv.toml: in place of what those packages state as their dependencies. uv finds it here, unless the user has
        # named another file, or none at all.
        variables = {**settings.environment, **(environment or {})}
        users = os.environ | variables
        if users.keys() & {"UV_CONFIG_FILE", "UV_NO_CONFIG"}:
            alone = [
                *(read_text(file, what="configuration of uv") for file in [users.get("UV_CONFIG_FILE")] if file),
                *alone,
            ]
            variables["UV_CONFIG_FILE"] = str(work / "uv.toml")
        _write_lines(work / "uv.toml", alone)
        if former:
            (work / LOCK).write_text(former, encoding="utf-8")
        command = ["pip", "compile", "requirements.in", "--constraints", "constraints.txt", "--no-header"]
        command += ["--format", "pylock.toml", "--output-file", LOCK, "--python", str(python)]
        run_uv(
            [*command, *settings.arguments, *settings.resolve_arguments, *arguments],
            doing="choose package versions",
            folder=work,
            environment=variables,
            step="choosing package versions",
        )
        text = (work / LOCK).read_text(encoding="utf-8")
        return with_index(text, _only_index(work, settings, python, variables))


def with_index(text: str, index: str | None) -> str:
    """A pylock.toml whose packages name `index`, but for those that come from elsewhere: files and archives that are
    named by address, and versions with a local part (`+cpu`), which have an index of their own.
    """
    if index is None:
        return text
    blocks = text.split("[[packages]]\n")
    found = [_named_in(block, index) for block in blocks[1:]]
    return "[[packages]]\n".join([blocks[0], *found])


def _named_in(block: str, index: str) -> str:
    (package,) = tomllib.loads(f"[[packages]]\n{block}")["packages"]
    files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
    is_indexed = files and all(str(file.get("url")).startswith("http") for file in files)
    if not is_indexed or "index" in package or "+" in package.get("version", "+"):
        return block
    return re.sub(r"^version = .*$", rf"\g<0>\nindex = {json.dumps(index)}", block, count=1, flags=re.MULTILINE)


def _only_index(work: Path, settings: UvSettings, python: Path, variables: Mapping[str, str]) -> str | None:
    """The index that uv asks; None where there are several, none, or one with a password, which no file may hold."""
    if any(link.startswith("http") for link in settings.find_links):
        return None
    _write_lines(work / "nothing.in", [])
    command = ["pip", "compile", "nothing.in", "--no-header", "--emit-index-url", "-o", "indexes.txt"]
    run_uv(
        [*command, "--python", str(python), *settings.arguments],
        doing="ask for the package index",
        folder=work,
        environment=variables,
        step="choosing package versions",
    )
    lines = (work / "indexes.txt").read_text(encoding="utf-8").split()
    if len(lines) != 2 or lines[0] != "--index-url" or "@" in urlsplit(lines[1]).netloc:
        return None
    return lines[1]


def _try_cpu_index(ask: Callable[..., str], text: str, settings: UvSettings) -> tuple[str, tuple[str, ...]]:
    """The lock with PyTorch's own index of CPU builds, where the network has it; else the one at hand and a warning."""
    impatient = {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "5"}
    if not settings.offline:
        with contextlib.suppress(Failure):  # for any reason: the lock at hand works, it is only large
            found = ask([], "--torch-backend", "cpu", environment=impatient)
            if not _has_cuda_torch(packages_of(found)):
                return found, ()
    return text, (
        "no NVIDIA GPU is here, but torch comes with CUDA (several gigabytes): PyTorch's CPU index does not answer and "
        "no find-links folder holds a `+cpu` wheel; set `PIP_FIND_LINKS=FOLDER` to avoid it, `LLAMA_TORCH=cuda` to "
        "want it",
    )


def _has_cuda_torch(packages: tuple[Package, ...]) -> bool:
    versions = {package.name: package.version for package in packages}
    has_cuda = any(name.startswith("nvidia-") for name in versions)
    return has_cuda and "torch" in versions and not versions["torch"].endswith("+cpu")


def _package(stated: dict[str, Any]) -> Package:
    """Its size is that of the file that uv takes: of several wheels that fit, the one for this platform before one for
    any.
    """
    wheels = sorted(stated.get("wheels", []), key=lambda wheel: str(wheel.get("url")).endswith("-none-any.whl"))
    chosen = stated.get("archive") or next(iter(wheels), stated.get("sdist", {}))
    local = _local_path(chosen)
    size = chosen.get("size")
    if size is None and local and local.is_file():
        size = local.stat().st_size
    return Package(name=stated["name"], version=stated.get("version", ""), size_bytes=size, is_local=local is not None)


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _sha256(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
