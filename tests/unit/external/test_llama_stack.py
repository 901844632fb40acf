"""Packages that were written for llama-stack: what of them can be used is used, the rest is refused with the reason.

Their specs are objects in the shape of llama-stack's; `tests/processes/cli/test_external_providers.py` has a real one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.stacks import Served
from runtime.stack.plan import read_run_config
from tests.support.external_packages import install
from tests.support.stacks import serving

_SPEC = """\
from enum import Enum
from pydantic import BaseModel

class Api(Enum):
    inference = "inference"
    tool_runtime = "tool_runtime"
    vector_io = "vector_io"
    files = "files"

class Stated(BaseModel):
    api: Api
    provider_type: str
    module: str = "meadow_old"
    config_class: str = "meadow_old.config.Config"
    pip_packages: list[str] = ["aiofiles"]
    api_dependencies: list[Api] = []
"""
_CONFIG = "from pydantic import BaseModel\n\nclass Config(BaseModel):\n    word: str = 'hi'\n"
_IMPLEMENTATION = """\
from typing import Any, Optional
from pydantic import BaseModel

class Message(BaseModel):
    role: str
    content: str

class Chunk(BaseModel):
    object: str = "chat.completion.chunk"
    id: str = "c"
    created: int = 1
    model: str
    choices: list[dict[str, Any]]

class Model(BaseModel):
    identifier: str
    model_type: str = "llm"

class EmbeddingsParams(BaseModel):
    model: str
    input: str | list[str]

class Embeddings(BaseModel):
    object: str = "list"
    model: str
    data: list[dict[str, Any]]
    usage: dict[str, int] = {"prompt_tokens": 1, "total_tokens": 1}

class Impl:
    model_store = None

    def __init__(self, word):
        self.word = word

    async def list_models(self):
        return [Model(identifier="tiny"), Model(identifier="vectors", model_type="embedding")]

    async def openai_chat_completion(self, model: str, messages: list[Message], stream: Optional[bool] = None,
                                     temperature: Optional[float] = None):
        name = (await self.model_store.get_model(model)).provider_resource_id
        if temperature == 2:
            raise ValueError("too hot")
        if temperature == 1.5:
            raise RuntimeError("a secret")
        if stream:
            return self.chunks(name, messages[0].content)
        message = {"role": "assistant", "content": f"{self.word} {messages[0].content}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return Chunk(object="chat.completion", model=name, choices=[choice])

    async def chunks(self, name, text):
        for word in (self.word, text):
            yield Chunk(model=name, choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}])
        raise NotImplementedError("more")

    async def openai_embeddings(self, params: EmbeddingsParams):
        return Embeddings(model=params.model, data=[{"object": "embedding", "index": 0, "embedding": [1.0, 0.0]}])

class Tool(BaseModel):
    name: str
    description: str
    parameters: list[dict[str, Any]]

class Tools(BaseModel):
    data: list[Tool]

class Result(BaseModel):
    content: str
    error_code: int | None = None

class ToolImpl:
    async def list_runtime_tools(self, tool_group_id: str | None = None, mcp_endpoint: Any = None):
        return Tools(data=[Tool(name="glow", description="Glows", parameters=[
            {"name": "colour", "parameter_type": "string", "description": "Which"}])])

    async def invoke_tool(self, tool_name: str, kwargs: dict[str, Any]):
        return Result(content=f"{tool_name} {kwargs['colour']}")
"""
_MAKES = """\
async def get_adapter_impl(config, deps):
    from meadow_old.implementation import Impl
    assert deps == {}
    return Impl(config.word)
async def get_provider_impl(config, deps, policy):
    from meadow_old.implementation import ToolImpl
    return ToolImpl()
