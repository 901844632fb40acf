"""Which hubs are sent the user's token."""

from __future__ import annotations

import pytest

from llama_cli.downloads import hub


@pytest.mark.parametrize(
    ("address", "is_sent"),
    [
        ("https://huggingface.co", True),
        ("https://mirror.example/hub", True),
        ("http://127.0.0.1:8080", True),
        ("http://mirror.example/hub", False),
        ("http://10.0.0.7", False),
    ],
)
def test_a_token_goes_nowhere_where_others_could_read_it(
    address: str, is_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    assert [*hub.authorization(address).values()] == (["Bearer hf_abc"] if is_sent else [])
