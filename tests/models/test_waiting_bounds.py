"""What waits is bounded, in the engine, in the embedder and while a model loads: beyond that 429 with `retry-after`."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from runtime.apis.inference.protocol import ChatCompletionRequest, CompletionRequest, EmbeddingsRequest
from runtime.engine import worker
from runtime.engine.encoders import sentence_encoder as encoder
from runtime.engine.encoders.embedder import Embedder
from runtime.engine.engine import Engine
from runtime.engine.requests.messages import Command
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.requests.waiting_room import WaitingRoom
from runtime.engine.running.options import EngineOptions
from runtime.errors import RateLimited, RequestError, StackError, TooLarge
from runtime.providers.inference.meta_reference.adapter import MetaReferenceInference
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig
from runtime.providers.inference.sentence_transformers.adapter import SentenceTransformersInference
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig
from runtime.sse import EventStream
from tests.support.contexts import model_context
from tests.support.tiny_encoder import write_embedder
from tests.support.tiny_model import write_tiny_chat_model

ENDLESS = SamplingParams(ignore_eos=True, temperature=0)
CONTEXT = model_context(Path("unused"))


def assert_told_to_come_again(refused: pytest.ExceptionInfo[RateLimited]) -> None:
    error = refused.value
    assert (error.status, int(error.headers["retry-after"]) > 0) == (429, True)
    assert "max_waiting" in str(error.hint)


def test_a_room_counts_places_and_size_and_gives_both_back() -> None:
    room = WaitingRoom("m", places=3, size=10, unit="texts", size_unit="tokens")
    room.enter(2, 4)
    for places, size, words in [(2, 0, "`m` already has 2 texts to work on; 2 more"), (1, 7, "has 4 tokens .* 7 more")]:
        with pytest.raises(RateLimited, match=words) as refused:
            room.enter(places, size)
        assert_told_to_come_again(refused)
    with pytest.raises(ZeroDivisionError), room.within(1, 6):
        raise ZeroDivisionError
    room.leave(2, 4)
    assert (room.taken, room.taken_size) == (0, 0)
    for places, size in [(4, 0), (1, 11)]:
        with pytest.raises(TooLarge, match=r"`m` takes \d+ at once"):
            room.check_size(places, size)


# The engine


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chat_model(tmp_path_factory.mktemp("tiny") / "Tiny", context_length=128)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is not set, an engine makes no further step: what waits keeps waiting."""
    allowed = threading.Event()
    allowed.set()
    original = worker._Worker.step

    def step(this: worker._Worker, commands: SimpleQueue[Command]) -> None:
        assert allowed.wait(10)
        original(this, commands)

    monkeypatch.setattr(worker._Worker, "step", step)
    return allowed


@pytest.fixture
async def engine(model: Path) -> AsyncIterator[Engine]:
    made = Engine(EngineOptions(model=model, device="cpu", dtype="float32", threads=1, max_batch_size=1, max_waiting=2))
    await made.start()
    yield made
    await made.stop()


async def test_sequences_have_their_place_from_the_call_on_and_until_they_are_left(
    steps: threading.Event, engine: Engine
) -> None:
    running, unread, waiting = (engine.generate([5], ENDLESS) for _ in range(3))
    await anext(running)
    steps.clear()
    left = asyncio.create_task(anext(waiting))
    await asyncio.sleep(0)  # lets it run as far as its wait
    with pytest.raises(RateLimited, match="3 sequences") as refused:
        engine.generate([5], ENDLESS)
    assert_told_to_come_again(refused)

    await unread.aclose()
    await unread.aclose()  # gives back no second place
    again = engine.generate([5], ENDLESS)
    with pytest.raises(RateLimited):
        engine.generate([5], ENDLESS)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await engine.generate([5], ENDLESS).aclose()  # at once, before another step

    await again.aclose()
    await running.aclose()
    steps.set()
    for _ in range(5):  # those that end by themselves leave too
        assert len([output async for output in engine.generate([5], SamplingParams(max_tokens=2))]) > 0
    with pytest.raises(RequestError):
        engine.generate([], ENDLESS)  # and what is refused takes no place
    streams = [engine.generate([5], ENDLESS) for _ in range(3)]
    for stream in streams:
        await stream.aclose()


