"""What a command says of recordings: before it begins, and at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_cli.executing.recorded import Recorded, explain
from llama_cli.exits import Failure
from llama_cli.servers.recorded import with_recorded
from llama_cli.terminal import console


@pytest.mark.parametrize("options, said", [(["-v"], "by a rule\n"), (["--verbose"], "by a rule\n"), ([], "")])
def test_who_wants_to_know_more_learns_which_recording_answered(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console.configure(options)
    try:
        explain(Recorded([], ["by a rule"], None))
    finally:
        console.configure([])
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("", "", "holds no recordings"),
        ("package.json", "{}", "is no recording"),
        ("a.json", '{"schema": 9}', "has the schema 9"),
        ("stack.json", '{"schema": 9}', "has the schema 9"),
    ],
)
def test_a_folder_that_cannot_be_replayed_is_named_before_what_it_does_not_turn_on(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    if name:
        (tmp_path / name).write_text(content)
    with pytest.raises(Failure, match=said) as caught:
        with_recorded({}, str(tmp_path))
    assert caught.value.hint
