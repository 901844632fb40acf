"""instructor: answers of a pydantic type, in each way that it can ask for them."""

from __future__ import annotations

from typing import Any

import instructor
from driver import PERSON, failure, serve
from openai import OpenAI
from person import Person


def client(url: str, mode: instructor.Mode = instructor.Mode.TOOLS) -> Any:
    made = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120)
    return instructor.from_openai(made, mode=mode)


def person(url: str, model: str, mode: instructor.Mode = instructor.Mode.TOOLS, **fields: Any) -> Any:
    messages = [{"role": "user", "content": PERSON}]
    return client(url, mode).chat.completions.create(
        model=model, messages=messages, response_model=Person, max_retries=0, **fields
    )


def structured(url: str, model: str) -> Any:
    modes = (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA, instructor.Mode.TOOLS_STRICT)
    told = {mode.name: person(url, model, mode).model_dump() for mode in modes}
    partial = client(url).chat.completions.create_partial(
        model=model, messages=[{"role": "user", "content": PERSON}], response_model=Person, max_retries=0
    )
    told["streamed"] = list(partial)[-1].model_dump()
    return told


def not_found(url: str, model: str) -> Any:
    return failure(lambda: person(url, model))


def bad_request(url: str, model: str) -> Any:
    return failure(lambda: person(url, model, frequency_penalty=9))


if __name__ == "__main__":
    serve("instructor", {scenario.__name__: scenario for scenario in (structured, not_found, bad_request)})