async def test_prompt_tokens_are_bounded_by_what_can_run_and_what_may_wait(tmp_path: Path) -> None:
    model = write_tiny_chat_model(tmp_path, context_length=2048)
    engine = Engine(EngineOptions(model=model, device="cpu", threads=1, max_batch_size=1, max_waiting=2))
    await engine.start()
    try:
        tokens = engine.plan.pages * engine.plan.page_size + 2 * 512
        most = [2000, tokens - 2000]
        engine.check_size(most)
        for lengths, each in [([*most, 1], 1), ([2000], 3)]:
            with pytest.raises(TooLarge, match=f"{sum(lengths) * each} prompt tokens"):
                engine.check_size(lengths, each)
    finally:
        await engine.stop()


@pytest.fixture
async def inference(model: Path) -> AsyncIterator[MetaReferenceInference]:
    made = MetaReferenceInference(
        MetaReferenceConfig(model=str(model), device="cpu", threads=1, max_batch_size=1, max_waiting=4), CONTEXT
    )
    await made.start()
    yield made
    await made.stop()


def chat(**fields: Any) -> ChatCompletionRequest:
    messages = [{"role": "user", "content": "hi"}]
    return ChatCompletionRequest.model_validate({"model": "Tiny", "messages": messages, "max_tokens": 1, **fields})


async def test_a_request_counts_as_often_as_it_wants_answers(inference: MetaReferenceInference) -> None:
    held = await inference.chat_completion(chat(stream=True, n=3))
    assert isinstance(held, EventStream)
    for stream in (False, True):  # before the first byte either way
        with pytest.raises(RateLimited) as refused:
            await inference.chat_completion(chat(n=3, stream=stream))
        assert_told_to_come_again(refused)
        with pytest.raises(RateLimited):
            await inference.completion(CompletionRequest(model="Tiny", prompt=["a", "b", "c"], stream=stream))
        with pytest.raises(TooLarge, match="128 sequences"):
            await inference.chat_completion(chat(n=128, stream=stream))
    # Those who were refused half-way have left no answers behind.
    await inference.chat_completion(chat(n=2))
    await held.aclose()
    await inference.chat_completion(chat(n=5))


async def test_whenever_callers_leave_no_place_stays_taken(inference: MetaReferenceInference) -> None:
    chance = random.Random(6)

    async def ask() -> None:
        if chance.random() < 0.5:
            answer = await inference.chat_completion(chat(n=chance.randint(1, 3), stream=True))
        else:
            prompts = chance.choice([["a"], ["a", "b"], [[5], [10**6]], [[5], [5] * 200]])  # the last two are refused
            answer = await inference.completion(CompletionRequest(model="Tiny", prompt=prompts, stream=True))
        assert isinstance(answer, EventStream)
        try:
            for _ in range(chance.randint(0, 4)):
                await anext(answer, None)
        finally:
            await answer.aclose()

    tasks = []
    for _ in range(200):
        tasks.append(asyncio.create_task(ask()))
        for _ in range(chance.randint(0, 3)):
            await asyncio.sleep(0)
        chance.choice(tasks[-4:]).cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {None, asyncio.CancelledError, RequestError} <= {end and type(end) for end in ends}
    await (await inference.chat_completion(chat(n=5, stream=True))).aclose()  # type: ignore[union-attr]  # it is all free


@pytest.mark.parametrize("length", [128, 100_000])
async def test_a_prompt_that_is_too_long_is_told_as_that_however_long_it_is(
    inference: MetaReferenceInference, length: int
) -> None:
    """Neither sending it alone nor a higher `max_waiting` would help."""
    with pytest.raises(RequestError, match=f"{length} tokens") as refused:
        await inference.completion(CompletionRequest(model="Tiny", prompt=[5] * length))
    assert refused.value.code == "context_length_exceeded"


# The embedder


