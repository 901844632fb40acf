"""What the system refuses, in words for whoever can change it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from llama_cli.failures import failure_of


@pytest.mark.parametrize("written", ["as it is", "by a link", "by a link to a link"])
@pytest.mark.parametrize("refused", ["as it is", "by a link"])
@pytest.mark.parametrize("place", ["", "servers/x.json"])
def test_what_is_refused_in_the_home_leads_to_its_variable(
    written: str, refused: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = {name: tmp_path / name.replace(" ", "-") for name in ("as it is", "by a link", "by a link to a link")}
    homes["as it is"].mkdir()
    homes["by a link"].symlink_to(homes["as it is"])
    homes["by a link to a link"].symlink_to(homes["by a link"])
    monkeypatch.setenv("LLAMA_HOME", str(homes[written]))
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(homes[refused] / place))
    assert "`LLAMA_HOME`" in (failure_of(error, ()).hint or "")
    elsewhere = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "other"))
    assert failure_of(elsewhere, ()).hint == "give yourself access"
