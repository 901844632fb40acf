"""What the command line asks of a distribution's interpreter."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.admin import __main__ as admin
from runtime.admin.check import check_adapters
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
            "package": "",
            "error": "ModuleNotFoundError: No module named 'a_package_that_is_not_there'",
        }
    ]


def test_of_a_provider_that_a_replay_does_without_what_is_there_in_its_place_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"bucket_name": "b", "endpoint_url": "http://127.0.0.1:9"}
    run = written(tmp_path, {"files": [{"provider_id": "s3", "provider_type": "remote::s3", "config": config}]})
    for module in [name for name in sys.modules if name.startswith("runtime.providers.files.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "obstore", None)
    assert check_adapters(run, for_replay=True) == []
    assert [one["provider_id"] for one in check_adapters(run)] == ["s3"]
    monkeypatch.setitem(sys.modules, "xxhash", None)
    for module in [name for name in sys.modules if name.startswith("runtime.providers.files.")]:
        monkeypatch.delitem(sys.modules, module)
    assert [one["provider_id"] for one in check_adapters(run, for_replay=True)] == ["s3"]


@pytest.mark.parametrize("ends", ["", "raise SystemExit(3)"])
def test_what_a_package_does_while_it_is_imported_is_no_part_of_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], ends: str
) -> None:
    chatty = f"import os\nprint('welcome')\nos.write(1, b'from C')\n{ends}\nclass Adapter: ...\n"
    (tmp_path / "a_chatty_package.py").write_text(chatty)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "a_chatty_package", raising=False)
    spec = probe_spec("chatty")
    furnish(monkeypatch, [type(spec)(**{**vars(spec), "adapter": "a_chatty_package:Adapter"})])
    file = written(tmp_path, {"probe": [{"provider_id": "p", "provider_type": "inline::chatty"}]})
    monkeypatch.setattr(sys, "argv", ["admin", "check", str(file)])
    code = admin.main()
    out, err = capfd.readouterr()
    assert [failure["error"] for failure in json.loads(out)["failures"]] == (["SystemExit: 3"] if ends else [])
    assert code == (1 if ends else 0)
    assert "welcome" in err and "from C" in err
