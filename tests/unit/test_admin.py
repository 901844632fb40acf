"""What the command line asks of a distribution's interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.admin import check_adapters
from tests.support.house import furnish, probe_spec


def written(folder: Path, providers: dict[str, Any]) -> Path:
    file = folder / "run.yaml"
    file.write_text(json.dumps({"version": 2, "distro_name": "test", "providers": providers}))
    return file


def test_an_adapter_whose_package_is_missing_is_named_with_its_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = probe_spec("broken")
    furnish(monkeypatch, [type(broken)(**{**vars(broken), "adapter": "a_package_that_is_not_there:Adapter"})])
    failures = check_adapters(written(tmp_path, {"probe": [{"provider_id": "p", "provider_type": "inline::broken"}]}))
    assert failures == [
        {
            "provider_id": "p",
            "provider_type": "inline::broken",
            "error": "ModuleNotFoundError: No module named 'a_package_that_is_not_there'",
        }
    ]
