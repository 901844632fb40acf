"""What is said of recordings at the end of a command."""

from __future__ import annotations

import pytest

from llama_cli.executing.recorded import Recorded, explain
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
