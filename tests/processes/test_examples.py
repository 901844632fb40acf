"""The programs of `scripts/examples`, as a reader types them: against a `starter` that was built and started here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack_home import TREE, Home

pytestmark = [pytest.mark.e2e, pytest.mark.smollm2]

RAG = TREE / "scripts/examples/rag.py"


def test_a_document_is_asked_and_answers_name_their_passages(home: Home, tmp_path: Path) -> None:
    notes = tmp_path / "The visit.md"
    notes.write_text("# The visit\n\nThe lighthouse keeper of Skagen is called Ingeborg Mortensen.\n", encoding="utf-8")
    with home.served("starter") as server:

        def ask(*arguments: str) -> list[str]:
            """The lines that it prints."""
            done = subprocess.run(
                [sys.executable, str(RAG), *arguments],
                env=os.environ | {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "none"},
                capture_output=True, text=True, timeout=240, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout.splitlines()

        question, answer, *rest = ask()
        passages = [line for line in rest if line.startswith("[")]
        assert question == "How often are the nails of a llama trimmed?" and answer
        assert [line.partition(":")[0] for line in passages] == [
            "[1] llamas.pdf, page 3", "[2] llamas.pdf, page 1", "[3] llamas.pdf, page 4",
        ]  # fmt: skip
        assert "Vaccination" in passages[0]
        question, answer, *rest = ask(str(notes), "Who is the lighthouse keeper?")
        assert question == "Who is the lighthouse keeper?" and "Ingeborg" in " ".join([answer, *rest[:-1]])
        assert rest[-1].startswith("[1] The visit.md: # The visit The lighthouse keeper of Skagen")
        nowhere = subprocess.run([sys.executable, str(RAG), "nope.md"], capture_output=True, text=True, check=False)
        assert (nowhere.returncode, nowhere.stderr) == (1, "`nope.md` is no file\n")
        assert server.get("/v1/vector_stores")["data"] == server.get("/v1/files")["data"] == []
