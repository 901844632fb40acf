"""Files of ours and of pip's that some other program has written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_cli.packages.lock import read_lock
from llama_cli.packages.pip_settings import read_settings


@pytest.mark.parametrize("content", [b"# input: \xff\n\n", "# input: a\n\n".encode("utf-16"), b"\0"])
def test_a_lock_that_is_no_text_is_made_anew(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_bytes(content)
    assert read_lock(tmp_path / "pylock.toml") == ({}, "")


def test_a_byte_order_mark_in_pips_configuration_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://index.example/simple\n", encoding="utf-8-sig")
    marked = read_settings({}, files=[file])
    file.write_text("[global]\nindex-url = https://index.example/simple\n", encoding="utf-8")
    assert marked == read_settings({}, files=[file])
