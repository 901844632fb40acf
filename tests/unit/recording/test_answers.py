"""What a provider in this process answered or refused, as recordings show it, and back; and what is none of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime import errors
from runtime.apis.connectors.protocol import Connectors
from runtime.errors import RequestError, StackError, UpstreamError
from runtime.recording import used
from runtime.recording.answers import restored, shown_refusal
from runtime.recording.documents import Recording, RecordingError
from runtime.recording.manifest import Manifest

REFUSALS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RequestError)]
KINDS = [one for one in REFUSALS if not one.may_pass]
UPSTREAM = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, UpstreamError)]


def answered(answer: Any) -> Any:
    recording = Recording(provider="connectors/builtin", request={"call": "x"}, answer=answer, path=Path("some.json"))
    return restored(recording, Connectors, "call_server_tool", is_timed=False)


@pytest.mark.parametrize("kind", [*KINDS, *UPSTREAM], ids=lambda kind: kind.__name__)
def test_a_refusal_is_the_same_again(kind: Any) -> None:
    more = {"provider_id": "acme", "upstream_status": 418} if kind in UPSTREAM else {}
    error: StackError = kind("no", hint="do that", param="model", code="odd", **more)
    with pytest.raises(kind) as caught:
        answered(shown_refusal(error))  # type: ignore[arg-type]  # it is of both
    assert vars(caught.value) == vars(error) and type(caught.value) is kind


def test_what_has_not_answered_may_do_so_the_next_time() -> None:
    assert shown_refusal(UpstreamError("gone", provider_id="acme")) is None
    passing = [one for one in REFUSALS if shown_refusal(one("not now")) is None]
    assert passing == [errors.RequestTimeout, errors.RateLimited]


@pytest.mark.parametrize("answer", [{}, {"model": {"content": 5}}, {"model": None}])
def test_what_is_no_answer_of_a_method_names_its_file(answer: dict[str, Any]) -> None:
    with pytest.raises(RecordingError, match=r"`some\.json` has no answer of `call_server_tool`"):
        answered(answer)


@pytest.mark.parametrize(
    "facts",
    [5, {"methods": 5}, {"methods": [5]}, {"models": {}}, {"models": [{"x": 1}]}, {"models": [{"metadata": {}}]}],
)
def test_facts_of_a_provider_that_are_none_are_told_with_their_file(facts: Any, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(
        json.dumps({"schema": 1, "variables": {}, "providers": {"inference/k": facts}})
    )
    with pytest.raises(RecordingError, match=r"stack\.json` is damaged"):
        Manifest.read(tmp_path)


def test_what_else_is_where_used_recordings_are_noted_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".used" / "more").mkdir(parents=True)
    (tmp_path / ".used" / "1-a").write_text("m.json\n")
    assert used.used(tmp_path) == {tmp_path / "m.json"}
