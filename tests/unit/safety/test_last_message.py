"""What shields that read text alone judge of a conversation, and what they are told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict

from runtime.apis._request import Registered
from runtime.apis.safety.assessing import AssessRequest
from runtime.errors import RequestError
from runtime.providers.safety._last_message import text_to_judge, told

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid")
    level: int | None = None


def judged(*messages: dict[str, Any]) -> str:
    return text_to_judge(AssessRequest(shield_id="s", messages=list(messages)))


def test_the_last_message_alone_is_judged() -> None:
    assert judged({"role": "user", "content": "first"}, {"role": "user", "content": "second"}) == "second"
    assert judged({"role": "user", "content": [IMAGE]}, {"role": "assistant", "content": "said"}) == "said"


def test_what_tools_are_called_with_is_judged() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert judged({"role": "assistant", "content": "said", "tool_calls": [call]}) == 'said\nf({"a": 1})'
    assert judged({"role": "assistant", "content": None}) == ""


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (IMAGE, "image_url"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "input_audio"),
        ({"type": "file", "file": {"file_id": "f"}}, "file"),
        ({"type": "video_url"}, "video_url"),
    ],
)
def test_a_part_that_is_not_text_is_named(part: dict[str, Any], kind: str) -> None:
    said = {"role": "user", "content": [{"type": "text", "text": "look"}, part]}
    with pytest.raises(RequestError) as raised:
        judged({"role": "user", "content": "hello"}, said)
    assert (raised.value.status, raised.value.param) == (400, "messages")
    assert "`messages[1]`" in raised.value.message and f"`{kind}`" in raised.value.message


def test_params_of_the_request_go_over_those_of_the_shield() -> None:
    request = AssessRequest(shield_id="s", messages=[{"role": "user", "content": "x"}])
    shield = SimpleNamespace(provider_resource_id="s", facts={"params": {"level": 1}})
    request = request.routed_by(cast(Registered, shield), "shield_id")
    assert told(request, Params).level == 1
    assert told(request.changed(params={"level": 2}), Params).level == 2


@pytest.mark.parametrize(
    ("params", "place"),
    [({"levle": 1}, "params.levle"), ({"level": "high"}, "params.level"), ({"level": [1]}, "level")],
)
def test_params_that_are_wrong_are_named(params: dict[str, Any], place: str) -> None:
    request = AssessRequest(shield_id="s", messages=[{"role": "user", "content": "x"}], params=params)
    with pytest.raises(RequestError) as raised:
        told(request, Params)
    assert raised.value.param == "params" and place in raised.value.message
    assert raised.value.hint is not None and "`level`" in raised.value.hint
