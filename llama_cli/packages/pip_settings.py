"""Where packages come from on this machine: pip's configuration, told to uv.

Knows pip's files, variables and their order (https://pip.pypa.io/en/stable/topics/configuration/, pip 23 to 25), uv's
variables that mean the same (https://docs.astral.sh/uv/reference/environment/), and which torch to take where there
is no GPU. Runs nothing and opens no network.

uv reads none of pip's settings; a company's index, a folder of wheels or a certificate that works for pip must work
here. A `UV_*` variable that the user set wins over pip's. Addresses with passwords travel in the environment, never
on a command line that `ps` shows.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.config.home import expanded
from runtime.config.redaction import redact_text
from runtime.errors import ConfigInvalid, Problem

# pip's name -> uv's variable, where one value goes over as it is
_PLAIN = {
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "client-cert": "SSL_CLIENT_CERT",
}
# What uv looks at when it chooses a version
_ORIGIN = (
    *(
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_INDEX",
        "UV_INDEX_STRATEGY",
        "UV_FIND_LINKS",
        "UV_CONSTRAINT",
        "UV_OVERRIDE",
    ),
    *("UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_TORCH_BACKEND"),
)
_SEVERAL = ("UV_CONSTRAINT", "UV_OVERRIDE")  # paths with blanks between them
_PATHS = (*_SEVERAL, "UV_CACHE_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT")
_TRUE = ("1", "y", "yes", "t", "true", "on")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, kw_only=True)
class UvSettings:
    """What every uv command of ours is given.

    environment: variables, passwords among them. arguments: for every command; resolve_arguments: for those that
    choose versions. find_links: folders and addresses with wheels, ours included in the variables already. offline:
    no network.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    arguments: tuple[str, ...] = ()
    resolve_arguments: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    offline: bool = False

    def fingerprint(self) -> list[str]:
        """What decides which packages are found, for a digest: without passwords, timeouts, proxies and `offline`."""
        # Several addresses may be joined by commas, and each has its own password.
        origins = {name: self.environment[name] for name in _ORIGIN if name in self.environment}
        places = {name: re.split(r",(?=\w+://)", value) for name, value in origins.items()}
        chosen = [f"{name}={','.join(map(redact_text, parts))}" for name, parts in places.items()]
        given = [*self.resolve_arguments, *(argument for argument in self.arguments if argument != "--offline")]
        constraints = [
            *given,
            *self.environment.get("UV_CONSTRAINT", "").split(),
            *self.environment.get("UV_OVERRIDE", "").split(),
        ]
        contents = [hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in constraints if Path(name).is_file()]
        return [*chosen, *given, *contents]


@dataclass(frozen=True, kw_only=True)
class TorchChoice:
    """Which torch to prefer. constraint: a requirement that pins or excludes; wants_cpu: a CUDA build would be of no
    use here."""

    constraint: str | None = None
    wants_cpu: bool = False