async def test_texts_that_wait_are_bounded_and_cancelled_ones_leave_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    original = encoder.SentenceEncoder.encode

    def encode(this: encoder.SentenceEncoder, texts: Any) -> Any:
        entered.set()
        assert go_on.wait(10)
        return original(this, texts)

    monkeypatch.setattr(encoder.SentenceEncoder, "encode", encode)
    embedder = Embedder(write_embedder(tmp_path), device="cpu", threads=1, max_waiting=4)
    await embedder.start()
    try:
        first = asyncio.create_task(embedder.embed(["red"]))
        assert await asyncio.to_thread(entered.wait, 10)
        waiting = asyncio.create_task(embedder.embed(["cat"] * 3))
        await asyncio.sleep(0)  # lets it run as far as its wait
        with pytest.raises(RateLimited, match="4 texts") as refused:
            await embedder.embed(["dog"])
        assert_told_to_come_again(refused)
        for texts in (["dog"] * 5, ["d" * 9000]):
            with pytest.raises(TooLarge):
                await embedder.embed(texts)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        others = [asyncio.create_task(embedder.embed(["dog"])) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await embedder.embed(["dog"])
        go_on.set()
        await asyncio.gather(first, *others)
        await embedder.embed(["dog"] * 4)
    finally:
        go_on.set()
        await embedder.stop()


async def test_a_model_is_called_as_it_is_served_and_not_as_its_folder(tmp_path: Path) -> None:
    """In a Hugging Face cache the folder is called by a digest."""
    first, second = (tmp_path / kind / "models--tiny--it" / "snapshots" / ("1" * 40) for kind in ("embed", "chat"))
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    embeddings = SentenceTransformersInference(
        SentenceTransformersConfig(model=str(write_embedder(first)), max_waiting=1, threads=1), CONTEXT
    )
    await embeddings.start()
    with pytest.raises(TooLarge, match="`tiny/it` takes 1 at once"):
        await embeddings.embeddings(EmbeddingsRequest(model="tiny/it", input=["a", "b"]))
    await embeddings.stop()
    chats = MetaReferenceInference(
        MetaReferenceConfig(
            model=str(write_tiny_chat_model(second)), device="cpu", threads=1, max_batch_size=1, max_waiting=1
        ),
        CONTEXT,
    )
    await chats.start()
    with pytest.raises(TooLarge, match="`tiny/it` takes 2 at once"):
        await chats.chat_completion(chat(n=3, model="tiny/it"))
    await chats.stop()


# While a model loads


def early_chat(model: Path) -> tuple[Any, Callable[[int], Awaitable[Any]]]:
    made = MetaReferenceInference(MetaReferenceConfig(model=str(model), max_waiting=3, load_timeout_s=30), CONTEXT)
    return made, lambda number: made.chat_completion(chat(n=number))


def early_completion(model: Path) -> tuple[Any, Callable[[int], Awaitable[Any]]]:
    made = MetaReferenceInference(MetaReferenceConfig(model=str(model), max_waiting=3, load_timeout_s=30), CONTEXT)
    return made, lambda number: made.completion(CompletionRequest(model="Tiny", prompt=["a"] * number))


def early_embedding(model: Path) -> tuple[Any, Callable[[int], Awaitable[Any]]]:
    config = SentenceTransformersConfig(model=str(model), max_waiting=3, load_timeout_s=30)
    made = SentenceTransformersInference(config, CONTEXT)
    return made, lambda number: made.embeddings(EmbeddingsRequest(model="Tiny", input=["a"] * number))


@pytest.mark.parametrize("early", [early_chat, early_completion, early_embedding])
async def test_requests_that_wait_for_the_weights_are_bounded(
    model: Path, early: Callable[[Path], tuple[Any, Callable[[int], Awaitable[Any]]]]
) -> None:
    made, ask = early(model)
    await made._pool._turn.acquire()  # so that nothing is loaded
    waiting = [asyncio.ensure_future(ask(number)) for number in (2, 1)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(RateLimited) as refused:
            await ask(1)
        assert_told_to_come_again(refused)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        waiting.append(asyncio.ensure_future(ask(2)))
        await asyncio.sleep(0)
        assert not waiting[-1].done()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await made.stop()


async def test_early_requests_are_bounded_by_their_bytes_too(model: Path) -> None:
    made = MetaReferenceInference(MetaReferenceConfig(model=str(model), max_waiting=3, load_timeout_s=30), CONTEXT)
    with pytest.raises(StackError, match="bytes of requests") as refused:
        await made.chat_completion(chat().with_raw(b"x" * 100_000))
    assert refused.value.status == 429
    await made.stop()
