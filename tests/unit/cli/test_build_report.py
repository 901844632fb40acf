"""What `build` says before and after it installs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llama_cli.packages.build import _announced, _report
from llama_cli.packages.lock import Lock, Package
from llama_cli.packages.pip_settings import UvSettings
from llama_cli.packages.source import Source


def test_seconds_in_one_line() -> None:
    assert _report({"resolve": 2.04, "install": 12.2}) == "built in 14 s: resolve 2.0, install 12"


def test_one_unknown_size_makes_the_whole_at_least() -> None:
    here = Path("/here")
    source = Source(name="mine", folder=here, run_yaml=here / "run.yaml", text=None, origin="mine")
    packages = (Package(name="a", version="1", size_bytes=12_345_678), Package(name="b", version="1"))
    made = Lock(file=here, digest="", packages=packages, python=here, settings=UvSettings())
    assert _announced(source, made).startswith("installing 2 packages for `mine` (at least 12.3 MB")
    assert _announced(source, replace(made, packages=packages[:1])).startswith(
        "installing 1 packages for `mine` (12.3 MB"
    )
