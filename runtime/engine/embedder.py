"""Embeddings as a service: texts in, vectors out, from one thread that owns the model.

Knows tokens, queues and fair shares; no tensors (`encoder.py`), no HTTP. The thread imports torch when the embedder
starts.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.engine.checkpoint_kinds import refuse_pointer
from runtime.engine.model_config import CheckpointInvalid
from runtime.engine.waiting_room import WaitingRoom
from runtime.errors import RequestError, StackError, Unavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from runtime.engine.encoder import SentenceEncoder

CHARACTERS_EACH = 2048


@dataclass(frozen=True)
class Embeddings:
    """vectors: [texts, dimension], float32. prompt_tokens: what the model read, special tokens included."""

    vectors: NDArray[np.float32]
    prompt_tokens: int


class Embedder:
    """An embedding model for concurrent callers: waiting texts are encoded together, in fair shares.

    path: a sentence-transformers folder with a BERT-style model. device: a torch device or `auto`. threads: CPU threads
    for a step, None for torch's default. max_waiting: texts that may be accepted and not yet answered, with
    `CHARACTERS_EACH` characters for each on average. name: the model's name in messages, None for the folder's.
    """

    def __init__(
        self,
        path: Path,
        device: str = "auto",
        threads: int | None = None,
        max_waiting: int = 16_384,
        name: str | None = None,
    ) -> None:
        self._path = path
        self._name = name or path.name
        self._device = device
        self._threads = threads
        self._commands: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._worker: _Worker | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._room = WaitingRoom(
            self._name,
            places=max_waiting,
            size=max_waiting * CHARACTERS_EACH,
            unit="texts",
            size_unit="characters or token ids",
        )

    async def start(self) -> None:
        """Load the model, in the embedder's own thread.

        Raises CheckpointInvalid, naming the file at fault; Unavailable when `stop` is called meanwhile; RuntimeError on
        a second call.
        """
        if self._thread is not None:
            raise RuntimeError("an Embedder starts once")
        loaded: Future[_Worker] = Future()
        self._thread = threading.Thread(target=self._run, args=(loaded,), name="embedder", daemon=True)
        self._thread.start()
        worker = await asyncio.wrap_future(loaded)
        with self._gate:
            if self._is_stopped:
                raise Unavailable("The embedding model was stopped while it was loading.")
            self._worker = worker

    async def embed(self, texts: Sequence[str | Sequence[int]], *, truncate: bool = True) -> Embeddings:
        """One vector for each text, in the order given.

        texts: strings, or token ids of the model's own vocabulary without its special tokens. Texts longer than
        `max_tokens` are cut at the end; with `truncate=False` they are an error.
        Raises RequestError for texts that are too long or ids that do not exist, TooLarge for more texts than fit even
        when nothing else waits, RateLimited where too many wait, Unavailable when not running.
        """
        job = _Job(texts=list(texts), truncate=truncate)
        size = sum(map(len, texts))
        self._room.check_size(len(texts), size)
        with self._room.within(len(texts), size):
            with self._gate:
                self._running()
                self._commands.put(job)
            return await asyncio.wrap_future(job.future)

    async def stop(self) -> None:
        """End the thread after its step; callers still waiting get Unavailable. May be called at any time."""
        with self._gate:
            self._is_stopped = True
            self._worker = None
            self._commands.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @property
    def dimension(self) -> int:
        """The number of elements of a vector. Raises Unavailable when not running."""
        return self._running().encoder.config.hidden_size

    @property
    def vocab_size(self) -> int:
        """The number of token ids. Raises Unavailable when not running."""
        return self._running().encoder.config.vocab_size

    @property
    def max_tokens(self) -> int:
        """The longest text, in tokens, special tokens included. Raises Unavailable when not running."""
        return self._running().encoder.config.max_tokens

    def _running(self) -> _Worker:
        if self._worker is None:
            raise Unavailable(f"The embedding model `{self._name}` is not running.")
        return self._worker

    def _run(self, loaded: Future[_Worker]) -> None:
        loaded.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        try:
            worker = _Worker.load(self._name, self._path, self._device, self._threads)
        except BaseException as error:
            loaded.set_exception(error)
            return
        loaded.set_result(worker)
        worker.work(self._commands)


@dataclass(eq=False)
class _Job:
    """One call of `embed`. left: indices of the texts still to be encoded, shortest first; the last one is next.

    vectors: [texts, hidden_size], float32, filled step by step.
    """

    texts: list[str | Sequence[int]]
    truncate: bool
    future: Future[Embeddings] = field(default_factory=Future)
    ids: list[list[int]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    vectors: NDArray[np.float32] = field(init=False)


class _Worker:
    """The thread's work: it alone touches the model."""

    def __init__(self, name: str, encoder: SentenceEncoder, tokenizer: Tokenizer) -> None:
        self._name = name
        self.encoder = encoder
        self._tokenizer = tokenizer
        # The special tokens around a text, such as [CLS] and [SEP].
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        whole = tokenizer.encode("a").ids
        start = whole.index(bare[0])
        self._before, self._after = whole[:start], whole[start + len(bare) :]

    @classmethod
    def load(cls, name: str, path: Path, device: str, threads: int | None) -> _Worker:
        import torch
        from tokenizers import Tokenizer

        from runtime.engine.encoder import load_encoder

        if threads is not None:
            torch.set_num_threads(threads)
        encoder = load_encoder(path, device)
        file = path / "tokenizer.json"
        refuse_pointer(file)
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # `tokenizers` raises bare `Exception`
            raise CheckpointInvalid(f"`{file}` is not a usable tokenizer: {error}.") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # Text is data: `[SEP]` in it means these five characters, not the special token.
        tokenizer.encode_special_tokens = True
        return cls(name, encoder, tokenizer)

    def work(self, commands: queue.SimpleQueue[_Job | None]) -> None:
        """Encode jobs step by step until None arrives; a job that arrives during a step joins the next one."""
        jobs: list[_Job] = []
        while True:
            command: _Job | None
            try:
                command = commands.get(block=not jobs)
            except queue.Empty:
                self._step(jobs)
                jobs = [job for job in jobs if not job.future.done()]
                continue
            if command is None:
                break
            if self._accepts(command):
                jobs.append(command)
        for job in jobs:
            _fail(job, Unavailable("The embedding model was stopped."))

    def _accepts(self, job: _Job) -> bool:
        """Tokenize a job; False where nothing is left to encode: it failed, was cancelled or is empty."""
        import numpy as np

        if job.future.cancelled():
            return False
        try:
            job.ids = [self._ids(text, job.truncate, at) for at, text in enumerate(job.texts)]
        except Exception as error:
            _fail(job, error)
            return False
        job.left = sorted(range(len(job.ids)), key=lambda at: len(job.ids[at]))
        job.vectors = np.empty((len(job.ids), self.encoder.config.hidden_size), dtype=np.float32)
        if not job.left:
            self._finish(job)
        return bool(job.left)

    def _ids(self, text: str | Sequence[int], truncate: bool, at: int) -> list[int]:
        config = self.encoder.config
        if isinstance(text, str):
            clean = text.encode("utf-8", "replace").decode("utf-8")  # JSON can carry lone surrogates, UTF-8 cannot
            lowered = clean.lower() if config.lowercases else clean
            inner = self._tokenizer.encode(lowered, add_special_tokens=False).ids
        else:
            inner = list(text)
            if inner and not (min(inner) >= 0 and max(inner) < config.vocab_size):
                outside = max(inner) if max(inner) >= config.vocab_size else min(inner)
                raise RequestError(
                    f"Text {at} has the token id {outside}, outside the model's vocabulary of {config.vocab_size}.",
                    hint="token ids must be made with this model's own tokenizer: send text",
                    param=f"input[{at}]",
                    code="invalid_value",
                )
        room = config.max_tokens - len(self._before) - len(self._after)
        if len(inner) > room and not truncate:
            raise RequestError(
                f"Text {at} has {len(inner) + config.max_tokens - room} tokens; this model takes {config.max_tokens}.",
                param=f"input[{at}]",
                code="context_length_exceeded",
            )
        return [*self._before, *inner[:room], *self._after]

    def _step(self, jobs: list[_Job]) -> None:
        """Encode the next texts of every job; each job gets about the same share of a step's tokens."""
        # A step fills one batch of the encoder, so a new job waits for one batch at most.
        share = self.encoder.batch_tokens // len(jobs)
        chosen: list[tuple[_Job, int]] = []
        for job in jobs:
            tokens = 0
            while job.left and tokens < share and not job.future.cancelled():
                at = job.left.pop()
                tokens += len(job.ids[at])
                chosen.append((job, at))
        try:
            vectors = self.encoder.encode([job.ids[at] for job, at in chosen])
        except Exception as error:
            # A bug, or no memory left: the thread must survive it, since later calls need it.
            for job in dict.fromkeys(job for job, _ in chosen):
                failure = StackError("The embedding model failed on these texts.")
                failure.__cause__ = error
                _fail(job, failure)
            return
        for (job, at), vector in zip(chosen, vectors, strict=True):
            job.vectors[at] = vector
        for job in jobs:
            if not job.left:
                self._finish(job)

    def _finish(self, job: _Job) -> None:
        import numpy as np

        if not np.isfinite(job.vectors).all():
            _fail(job, self._not_finite())
        elif job.future.set_running_or_notify_cancel():
            job.future.set_result(Embeddings(job.vectors, sum(map(len, job.ids))))

    def _not_finite(self) -> StackError:
        return StackError(
            f"The embedding model `{self._name}` computed NaN or infinity for these texts.",
            hint="its weights are damaged: download them again",
            code="model_not_finite",
        )


def _fail(job: _Job, error: BaseException) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