"""
OLD = {
    "meadow_old/__init__.py": _MAKES,
    "meadow_old/config.py": _CONFIG,
    "meadow_old/implementation.py": _IMPLEMENTATION,
    "meadow_old/provider.py": _SPEC
    + "def get_provider_spec():\n    return Stated(api=Api.inference, provider_type='remote::old')\n",
}
ENTRY = {"provider_id": "old", "provider_type": "remote::old", "module": "meadow_old", "config": {"word": "hello"}}


@asynccontextmanager
async def serving_old(folder: Path, **sections: object) -> AsyncIterator[Served]:
    file = folder / "run.yaml"
    providers = sections.pop("providers", {"inference": [ENTRY]})
    file.write_text(json.dumps({"version": 2, "distro_name": "old", "providers": providers, **sections}))
    async with serving(read_run_config(file, {}), folder / "state") as served:
        yield served


def asked(**fields: object) -> dict[str, object]:
    return {"model": "old/tiny", "messages": [{"role": "user", "content": "you"}], **fields}


async def test_its_inference_is_served(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_old", OLD)
    async with serving_old(tmp_path) as served:
        answer = await served.client.post("/v1/chat/completions", asked(top_p=0.5))
        embedded = await served.client.post("/v1/embeddings", {"model": "old/vectors", "input": "x"})
    assert answer.json()["choices"][0]["message"]["content"] == "hello you"
    assert answer.headers["x-llama-warnings"] == "`top_p` has no effect: `old` does not take it"
    assert embedded.json()["data"][0]["embedding"] == [1.0, 0.0]


async def test_its_stream_is_passed_on_and_ends_as_it_ended(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_old", OLD)
    async with serving_old(tmp_path) as served:
        answer = await served.client.post("/v1/chat/completions", asked(stream=True))
    chunks = [json.loads(payload) for payload in answer.payloads()]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-1]] == ["hello", "you"]
    assert "does not have this: more" in chunks[-1]["error"]["message"]  # and no [DONE]


@pytest.mark.parametrize(
    "fields, status, words",
    [
        ({"temperature": 2}, 400, "`old` refuses this: too hot"),
        ({"temperature": 1.5}, 502, "`old` failed: RuntimeError"),
    ],
)
async def test_its_errors_become_ours(
    site: Path, tmp_path: Path, fields: dict[str, object], status: int, words: str
) -> None:
    install(site, "meadow_old", OLD)
    async with serving_old(tmp_path) as served:
        refused = await served.client.post("/v1/chat/completions", asked(**fields))
        lacking = await served.client.post("/v1/completions", {"model": "old/tiny", "prompt": "x"})
    assert (refused.status, refused.error["message"]) == (status, words)
    assert (lacking.status, lacking.error["message"]) == (501, "`old` has no `openai_completion`")


async def test_a_file_may_be_all_that_describes_it(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_old", {path: text for path, text in OLD.items() if "provider.py" not in path})
    file = tmp_path / "more/remote/inference/old.yaml"
    file.parent.mkdir(parents=True)
    inner = {"adapter_type": "old", "module": "meadow_old", "config_class": "meadow_old.config.Config"}
    file.write_text(json.dumps({"adapter": inner, "api_dependencies": []}))
    entry = {"provider_id": "old", "provider_type": "remote::old"}
    async with serving_old(tmp_path, providers={"inference": [entry]}, external_providers_dir="more") as served:
        answer = await served.client.post("/v1/chat/completions", asked())
    assert answer.json()["choices"][0]["message"]["content"] == "hi you"


async def test_settings_that_cannot_be_imported_degrade_it_alone(site: Path, tmp_path: Path) -> None:
    """They are named by the file alone, and imported when it is read."""
    files = {path: text for path, text in OLD.items() if "provider.py" not in path}
    install(site, "meadow_old", {**files, "meadow_old/config.py": "raise RuntimeError('too dark')"})
    file = tmp_path / "more/remote/inference/old.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"module": "meadow_old", "config_class": "meadow_old.config.Config"}))
    entry = {"provider_id": "old", "provider_type": "remote::old"}
    async with serving_old(tmp_path, providers={"inference": [entry]}, external_providers_dir="more") as served:
        assert "cannot be imported: RuntimeError: too dark" in served.stack.degraded()["old"]


async def test_its_tools_are_listed_and_called(site: Path, tmp_path: Path) -> None:
    spec = "def get_provider_spec():\n    return Stated(api=Api.tool_runtime, provider_type='inline::old')\n"
    makes = _MAKES.replace("get_adapter_impl", "get_other_impl")
    install(site, "meadow_old", {**OLD, "meadow_old/__init__.py": makes, "meadow_old/provider.py": _SPEC + spec})
    entry = {**ENTRY, "provider_type": "inline::old"}
    groups = {"tool_groups": [{"toolgroup_id": "old::glow", "provider_id": "old"}]}
    async with serving_old(tmp_path, providers={"tool_runtime": [entry]}, registered_resources=groups) as served:
        listed = (await served.client.get("/v1/tools?toolgroup_id=old::glow")).json()
        body = {"tool_name": "glow", "kwargs": {"colour": "red"}}
        result = (await served.client.post("/v1/tool-runtime/invoke", body)).json()
    assert listed["data"][0]["input_schema"]["properties"]["colour"] == {"type": "string", "description": "Which"}
    assert result["content"] == "glow red"


@pytest.mark.parametrize(
    "provider_py, why",
    [
        (
            _SPEC + "def get_provider_spec():\n    return Stated(api=Api.inference, provider_type='remote::old',"
            " api_dependencies=[Api.vector_io])\n",
            "is written for llama-stack and needs its own APIs, which it is not given: vector_io",
        ),
        (
            "from llama_stack.providers.datatypes import ProviderSpec",
            "is written for llama-stack and cannot be imported without `llama_stack`: name the version of llama-stack",
        ),
    ],
)
async def test_what_cannot_be_used_is_refused(site: Path, tmp_path: Path, provider_py: str, why: str) -> None:
    install(site, "meadow_old", {**OLD, "meadow_old/provider.py": provider_py})
    async with serving_old(tmp_path) as served:
        assert why in served.stack.degraded()["old"]


async def test_its_other_apis_cannot_be_used(site: Path, tmp_path: Path) -> None:
    spec = "def get_provider_spec():\n    return Stated(api=Api.files, provider_type='remote::old')\n"
    install(site, "meadow_old", {**OLD, "meadow_old/provider.py": _SPEC + spec})
    async with serving_old(tmp_path, providers={"files": [ENTRY]}) as served:
        assert "of which only providers of inference and tool_runtime can be used" in served.stack.degraded()["old"]
