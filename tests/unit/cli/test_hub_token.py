"""Which hub is sent the user's token."""

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
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert [*hub.authorization(address).values()] == (["Bearer hf_abc"] if is_sent else [])


@pytest.mark.parametrize("configured", [None, "https://mirror.example:8443", "http://mirror.example", "nowhere"])
def test_a_token_goes_to_the_configured_hub_alone(configured: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("HF_ENDPOINT", configured or "")
    assert hub.authorization(hub.endpoint("https://mirror.example/hub")) == {}


def test_the_configured_hub_may_be_written_in_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("HF_ENDPOINT", "https://Mirror.example/")
    assert hub.authorization("https://mirror.example:443/hub") == {"https://mirror.example:443": "Bearer hf_abc"}
