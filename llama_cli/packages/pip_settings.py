"""Where packages come from on this machine: pip's configuration, in uv's variables.

Knows pip's files, variables and their order (https://pip.pypa.io/en/stable/topics/configuration/, pip 23 to 25), uv's
variables that mean the same (https://docs.astral.sh/uv/reference/environment/), and which torch to take where there
is no GPU. Runs nothing and opens no network.

uv reads none of pip's settings; a company's index, a folder of wheels or a certificate that works for pip must work
here. A `UV_*` variable that the user set wins over pip's. Addresses with passwords travel in the environment, never
on a command line that `ps` shows.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.config.home import expanded
from runtime.errors import ConfigInvalid, Problem
from runtime.redaction import redact_text

# What uv looks at when it chooses a version
_ORIGIN = (
    *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"),
    *("UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_TORCH_BACKEND", "UV_OVERRIDE"),
)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PATHS = (*_CERTIFICATES, "SSL_CLIENT_CERT", "UV_CACHE_DIR", "UV_CONFIG_FILE")


@dataclass(frozen=True, kw_only=True)
class UvSettings:
    """What every uv command of ours is given.

    environment: variables, passwords among them. arguments: for every command; resolve_arguments: for those that
    choose versions. find_links: folders and addresses with wheels, also among the variables. offline: no network.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    arguments: tuple[str, ...] = ()
    resolve_arguments: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    offline: bool = False

    def fingerprint(self) -> list[str]:
        """What decides which packages are found, for a digest: without passwords, timeouts, proxies and `offline`."""
        # Several addresses may be joined by commas, and each has its own password.
        places = {name: re.split(r",(?=\w+://)", self.environment.get(name, "")) for name in _ORIGIN}
        chosen = [f"{name}={','.join(map(redact_text, parts))}" for name, parts in places.items() if any(parts)]
        given = [*self.resolve_arguments, *self.arguments]
        files = [*given, *self.environment.get("UV_OVERRIDE", "").split()]
        contents = [hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in files if Path(name).is_file()]
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
    start = folder or Path.cwd()
    pip = _pip_options(environ, files if files is not None else configuration_files(environ))
    variables: dict[str, str] = {}

    def place(text: str) -> str:
        return text if not text or "://" in text else str((start / expanded(text)).resolve())

    def places(text: str) -> list[str]:
        return [place(word) for word in text.split()]

    def put(variable: str, value: str, *others: str) -> None:
        """Unless the user has set it, or another that means the same."""
        if value and not any(environ.get(name) for name in (variable, *others)):
            variables[variable] = value

    put("UV_INDEX_URL", place(pip["index-url"]), "UV_DEFAULT_INDEX")
    put("UV_EXTRA_INDEX_URL", " ".join(places(pip["extra-index-url"])), "UV_INDEX")
    if "UV_EXTRA_INDEX_URL" in variables:
        # uv takes a package from the first index that has it; pip, whose configuration this is, from the one with
        # the best version.
        put("UV_INDEX_STRATEGY", "unsafe-best-match")
    put("UV_INSECURE_HOST", " ".join(pip["trusted-host"].split()))
    put("UV_KEYRING_PROVIDER", "subprocess" if pip["keyring-provider"] == "subprocess" else "")
    put("UV_HTTP_TIMEOUT", (pip["default-timeout"] or pip["timeout"]).partition(".")[0])
    put("UV_HTTP_RETRIES", pip["retries"])
    put("SSL_CLIENT_CERT", place(pip["client-cert"]))
    bundle = place(pip["cert"] or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or "")
    put("SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE", bundle, *_CERTIFICATES)
    if proxy := pip["proxy"]:
        address = proxy if "://" in proxy else f"http://{proxy}"
        variables |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), address)
    if environ.get("UV_FIND_LINKS"):
        links = [place(link) for link in environ["UV_FIND_LINKS"].split(",") if link]
    else:  # pip overlooks a missing folder, uv fails
        links = [link for link in places(pip["find-links"]) if "://" in link or Path(link).exists()]
    if links:
        variables["UV_FIND_LINKS"] = ",".join(links)

    put("UV_PRERELEASE", "allow" if _truth(pip["pre"]) else "")
    if offline:
        variables["UV_OFFLINE"] = "1"

    arguments = ["--no-index"] if _truth(pip["no-index"]) else []
    for option in ("no-binary", "only-binary"):
        for name in pip[option].replace(",", " ").split():
            arguments += [f"--{option}", name]
    resolve: list[str] = []
    for constraint in places(environ.get("UV_CONSTRAINT") or pip["constraint"]):
        resolve += ["--constraints", constraint]

    inherited = {name: environ[name] for name in _ORIGIN if environ.get(name)}
    for name in _PATHS:  # uv runs in folders of ours, where a relative one would lead elsewhere
        if (absolute := place(environ.get(name, ""))) != environ.get(name, ""):
            inherited[name] = absolute
    if overrides := places(environ.get("UV_OVERRIDE", "")):
        inherited["UV_OVERRIDE"] = " ".join(overrides)
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
    home = expanded(environ.get("HOME") or "~")
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    if platform_name == "darwin":
        support = home / "Library/Application Support/pip"
        own = support / "pip.conf" if support.is_dir() else own
        shared = [Path("/Library/Application Support/pip/pip.conf")]
    else:
        folders = filter(None, (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"))
        shared = [*(Path(folder) / "pip/pip.conf" for folder in folders), Path("/etc/pip.conf")]
    if chosen and Path(chosen).exists():
        return [*shared, Path(prefix) / "pip.conf", Path(chosen)]  # it takes the place of the user's own
    return [*shared, home / ".pip/pip.conf", own, Path(prefix) / "pip.conf"]


def choose_torch(
    settings: UvSettings,
    environ: Mapping[str, str] | None = None,
    *,
    driver: Path = Path("/proc/driver/nvidia"),
    system: str = sys.platform,
) -> TorchChoice:
    """The build of torch for this machine.

    On Linux torch comes with CUDA unless asked otherwise (some gigabytes), and a newer release with it wins over an
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
    version = _newest_cpu_torch(settings.find_links)
    if wish == "cuda" or (has_gpu and wish != "cpu"):
        # A local version sorts above the plain one (PEP 440), so the CPU wheel in the folder would win over the
        # index's CUDA build.
        return TorchChoice(constraint=f"torch!={version}" if version else None)
    return TorchChoice(constraint=f"torch=={version}" if version else None, wants_cpu=True)


def _newest_cpu_torch(find_links: tuple[str, ...]) -> str | None:
    """The highest `X.Y.Z+cpu` of a torch wheel that fits this Python and processor, in folders on this machine."""
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    addresses = [urlsplit(link) if "://" in link else urlsplit(Path(link).as_uri()) for link in find_links]
    folders = [Path(unquote(address.path)) for address in addresses if address.scheme == "file"]
    fitting = frozenset(sys_tags())
    found = []
    for wheel in (wheel for folder in folders for wheel in folder.glob("torch-*.whl")):
        with contextlib.suppress(InvalidWheelFilename):
            _, version, _, tags = parse_wheel_filename(unquote(wheel.name))
            if version.local == "cpu" and tags & fitting:
                found.append(version)
    return str(max(found)) if found else None


def _pip_options(environ: Mapping[str, str], files: list[Path]) -> defaultdict[str, str]:
    """pip's options for `install`, by long name, empty where not set: [global] of all files, then [install], then
    `PIP_*`."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8-sig"), source=str(path))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except (configparser.Error, UnicodeDecodeError) as error:
            problem = Problem(message=redact_text(str(error)), file=str(path))
            raise ConfigInvalid([problem], what="configuration of pip") from error
        for section, options in sections.items():
            if parser.has_section(section):
                options |= {_long_name(name): value for name, value in parser.items(section) if value}
    variables = {_long_name(name[4:]): value for name, value in environ.items() if name.startswith("PIP_") and value}
    return defaultdict(str, {**sections["global"], **sections["install"], **variables})


def _long_name(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _truth(text: str) -> bool:
    return text.strip().lower() in ("1", "y", "yes", "t", "true", "on")