def read_settings(
    environ: Mapping[str, str] | None = None,
    *,
    files: list[Path] | None = None,
    folder: Path | None = None,
    offline: bool = False,
) -> UvSettings:
    """pip's settings as uv's.

    environ: by default ours. files: pip's configuration files, weakest first; by default those that pip would read.
    folder: what relative paths in them start from, by default the current one. Raises ConfigInvalid for a file that
    pip could not read either.
    """
    environ = os.environ if environ is None else environ
    folder = folder or Path.cwd()
    pip = _pip_options(environ, files if files is not None else configuration_files(environ))
    variables: dict[str, str] = {}
    arguments: list[str] = ["--offline"] if offline else []
    resolve: list[str] = []

    def words(name: str) -> list[str]:
        return pip.get(name, "").split()

    def place(text: str) -> str:
        return text if "://" in text else str((folder / expanded(text)).resolve())

    if not _any_set(environ, "UV_INDEX_URL", "UV_DEFAULT_INDEX") and pip.get("index-url"):
        variables["UV_INDEX_URL"] = place(pip["index-url"])
    if not _any_set(environ, "UV_EXTRA_INDEX_URL", "UV_INDEX") and words("extra-index-url"):
        variables["UV_EXTRA_INDEX_URL"] = " ".join(map(place, words("extra-index-url")))
        if not environ.get("UV_INDEX_STRATEGY"):
            # uv takes a package from the first index that has it; pip, whose configuration this is, from the one with
            # the best version.
            variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if _truth(pip.get("no-index", "")):
        arguments.append("--no-index")

    if environ.get("UV_FIND_LINKS"):
        links = [place(link) for link in environ["UV_FIND_LINKS"].split(",") if link]
    else:  # pip overlooks a missing folder, uv fails
        links = [link for link in map(place, words("find-links")) if "://" in link or Path(link).exists()]
    if links:
        variables["UV_FIND_LINKS"] = ",".join(links)

    if not _any_set(environ, *_CERTIFICATES):
        bundle = pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
        if bundle:
            path = Path(place(bundle))
            variables["SSL_CERT_DIR" if path.is_dir() else "SSL_CERT_FILE"] = str(path)
    if pip.get("proxy"):
        proxy = pip["proxy"] if "://" in pip["proxy"] else f"http://{pip['proxy']}"
        variables |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
    if words("trusted-host") and not environ.get("UV_INSECURE_HOST"):
        variables["UV_INSECURE_HOST"] = " ".join(words("trusted-host"))
    if pip.get("keyring-provider") == "subprocess" and not environ.get("UV_KEYRING_PROVIDER"):
        variables["UV_KEYRING_PROVIDER"] = "subprocess"
    for option, variable in _PLAIN.items():
        if pip.get(option) and not environ.get(variable):
            variables[variable] = place(pip[option]) if option.endswith("cert") else pip[option].split(".")[0]

    if not environ.get("UV_CONSTRAINT"):
        for constraint in words("constraint"):
            resolve += ["--constraints", place(constraint)]
    if _truth(pip.get("pre", "")) and not environ.get("UV_PRERELEASE"):
        resolve += ["--prerelease", "allow"]
    for option in ("no-binary", "only-binary"):
        for name in pip.get(option, "").replace(",", " ").split():
            arguments += [f"--{option}", name]
    inherited = {name: environ[name] for name in _ORIGIN if environ.get(name)}
    for name in _PATHS:  # uv runs in folders of ours, where a relative one would lead elsewhere
        value = environ.get(name, "")
        absolute = " ".join(map(place, value.split() if name in _SEVERAL else [value])) if value else ""
        if absolute != value:
            inherited[name] = absolute
    return UvSettings(
        environment={**inherited, **variables},
        arguments=tuple(arguments),
        resolve_arguments=tuple(resolve),
        find_links=tuple(links),
        offline=offline or _truth(environ.get("UV_OFFLINE", "")),
    )


def configuration_files(
    environ: Mapping[str, str], *, platform_name: str = sys.platform, prefix: str = sys.prefix
) -> list[Path]:
    """The files that pip would read, weakest first: global, user, this environment's, `PIP_CONFIG_FILE`."""
    home = expanded(environ.get("HOME") or environ.get("USERPROFILE") or "~")
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    if platform_name == "win32":
        name, shared = "pip.ini", [Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "pip/pip.ini"]
        user = [home / "pip/pip.ini", Path(environ.get("APPDATA") or home / "AppData/Roaming") / "pip/pip.ini"]
    elif platform_name == "darwin":
        support = home / "Library/Application Support/pip"
        name, shared = "pip.conf", [Path("/Library/Application Support/pip/pip.conf")]
        user = [home / ".pip/pip.conf", support / "pip.conf" if support.is_dir() else own]
    else:
        folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        name, shared = (
            "pip.conf",
            [*(Path(folder) / "pip/pip.conf" for folder in folders if folder), Path("/etc/pip.conf")],
        )
        user = [home / ".pip/pip.conf", own]
    if chosen and Path(chosen).exists():
        return [*shared, Path(prefix) / name, Path(chosen)]  # it takes the place of the user's own
    return [*shared, *user, Path(prefix) / name]


