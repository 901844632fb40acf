"""The operations of the API `recordings`."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from runtime.apis._api import route
from runtime.apis._request import Request, Response, example


class RecordingsRequest(Request):
    """Of which test."""

    test: str | None = Field(None, max_length=4096, description="Only what belongs to this test. Default: all.")


class BeginTestRequest(Request):
    """A test that begins."""

    model_config = example(test="tests/test_chat.py::test_hello")

    test: str = Field(
        max_length=4096,
        description="Its name, such as `tests/test_chat.py::test_hello`; empty where requests belong to none.",
    )


class RequestDifference(Response):
    """A member in which a request differs from what was recorded."""

    path: str = Field(description="Of the member, such as `json.messages[0].content`.")
    recorded: str = Field(description="What was recorded, around the place where the two part.")
    asked: str = Field(description="What is asked now.")


class MissedRequest(Response):
    """A request without a recording."""

    test: str = Field(description="The test that it belongs to; empty for none.")
    provider: str = Field(description="Of which provider it was asked, as `api/id`.")
    operation: str = Field(description="What was asked: a method and a path, or the name of a call.")
    nearest: str | None = Field(description="The file of the recording that is most like it; null for none.")
    differences: list[RequestDifference] = Field(description="Where that one differs.")
    message: str = Field(description="The same in words.")


class DecidedRequest(Response):
    """A request that several recordings fitted."""

    test: str = Field(description="The test that it belongs to; empty for none.")
    provider: str = Field(description="Of which provider it was asked, as `api/id`.")
    operation: str = Field(description="What was asked: a method and a path, or the name of a call.")
    file: str = Field(description="The recording that answered it.")
    rule: str = Field(description="Why that one, such as `this test's own, answer 2 of 3`.")
    message: str = Field(description="The same in words.")


class RecordingState(Response):
    """What a server records or replays."""

    mode: Literal["record", "replay", "record-if-missing"] = Field(description="What is done with the recordings.")
    folder: str = Field(description="Where they are, on the server.")
    test: str = Field(description="The test that has begun; empty for none.")
    count: int = Field(description="How many recordings there are.")
    missed: list[MissedRequest] = Field(description="Requests without a recording, the oldest first, at most 1,000.")
    decided: list[DecidedRequest] = Field(
        description="Requests that several recordings fitted, the oldest first, the last 1,000."
    )
    failure: str | None = Field(description="Why the last recording could not be written; null where it could.")


class Recordings(Protocol):
    """Mounted on servers that record or replay, and on no other."""

    @route("GET", "/v1alpha/recordings")
    async def recording_state(self, request: RecordingsRequest) -> RecordingState:
        """What is recorded or replayed, and what was not recorded."""
        ...

    @route("POST", "/v1alpha/recordings/test")
    async def begin_test(self, request: BeginTestRequest) -> RecordingState:
        """Say that the requests from now on belong to a test, and count them from the first.

        Requests of tests that run side by side name theirs in the header `x-llamastack-test`.
        """
        ...
