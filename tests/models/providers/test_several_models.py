"""Several models of our engine in one provider: tiny ones, over HTTP. When each is loaded is tested without an engine
in `tests/unit/providers/test_model_pool.py`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.engine.checkpoints.weights import weight_shapes
from runtime.engine.engine import Engine
from runtime.engine.memory import hardware
from runtime.engine.memory.needs import DoesNotFit
from runtime.engine.memory.plan import Gpu, Hardware
from runtime.engine.memory.promised import promised_bytes
from runtime.engine.running import estimate, loading
from runtime.engine.running.options import EngineOptions
from runtime.errors import StackError
from runtime.providers.inference import _turns
from runtime.providers.inference.meta_reference.adapter import MetaReferenceInference
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig
from runtime.providers.inference.meta_reference.runner import EngineRunner
from tests.support.contexts import model_context
from tests.support.llama_cpp import shipped_gguf
from tests.support.tiny_llama import tiny_config
from tests.support.tiny_model import write_tiny_chat_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    for name, context_length in (("A", 128), ("B", 256), ("Damaged", 128)):
        write_tiny_chat_model(made / name, context_length=context_length)
    weights = made / "Damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return made


@asynccontextmanager
async def served(folder: Path, *models: str | dict[str, Any], **config: Any) -> AsyncIterator[Served]:
    given = [
        str(folder / one) if isinstance(one, str) else {**one, "model": str(folder / one["model"])} for one in models
    ]
    settings = {"device": "cpu", "dtype": "float32", "threads": 1, "models": given, **config}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": settings}
    async with serving(run_config(provider), folder / "state") as running:
        yield running


async def chat(running: Served, name: str, **fields: Any) -> Answered:
    messages = [{"role": "user", "content": "hello"}]
    body = {"model": f"llama/{name}", "messages": messages, "temperature": 0, "max_tokens": 5, **fields}
    return await running.client.post("/v1/chat/completions", body)


async def states(running: Served) -> dict[str, str]:
    """Of the models, as the list says."""
    listed = (await running.client.get("/v1/models")).json()["data"]
    return {model["id"]: model["custom_metadata"]["state"] for model in listed}


async def listed_as(running: Served, **wanted: str) -> None:
    async with asyncio.timeout(10):
        while await states(running) != {f"llama/{name}": state for name, state in wanted.items()}:
            await asyncio.sleep(0)


async def health(running: Served) -> dict[str, Any]:
    found: dict[str, Any] = (await running.client.get("/v1/providers/llama")).json()["health"]
    return found


async def test_the_first_is_loaded_at_the_start_and_others_by_their_first_request(folder: Path) -> None:
    async with served(folder, "A", "B") as running:
        await listed_as(running, A="loaded", B="unloaded")
        assert (await health(running))["message"] == "A on cpu: 0 running, 0 waiting; B is not loaded"
        answers = await asyncio.gather(*(chat(running, name) for name in "ABB"))
        assert [answer.status for answer in answers] == [200] * 3
        await listed_as(running, A="loaded", B="loaded")
        model = (await running.client.get("/v1/models/llama/B")).json()
        assert model["metadata"]["context_length"] == 256
    assert promised_bytes() == 0  # whoever has been unloaded has given up its share


async def test_memory_that_a_cache_has_taken_once_is_not_promised_again(folder: Path) -> None:
    """Its pages are free again and without content, and the system has given their memory for good."""
    async with served(folder, {"model": "A", "prefix_cache_tokens": 0}) as running:
        await listed_as(running, A="loaded")
        before = promised_bytes()
        assert (await chat(running, "A")).status == 200
        assert (await health(running))["message"] == "A on cpu: 0 running, 0 waiting"
        assert promised_bytes() < before


async def test_a_provider_that_starts_says_how_far_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, load = asyncio.Event(), EngineRunner.load

    async def slowly(this: EngineRunner, *, may_shrink: bool) -> None:
        await go_on.wait()
        await load(this, may_shrink=may_shrink)

    monkeypatch.setattr(EngineRunner, "load", slowly)
    config = {"model": str(folder / "A"), "device": "cpu", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), folder / "state", settled=False) as running:
        async with asyncio.timeout(10):
            while "A is being loaded for " not in (found := await health(running))["message"]:
                await asyncio.sleep(0)
        assert found["state"] == "starting" and found["message"].startswith("still starting: ")
        go_on.set()
        await running.stack.settled.wait()
        assert (await health(running))["state"] == "ready"


async def test_models_take_turns_where_only_one_may_be_loaded(folder: Path) -> None:
    async with served(folder, "A", "B") as running:
        expected = [(await chat(running, name)).json()["choices"] for name in "AB"]
    async with served(folder, "A", "B", max_loaded_models=1) as running:
        answers = await asyncio.gather(*(chat(running, name) for name in "ABAB"))
        assert [answer.json()["choices"] for answer in answers] == expected * 2
        assert sorted((await states(running)).values()) == ["loaded", "unloaded"]


async def test_a_model_is_not_unloaded_under_a_stream(folder: Path) -> None:
    async with served(folder, "A", "B", max_loaded_models=1) as running:
        pool = adapter_of(running.stack, "inference")._pool
        body = {"model": "llama/A", "prompt": "hello", "stream": True, "max_tokens": 100, "ignore_eos": True}
        sent = {"headers": {"content-type": "application/json"}, "body": json.dumps(body | {"keep_alive": 0}).encode()}
        answer = running.client.call("POST", "/v1/completions", **sent)
        status, _ = await answer.start()
        assert status == 200 and await answer.chunk()
        other = asyncio.create_task(chat(running, "B"))
        async with asyncio.timeout(10):
            while not pool.member("A").is_leaving:
                await asyncio.sleep(0)
        assert b"[DONE]" in await answer.rest()  # it was read to its end
        assert (await other).status == 200
        await listed_as(running, A="unloaded", B="loaded")


async def test_an_engine_that_has_ended_is_replaced_by_the_next_request(folder: Path) -> None:
    async with served(folder, "A") as running:
        pool = adapter_of(running.stack, "inference")._pool
        await pool.member("A").runner.engine.stop()
        assert (await chat(running, "A")).status == 200
        assert pool.member("A").runner.works


async def test_a_model_goes_at_once_where_its_request_says_so(folder: Path) -> None:
    async with served(folder, "A", "B") as running:
        answer = await chat(running, "A", keep_alive=0)
        assert answer.status == 200 and "keep_alive" not in answer.headers.get("x-llama-warnings", "")
        await listed_as(running, A="unloaded", B="unloaded")
        assert (await chat(running, "A", keep_alive="5m")).status == 200
        await listed_as(running, A="loaded", B="unloaded")
        refused = await chat(running, "A", keep_alive="soon")
        assert (refused.status, refused.error["param"]) == (400, "keep_alive")


@pytest.mark.parametrize("path", ["/v1alpha/admin/models", "/models"])
async def test_models_are_loaded_and_unloaded_by_name(folder: Path, path: str) -> None:
    async with served(folder, "A", {"model": "B", "keep_alive": "1h"}) as running:
        for action, state in (("load", "loaded"), ("load", "loaded"), ("unload", "unloaded"), ("unload", "unloaded")):
            answer = await running.client.post(f"{path}/{action}", {"model": "llama/B"})
            assert (answer.status, answer.json()) == (200, {"success": True})
            await listed_as(running, A="loaded", B=state)
        assert (await running.client.post(f"{path}/load", {"model": "llama/C"})).status == 404


async def test_a_damaged_file_is_named_and_the_others_go_on(folder: Path) -> None:
    async with served(folder, "A", {"model": "Damaged", "preload": True}, {"model": "Missing"}) as running:
        assert (await chat(running, "A")).status == 200
        for _ in range(2):
            answer = await chat(running, "Damaged")
            assert (answer.status, answer.error["code"]) == (503, "checkpoint_invalid")
            assert "Damaged/model.safetensors" in answer.error["message"]
        missing = await chat(running, "Missing")
        assert (missing.status, missing.error["code"]) == (503, "weights_not_found")
        await listed_as(running, A="loaded", Damaged="failed", Missing="failed")
        found = await health(running)
        assert found["state"] == "degraded" and "`Damaged` could not be loaded: " in found["message"]

        write_tiny_chat_model(folder / "Missing", context_length=64)
        assert (await running.client.post("/models/load", {"model": "llama/Missing"})).status == 200
        assert (await chat(running, "Missing")).status == 200


async def test_a_model_without_room_is_refused_with_what_it_needs_before_it_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime.engine.running import loading

    async with served(folder, {"model": "A", "pinned": True}, "B") as running:
        real = loading.probe_hardware
        little = Hardware(available_bytes=promised_bytes() + 1000)
        monkeypatch.setattr(loading, "probe_hardware", lambda **_: little)
        answer = await chat(running, "B")
        assert (answer.status, answer.error["code"]) == (503, "model_does_not_fit")
        assert "Model `B` does not fit into memory: The model needs" in answer.error["message"]
        assert "cpu has 0.0 MiB free" in answer.error["message"]
        assert (await chat(running, "A")).status == 200
        monkeypatch.setattr(loading, "probe_hardware", real)
        assert (await running.client.post("/models/load", {"model": "llama/B"})).status == 200


@pytest.mark.parametrize("file", ["A", pytest.param("shipped", marks=pytest.mark.smollm2)])
async def test_loading_tells_which_share_of_the_weights_is_there(folder: Path, file: str) -> None:
    shares: list[float] = []
    path = folder / "A" if file == "A" else shipped_gguf()
    engine = Engine(EngineOptions(model=path, device="cpu", threads=1, on_progress=shares.append))
    await engine.start()
    await engine.stop()
    assert shares[0] == 0 and shares == sorted(set(shares))
    assert 0.9 < shares[-1] < 1 or 0.3 < shares[-1] < 0.4  # where the kernels are still compiled


@pytest.mark.parametrize("is_compiled", [True, False])
def test_weights_count_for_less_while_something_else_is_left_to_do(is_compiled: bool) -> None:
    shares: list[float] = []
    options = EngineOptions(model=Path("nowhere"), on_progress=shares.append)
    counting = loading._counting(lambda: None, tiny_config(layers=1), options, lambda: is_compiled)
    for _ in range(len(weight_shapes(tiny_config(layers=1)))):
        counting()
    assert (0.9 if is_compiled else 0.3) < shares[-1] < (1 if is_compiled else 0.4)


@pytest.mark.parametrize("file", ["A", pytest.param("shipped", marks=pytest.mark.smollm2)])
async def test_a_plan_is_made_once_and_a_file_s_tables_go_when_the_weights_are_there(
    folder: Path, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[weakref.ref[Any]] = []
    real = loading.open_checkpoint

    def noting(path: Path) -> Any:
        checkpoint = real(path)
        opened.append(weakref.ref(checkpoint))
        return checkpoint

    monkeypatch.setattr(loading, "open_checkpoint", noting)
    path = folder / "A" if file == "A" else shipped_gguf()
    config = MetaReferenceConfig(model=str(path), device="cpu", threads=1)
    inference = MetaReferenceInference(config, model_context(tmp_path))
    [name] = inference._pool.members
    await inference._pool.load(name)
    gc.collect()
    assert [one() for one in opened] == [None]
    await inference.stop()


async def test_what_a_model_will_take_while_it_loads_is_not_given_to_another_provider_s(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one waits for a few seconds only, and the weights of a large one take longer."""
    monkeypatch.setattr(_turns, "_PATIENCE_S", 0.0)
    begun, go_on = threading.Event(), threading.Event()
    real = loading._on_torch

    def slowly(planned: Any, options: EngineOptions, *rest: Any) -> Any:
        if options.model_name == "A":
            begun.set()
            assert go_on.wait(30)
        return real(planned, options, *rest)

    monkeypatch.setattr(loading, "_on_torch", slowly)
    large, small = (
        MetaReferenceInference(
            MetaReferenceConfig(model=str(folder / name), device="cpu", dtype="float32", threads=1),
            model_context(tmp_path / name),
        )
        for name in "AB"
    )
    before = promised_bytes()
    asking = asyncio.create_task(large._pool.load("A"))
    assert await asyncio.to_thread(begun.wait, 30)
    coming = promised_bytes() - before
    there = Hardware(available_bytes=before + coming)
    monkeypatch.setattr(loading, "probe_hardware", lambda **_: there)
    try:
        with pytest.raises(StackError, match=r"cpu has 0\.0 MiB free"):
            await small._pool.load("B")
    finally:
        go_on.set()
        await asking
        plan = large._pool.member("A").runner.plan  # type: ignore[union-attr]  # it is loaded
        assert coming == plan.weights_bytes + plan.kv_bytes
        await large.stop()
        await small.stop()
    assert promised_bytes() == before


