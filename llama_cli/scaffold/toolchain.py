"""How a package's tests ask for this toolchain: from where it was installed, or else from the package index."""

from __future__ import annotations

import json
from pathlib import Path

import runtime
from llama_cli.packages.snapshot import PROJECT

EXTRA = "conformance"


def requirement() -> str:
    """As PEP 508 writes it, with the extra that brings the suites."""
    root = Path(runtime.__file__).resolve().parent.parent
    place = root.as_uri() if (root / "pyproject.toml").is_file() else _installed_from()
    return f"{PROJECT}[{EXTRA}] @ {place}" if place else f"{PROJECT}[{EXTRA}]>={runtime.__version__}"


def _installed_from() -> str | None:
    """The address that installers keep of what came from no index (PEP 610); None where it did."""
    from importlib import metadata  # not above: a tree needs no more of this module

    try:
        text = metadata.distribution(PROJECT).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    found = json.loads(text) if text else {}
    version_control = found.get("vcs_info")
    if version_control:
        return f"{version_control['vcs']}+{found['url']}@{version_control['commit_id']}"
    return found.get("url")
