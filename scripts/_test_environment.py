"""Installs a dependency group of pyproject.toml into the environment that runs this, the drivers of storage, and what
the providers under test and the templates need. `unit` goes without these two, since its tests load no model code.

As for a distribution: uv with pip's settings passed on, and a CPU build of torch where there is no GPU.
"""

from __future__ import annotations

import hashlib
import sys
from itertools import chain
from pathlib import Path

from llama_cli.packages.lock import Requirements
from llama_cli.packages.pip_settings import UvSettings, choose_torch, read_settings
from llama_cli.packages.uv import run_uv
from runtime import discovery
from runtime.config.template import load_template, template_names
from runtime.storage.analytics.config import PACKAGES as ANALYTICS
from runtime.storage.backends import BACKENDS


def main() -> None:
    group = sys.argv[1]
    # Without those of providers that no test runs, which take gigabytes.
    specs = (
        [spec for spec in discovery.built_in().specs if spec.evidence.proof != "unproven"] if group != "unit" else []
    )
    templates = [load_template(name) for name in template_names()] if group != "unit" else []
    packages = [*chain.from_iterable(entry.packages for entry in (*BACKENDS.values(), *specs)), *ANALYTICS]
    packages += chain.from_iterable(one.additional_pip_packages for one in templates)
    needed = Requirements.parse(packages)
    settings = read_settings()
    torch = choose_torch(settings)
    text = "\n".join([Path("pyproject.toml").read_text(), group, *needed.main, *needed.alone, str(torch.constraint)])
    digest = hashlib.sha256(text.encode()).hexdigest()
    stamp = Path(sys.prefix, f".group-{group}")
    if stamp.exists() and stamp.read_text() == digest:
        return
    pins = [torch.constraint] if torch.constraint and specs else []  # a pin is asked for, and so installed
    install = ["pip", "install", "--python", sys.executable, *settings.arguments, *settings.resolve_arguments]
    _uv(
        [*install, "--editable", ".[server]", "--group", f"pyproject.toml:{group}", *needed.main, *pins],
        settings,
        group,
    )
    if needed.alone:
        _uv([*install, "--no-deps", *needed.alone], settings, group)
    stamp.write_text(digest)


def _uv(arguments: list[str], settings: UvSettings, group: str) -> None:
    what = f"what the {group} group needs"
    run_uv(
        arguments,
        doing=f"install {what}",
        folder=Path.cwd(),
        environment=settings.environment,
        step=f"installing {what}",
    )


if __name__ == "__main__":
    main()
