"""A second `run --detach`: which options are the same, and what is said of those that are not."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records, second_run
from llama_cli.servers.choices import Choices
from llama_cli.servers.records import AlreadyRunning, Record
from llama_cli.servers.second_run import check_same, variables_digest
from llama_cli.servers.secret_digest import _ROUNDS as DIGEST_ROUNDS

pytestmark = pytest.mark.usefixtures("quick_digests")
FIRST = Choices(
    target="starter",
    host="127.0.0.1",
    port=8399,
    models=("/m.gguf",),
    aliases=("gpt=m",),
    require=("vllm",),
    require_gpu=True,
    log_level="debug",
    environment_names=("KEY", "URL"),
)
ANEW = ""
"""What `restart` cannot bring: the server is stopped and run anew."""
ENVIRONMENT = {"KEY": "sk-1", "URL": "http://a", "HOME": "/home/me"}


def running(first: Choices = FIRST, environment: dict[str, str] = ENVIRONMENT, **facts: Any) -> AlreadyRunning:
    digest = variables_digest(first.environment_names, environment, salt="1")
    options = {**asdict(first), "launch": "1", "environment_digest": digest}
    # As it comes from the file.
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    known = {"host": "127.0.0.1", "port": 8399, "url": "http://127.0.0.1:8399", "pid": 7, "config": "/d/run.yaml"}
    record = Record(id="starter", name="starter", state="ready", options=options, path=Path("/r"), alive=True, **known)
    return AlreadyRunning(record, **facts)


def but(**changes: Any) -> Choices:
    return Choices(**asdict(FIRST) | changes)


def test_the_same_again_is_the_same() -> None:
    check_same(FIRST, ENVIRONMENT, running())
    check_same(but(detach=True, offline=True, state="/d/state"), ENVIRONMENT | {"HOME": "/else"}, running())


def test_what_the_run_config_says_may_be_said_again() -> None:
    stated = Choices(target="starter", host="127.0.0.1", port=8399)
    check_same(stated, {}, running(Choices(target="starter")))


def test_who_names_no_port_wants_it_wherever_it_is() -> None:
    for port in (8399, 0):
        check_same(but(port=None), ENVIRONMENT, running(but(port=port)))
    with pytest.raises(Failure) as raised:
        check_same(but(port=None, log_level="info"), ENVIRONMENT, running())
    assert "--port" not in raised.value.message
    assert "`llama stack restart starter --log-level info` applies it" in str(raised.value.hint)


def test_while_the_first_is_starting_its_port_is_the_one_that_was_asked_for() -> None:
    first = running()
    for name in ("host", "port", "url", "pid"):
        object.__setattr__(first.record, name, None)
    check_same(FIRST, ENVIRONMENT, first)
    with pytest.raises(Failure, match="`--port`: 8399 there, 9000 here"):
        check_same(but(port=9000), ENVIRONMENT, first)


def test_the_same_file_by_another_name_is_the_same() -> None:
    check_same(but(target="/d/../d/run.yaml"), ENVIRONMENT, running(config="/d/../d/run.yaml"))


def test_a_config_that_is_piped_in_is_compared_by_its_text(tmp_path: Path) -> None:
    copy = tmp_path / "run.yaml"
    copy.write_text("version: 2\n")

    def again(text: str) -> None:
        first = running(Choices(target=str(copy)), config=str(copy))
        object.__setattr__(first.record, "config", str(copy))
        check_same(Choices(target="-"), {}, first, config=text)

    again("version: 2\n")
    with pytest.raises(Failure, match=r"run config: \S+/run\.yaml there, standard input here"):
        again("version: 3\n")


def test_a_variable_that_this_shell_has_need_not_be_given_again() -> None:
    check_same(but(environment_names=()), ENVIRONMENT, running())


def test_beside_one_with_a_state_folder_of_its_own_another_needs_another() -> None:
    with pytest.raises(Failure) as raised:
        check_same(but(state="/mine", host="::1"), ENVIRONMENT, running())
    assert "`--port 0` and another `--state`" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ({"target": "/other.yaml"}, "run config: /d/run.yaml there, /other.yaml here", ANEW),
        ({"host": "::1"}, "`--host`: 127.0.0.1 there, ::1 here", "--host ::1"),
        (
            {"host": None},
            "`--host`: 127.0.0.1 there, none here",
            ANEW,
        ),
        ({"port": 9000}, "`--port`: 8399 there, 9000 here", "--port 9000"),
        (
            {"providers": "inference=remote::vllm"},
            "`--providers`: none there, inference=remote::vllm here",
            ANEW,
        ),
        (
            {"models": ("/m.gguf", "/n.gguf")},
            "`--model`: /m.gguf there, /m.gguf, /n.gguf here",
            "--model /m.gguf --model /n.gguf",
        ),
        ({"aliases": ()}, "`--alias`: gpt=m there, none here", ANEW),
        (
            {"require": ("vllm", "openai")},
            "`--require`: vllm there, vllm, openai here",
            "--require vllm --require openai",
        ),
        ({"without": ("openai",)}, "`--without`: none there, openai here", "--without openai"),
        (
            {"require_gpu": False},
            "`--require-gpu`: given there, none here",
            ANEW,
        ),
        ({"inject": ("openai: 429",)}, "`--inject`: none there, openai: 429 here", ANEW),
        ({"replay": "/r"}, "`--replay`: none there, /r here", ANEW),
        (
            {"log_level": None},
            "`--log-level`: debug there, none here",
            ANEW,
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_option_that_differs_is_named_with_what_applies_it(changes: dict[str, Any], line: str, words: str) -> None:
    with pytest.raises(Failure) as raised:
        check_same(but(**changes), ENVIRONMENT, running())
    assert raised.value.code == ExitCode.CONFLICT
    assert raised.value.message.splitlines()[1:] == [f"  {line}"]
    assert raised.value.message.startswith("`starter` is already running at http://127.0.0.1:8399, pid 7, and ")
    assert "`--port 0` starts another beside it" in str(raised.value.hint)
    anew = f"stop starter && llama stack run {shlex.join(but(**changes).words())}"
    command = f"restart starter {words}" if words else anew
    assert f"`llama stack {command}` applies it" in str(raised.value.hint)


def test_the_words_of_all_choices_are_what_would_be_typed() -> None:
    assert shlex.join(but(detach=True, state="/s s", offline=True, providers="a=b", without=("vllm",)).words()) == (
        "starter --host 127.0.0.1 --port 8399 --log-level debug --model /m.gguf --alias gpt=m --require vllm "
        "--require-gpu --without vllm --detach --providers a=b --state '/s s' --offline"
    )


def test_every_choice_is_compared_or_cannot_differ() -> None:
    compared = {"target", "environment_names", *second_run._OPTIONS}
    assert set(asdict(FIRST)) - compared == {"state", "offline", "detach", "for_command"}


@pytest.mark.parametrize(
    ("names", "environment"),
    [
        (("KEY", "URL"), {"KEY": "sk-2", "URL": "http://a"}),
        ((), {"KEY": "sk-1"}),
        (("KEY", "NEW", "URL"), ENVIRONMENT | {"NEW": "1"}),
    ],
    ids=["another value", "not given", "one more"],
)
def test_variables_that_differ_are_named_and_no_value_is_shown(names: Any, environment: dict[str, str]) -> None:
    with pytest.raises(Failure) as raised:
        check_same(but(environment_names=names), environment, running(), env_words=["--env", "KEY"] if names else [])
    line = raised.value.message.splitlines()[1]
    assert ("`NEW`" in line) if "NEW" in names else ("`KEY`, `URL`" in line)
    assert "sk-" not in raised.value.message and raised.value.code == ExitCode.CONFLICT
    applied = "`llama stack restart starter --env KEY` applies it" if names else "`llama stack stop starter && "
    assert str(raised.value.hint).startswith(applied)


def test_a_digest_takes_too_long_for_trying_passwords() -> None:
    assert DIGEST_ROUNDS >= 100_000


def test_a_digest_tells_values_apart_and_differs_for_each_launch() -> None:
    one, two = (variables_digest(["KEY"], ENVIRONMENT, salt=salt) for salt in "12")
    assert one is not None and one != two and "sk-1" not in one
    assert variables_digest([], ENVIRONMENT, salt="1") is None


def test_one_that_is_still_starting_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starting = Record(id="a", name="a", state="starting", log_file="/a.log", path=tmp_path / "a.json", alive=True)
    ready = Record(id="a", name="a", state="ready", url="http://a", path=tmp_path / "a.json", alive=True)
    gone = Record(id="a", name="a", state="failed", path=tmp_path / "a.json", alive=False)
    monkeypatch.setattr(second_run, "_POLL_S", 0)
    for seen, expected in (([starting, ready], ready), ([starting, gone], 7), ([starting, None], 7)):
        answers = iter(seen)
        monkeypatch.setattr(records, "read", lambda path, answers=answers: next(answers))
        if isinstance(expected, Record):
            assert second_run.until_ready(starting, timeout_s=10) == expected
            continue
        with pytest.raises(Failure, match="did not become ready") as raised:
            second_run.until_ready(starting, timeout_s=10)
        assert raised.value.code == expected and "/a.log" in str(raised.value.hint)
    with pytest.raises(Failure, match="was not ready after"):
        second_run.until_ready(starting, timeout_s=-1)
    draining = Record(id="a", name="a", state="draining", path=tmp_path / "a.json", alive=True)
    with pytest.raises(Failure, match="is being stopped") as raised:
        second_run.until_ready(draining, timeout_s=1)
    assert raised.value.code == ExitCode.CONFLICT
