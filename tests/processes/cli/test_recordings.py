"""`llama stack recordings verify` and `refresh`: the providers of a distribution, asked by its own interpreter; here
that of these tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.recording.documents import Recording, load, save
from tests.support.built_distribution import built_distribution
from tests.support.command_runner import Cli
from tests.support.schemas import conform
from tests.support.upstreams import Vendor, vendor_server

KEY = "sk-recorded-with-this-one"
HELLO = {"model": "vendor-model", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def vendor(cli: Cli) -> Iterator[Vendor]:
    """Whose key is in a variable, and who is asked by the distribution `mine`."""
    with vendor_server(Vendor(frozenset([KEY]))) as running:
        entry = {
            "provider_id": "openai",
            "provider_type": "remote::openai",
            "config": {"base_url": running.url, "api_key": "${env.VENDOR_KEY}"},
        }
        run = {"version": 2, "distro_name": "mine", "providers": {"inference": [entry]}}
        built_distribution(cli.home, "mine", json.dumps(run))
        yield running


def answered(text: str, **choice: Any) -> dict[str, Any]:
    """As the vendor answers, but for what is said."""
    message = {"role": "assistant", "content": text}
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "vendor-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    return {"status": 200, "headers": {"content-type": "application/json"}, "json": value}


@pytest.fixture
def folder(tmp_path: Path, vendor: Vendor) -> Path:
    """One answer that is as it was, and one that is not."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    request = {"method": "POST", "server": vendor.url.removesuffix("/v1"), "path": "/v1/chat/completions"}
    for name, text in {"same": "from the vendor, vendor-model", "other": "what nobody says any more"}.items():
        one = Recording(
            provider="inference/openai",
            request=request | {"json": HELLO | {"user": name}},
            answer=answered(text, logprobs=None) if name == "other" else answered(text),
            scope=f"tests/a.py::test_{name}",
        )
        save(one, folder / f"{name}.json")
    return folder


def test_what_has_drifted_is_told(cli: Cli, folder: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", KEY)
    ask = ["stack", "recordings", "verify", str(folder), "--config", "mine"]
    told = cli(*ask, "--json")
    conform(told.json(), "stack-recordings-verify")
    assert (told.code, told.err) == (9, "")
    other, same = told.json()["recordings"]
    assert (same["outcome"], other["outcome"], other["test"]) == ("same", "drifted", "tests/a.py::test_other")
    assert [one["path"] for one in other["schema"]] == ["choices[].logprobs"]
    assert [one["path"] for one in other["meaning"]] == ["choices[0].text"]
    assert {seen[1]["authorization"] for seen in vendor.seen} == {f"Bearer {KEY}"}
    words = cli(*ask)
    assert "other.json: schema: choices[].logprobs: recorded null, now (absent)" in words.out
    assert 'other.json: meaning: choices[0].text: recorded "what nobody says' in words.out
    assert words.err.endswith("2 recordings: 1 the same, 1 drifted\n")
    assert cli(*ask, "-q").out == "other.json\n"
    alone = cli(*ask, "--only", "*test_same")
    assert (alone.code, alone.out) == (0, "") and alone.err.endswith("1 recording: 1 the same\n")
    assert cli(*ask, "--limit", "1").code == 9 and cli(*ask, "--alike", "0").code == 9


def test_who_does_not_answer_is_told_with_the_reason(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-a-key-of-nobody")
    told = cli("stack", "recordings", "verify", str(folder), "--config", "mine")
    assert (told.code, told.out) == (6, "")
    assert "warning: not reached: it refuses the key (401)" in told.err and "other.json, same.json" in told.err
    assert told.err.endswith("2 recordings: 2 not reached\n") and "sk-a-key-of-nobody" not in told.err


def test_variables_can_be_given_in_a_file(cli: Cli, folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text(f"VENDOR_KEY={KEY}\n")
    told = cli("stack", "recordings", "verify", str(folder), "--config", "mine", "--env-file", str(keys))
    assert told.code == 9


def test_what_is_recorded_again(cli: Cli, folder: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", KEY)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ask = ["stack", "recordings", "refresh", "--dir", str(folder), "--config", "mine"]
    trial = cli(*ask, "--all", "--dry-run")
    assert trial.code == 0 and "would record 2 recordings again" in trial.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    told = cli(*ask, "other.json", "--json")
    conform(told.json(), "stack-recordings-refresh")
    assert (told.code, [row["written"] for row in told.json()["recordings"]]) == (0, [True])
    assert (folder / "same.json").read_bytes() == before["same.json"]
    fresh = load(folder / "other.json")
    assert fresh.answer["json"]["choices"][0]["message"]["content"] == "from the vendor, vendor-model"
    assert fresh.scope == "tests/a.py::test_other" and KEY not in (folder / "other.json").read_text()
    assert cli("stack", "recordings", "verify", str(folder), "--config", "mine").code == 0
    vendor.status = 503
    missed = cli(*ask, "--test", "test_other")
    assert missed.code == 6 and "it answers 503, which may pass" in missed.err
    assert load(folder / "other.json").answer == fresh.answer


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["verify", "--config", "nowhere"], 2, "nowhere"),
        (["verify", "--config", "starter"], 1, "is not built, and its providers are asked by its own packages"),
        (["verify", "--config", "mine", "--only", "*nobody*"], 2, "`--only`: no recording fits `*nobody*`"),
        (["refresh", "--config", "mine"], 2, "say what is to be recorded again"),
        (["refresh", "--config", "mine", "--all", "--test", "x"], 2, "one of the three"),
        (["refresh", "--config", "mine", "--test", "x"], 2, "there are no recordings of a test `x`"),
        (["refresh", "--config", "mine", "gone.json"], 2, "there is no recording `gone.json`"),
        (["refresh", "--config", "mine", "--all", "--redact", "("], 2, "`--redact`: `(` is no regular expression"),
    ],
)
def test_what_cannot_be_asked_for_is_named(
    cli: Cli, folder: Path, given: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", str(folder))
    monkeypatch.setenv("VENDOR_KEY", KEY)
    told = cli("stack", "recordings", *given)
    assert (told.code, said in told.err, "Traceback" in told.err) == (code, True, False), told.err


def test_a_recording_that_breaks_while_it_is_read_is_named(cli: Cli, folder: Path) -> None:
    (folder / "broken.json").write_text("{")
    told = cli("stack", "recordings", "verify", str(folder), "--config", "mine")
    assert told.code == 3 and "broken.json` is not JSON" in told.err and "hint: restore it" in told.err
