"""The run config of a stack with one vendor, as a file; what its client keeps is in a folder of the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import Upstream
from tests.support.stacks import openai_at


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run config with these sections, and returns its file."""

    def write(name: str = "library", **sections: Any) -> Path:
        file = tmp_path / f"{name}.yaml"
        document = {"version": 2, "distro_name": name, "providers": {"inference": []}, **sections}
        file.write_text(json.dumps(document))  # JSON is YAML
        return file

    return write


@pytest.fixture
def config(write_config: Callable[..., Path], upstream: Upstream) -> Path:
    return write_config(providers={"inference": [openai_at(upstream.url)]})


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Arguments of a client: a state folder of its own."""
    return {"state_dir": tmp_path / "state"}
