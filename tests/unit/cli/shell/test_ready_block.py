"""What is said once a server answers: never more than a person reads, and nothing that harms when it is pasted."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_cli.distribution.records import Record
from llama_cli.distribution.serve import ready_block


@pytest.fixture
def record() -> Record:
    return Record(id="starter", name="starter", state="ready", url="http://127.0.0.1:1", path=Path("/r"), alive=True)


def test_a_long_list_of_models_is_cut_and_counted(record: Record) -> None:
    models = [f"openai/model-{number}" for number in range(5500)]
    text = " ".join(ready_block(record, models, {}, detached=True).split())
    assert "openai/model-0, " in text and "and 5480 more" in text
    assert len(text) < 2000


def test_what_a_client_needs_is_no_variable_that_the_next_start_would_read(record: Record) -> None:
    text = ready_block(record, ["a/b"], {}, detached=True)
    assert 'OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none")' in text
    assert "export" not in text and "OPENAI_" not in text
    assert '"max_completion_tokens": 100' in text