@pytest.mark.smollm2
async def test_the_model_that_comes_with_us_is_served_beside_another(folder: Path) -> None:
    name = "SmolLM2-135M-Instruct"
    async with served(folder, model=name, models=[str(folder / "A")], keep_alive=0) as running:
        question = [{"role": "user", "content": "What is the capital of France?"}]
        for _ in range(2):
            answer = await chat(running, name, messages=question, max_tokens=12)
            assert "Paris" in json.dumps(answer.json())
            assert (await chat(running, "A")).status == 200
        await listed_as(running, **{name: "unloaded", "A": "unloaded"})


def test_a_model_waits_for_the_gpu_that_others_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is not here: rather than to be computed by the CPU."""
    full = Gpu(name="full", total_bytes=2**33, free_bytes=0)
    there = Hardware(available_bytes=2**33, gpus=(full,))
    monkeypatch.setattr(hardware, "probe_hardware", lambda **_: there)
    monkeypatch.setattr(loading, "probe_hardware", lambda **_: there)
    options = EngineOptions(model=folder / "A")
    with pytest.raises(DoesNotFit, match="on the GPU") as caught:
        estimate.plan_beside(options, promised_bytes=0, may_shrink=False)
    assert caught.value.missing_bytes == 0  # so others are unloaded for it
    assert estimate.plan_beside(options, promised_bytes=0, may_shrink=True).plan.device == "cpu"
    tiny = replace(full, total_bytes=1000)
    there = Hardware(available_bytes=2**33, gpus=(tiny,))
    assert estimate.plan_beside(options, promised_bytes=0, may_shrink=False).plan.device == "cpu"


async def test_nothing_of_an_unloaded_model_waits_until_circles_are_looked_for(folder: Path, tmp_path: Path) -> None:
    config = MetaReferenceConfig(model=str(folder / "A"), device="cpu", threads=1)
    inference = MetaReferenceInference(config, model_context(tmp_path))
    gc.collect()
    gc.disable()
    try:
        await inference._pool.load("A")
        text = inference._pool.member("A").runner.text  # type: ignore[union-attr]  # it is loaded
        left = [weakref.ref(text), weakref.ref(text.engine), weakref.ref(text.tokenizer)]
        del text
        await inference._pool.unload("A")
        async with asyncio.timeout(10):
            while any(
                one() is not None for one in left
            ):  # the thread that read a file may hold what it read for a moment
                await asyncio.sleep(0)
    finally:
        gc.enable()
        await inference.stop()


@pytest.mark.smollm2
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_what_a_model_took_is_free_when_it_is_unloaded(tmp_path: Path) -> None:
    def taken() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    inference = MetaReferenceInference(MetaReferenceConfig(device="cpu", threads=1), model_context(tmp_path))
    pool = inference._pool
    [name] = pool.members
    after = []
    for _ in range(4):  # the first one compiles kernels, and what that took is used again
        await pool.load(name)
        weights_bytes = pool.member(name).runner.plan.weights_bytes  # type: ignore[union-attr]  # it is loaded
        await pool.unload(name)
        after.append(taken())
    grown = [later - earlier for earlier, later in itertools.pairwise(after)]
    assert min(grown) < weights_bytes * 0.3, grown
    await inference.stop()