def choose_torch(
    settings: UvSettings,
    python_version: tuple[int, ...],
    environ: Mapping[str, str] | None = None,
    *,
    driver: Path = Path("/proc/driver/nvidia"),
    system: str = sys.platform,
) -> TorchChoice:
    """The build of torch for this machine.

    On Linux torch comes with CUDA unless told otherwise (some gigabytes), and a newer release with it wins over an
    older one without; so where there is no NVIDIA GPU, a `+cpu` wheel in a find-links folder is pinned.
    `LLAMA_TORCH=cpu|cuda` decides by hand. driver: exists where the kernel has NVIDIA's driver. Raises ConfigInvalid
    for another value of LLAMA_TORCH.
    """
    environ = os.environ if environ is None else environ
    wish = environ.get("LLAMA_TORCH", "").lower()
    if wish not in ("", "cpu", "cuda"):
        raise ConfigInvalid([Problem(message=f"`LLAMA_TORCH={wish}` is neither `cpu` nor `cuda`")], what="environment")
    if system != "linux" or environ.get("UV_TORCH_BACKEND"):
        return TorchChoice()
    has_gpu = driver.exists() or shutil.which("nvidia-smi", path=environ.get("PATH")) is not None
    version = _newest_cpu_torch(settings.find_links, python_version)
    if wish == "cuda" or (has_gpu and wish != "cpu"):
        # A local version sorts above the plain one (PEP 440), so the CPU wheel in the folder would win over the
        # index's CUDA build.
        return TorchChoice(constraint=f"torch!={version}" if version else None)
    return TorchChoice(constraint=f"torch=={version}" if version else None, wants_cpu=True)


def _newest_cpu_torch(find_links: tuple[str, ...], python_version: tuple[int, ...]) -> str | None:
    """The highest `X.Y.Z+cpu` of a torch wheel that fits this Python and processor, in folders on this machine."""
    found: list[tuple[tuple[int, ...], str]] = []
    for link in find_links:
        folder = Path(unquote(urlsplit(link).path)) if link.startswith("file://") else Path(link)
        if "://" in link and not link.startswith("file://"):
            continue
        for wheel in sorted(folder.glob("torch-*.whl")):
            parts = wheel.name.removesuffix(".whl").split("-")
            if len(parts) < 5:
                continue
            version, (pythons, _, platforms) = unquote(parts[1]), parts[-3:]
            fits = f"cp{python_version[0]}{python_version[1]}" in pythons.split(".") and platforms.endswith(
                f"_{platform.machine()}"
            )
            if fits and version.endswith("+cpu"):
                found.append((tuple(map(int, re.findall(r"\d+", version.partition("+")[0]))), version))
    return max(found)[1] if found else None


def _pip_options(environ: Mapping[str, str], files: list[Path]) -> dict[str, str]:
    """pip's options for `install`, by long name: [global] of all files, then [install], then `PIP_*`; empty values do
    not count."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8-sig"), source=str(path))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigInvalid(
                [Problem(message=redact_text(str(error)), file=str(path))], what="configuration of pip"
            ) from error
        for section, options in sections.items():
            if parser.has_section(section):
                options |= {_long_name(name): value for name, value in parser.items(section) if value}
    variables = {
        _long_name(name[4:]): value
        for name, value in environ.items()
        if name.startswith("PIP_") and value and name != "PIP_CONFIG_FILE"
    }
    return {**sections["global"], **sections["install"], **variables}


def _long_name(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _any_set(environ: Mapping[str, str], *names: str) -> bool:
    return any(environ.get(name) for name in names)


def _truth(text: str) -> bool:
    return text.strip().lower() in _TRUE
