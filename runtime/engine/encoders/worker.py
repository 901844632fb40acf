"""The thread that owns an encoder: takes jobs, and encodes their texts together, step by step, in fair shares.

Knows no event loop and no callers (`embedder.py`). Importing this imports no torch; `EncoderWorker.load` does.
"""

from __future__ import annotations

import queue
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.engine.encoders.jobs import Job
from runtime.engine.encoders.tokens import EncoderTokens
from runtime.engine.memory.hardware import set_torch_threads
from runtime.errors import StackError, Unavailable

if TYPE_CHECKING:
    from runtime.engine.encoders.cross_encoder import CrossEncoder
    from runtime.engine.encoders.sentence_encoder import SentenceEncoder


class EncoderWorker:
    """The thread's work: it alone touches the model. name: the model's, for messages."""

    def __init__(self, name: str, encoder: SentenceEncoder | CrossEncoder, tokens: EncoderTokens) -> None:
        self._name = name
        self.encoder = encoder
        self._tokens = tokens

    @classmethod
    def load(cls, name: str, path: Path, device: str, threads: int | None) -> EncoderWorker:
        """Raises CheckpointInvalid, naming the file at fault."""
        from runtime.engine.encoders.weights import load_encoder

        set_torch_threads(threads)
        encoder = load_encoder(path, device)
        return cls(name, encoder, EncoderTokens.load(path, encoder.config))

    def work(self, commands: queue.SimpleQueue[Job | None]) -> None:
        """Encode jobs step by step until None arrives; a job that arrives during a step joins the next one."""
        jobs: list[Job] = []
        while True:
            command: Job | None
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
            _fail(job, Unavailable(f"Model `{self._name}` was stopped."))

    def _accepts(self, job: Job) -> bool:
        """Tokenize a job; False where nothing is left to encode: it failed, was cancelled or is empty."""
        if job.future.cancelled():
            return False
        try:
            job.prepare(self._tokens, self.encoder.config)
        except Exception as error:
            _fail(job, error)
            return False
        if not job.left:
            self._finish(job)
        return bool(job.left)

    def _step(self, jobs: list[Job]) -> None:
        """Encode the next texts of the jobs: one batch of the encoder, so a new job waits for one at most."""
        for kind, texts in self._next_batch(jobs).items():
            self._encode(kind, texts)
        for job in jobs:
            if not job.left and not job.future.done():
                self._finish(job)

    def _next_batch(self, jobs: list[Job]) -> dict[type[Job], list[tuple[Job, int]]]:
        """Texts by the kind of their jobs. Each job gets about the same share of the tokens, and a text at least; those
        that come too late for that move to the front of `jobs`.
        """
        left = self.encoder.batch_tokens
        share = max(1, left // len(jobs))
        chosen: dict[type[Job], list[tuple[Job, int]]] = {}
        served = 0
        while served < len(jobs) and left > 0:
            job, tokens = jobs[served], 0
            while job.left and tokens < share and not job.future.cancelled():
                at = job.left.pop()
                tokens += len(job.ids[at])
                chosen.setdefault(type(job), []).append((job, at))
            left -= tokens
            served += 1
        jobs[:] = jobs[served:] + jobs[:served]
        return chosen

    def _encode(self, kind: type[Job], chosen: list[tuple[Job, int]]) -> None:
        """Encode texts of jobs of one kind, which take what becomes of them, in the order given."""
        try:
            for (job, at), made in zip(chosen, kind.encode(self.encoder, chosen), strict=True):
                job.take(at, made)
        except Exception as error:
            # A bug, or no memory left: the thread must survive it, since later calls need it.
            for job in dict.fromkeys(job for job, _ in chosen):
                failure = StackError(f"Model `{self._name}` failed on these texts.")
                failure.__cause__ = error
                _fail(job, failure)

    def _finish(self, job: Job) -> None:
        import numpy as np

        if not np.isfinite(job.result).all():
            _fail(job, self._not_finite())
        elif job.future.set_running_or_notify_cancel():
            job.future.set_result(job.answer())

    def _not_finite(self) -> StackError:
        return StackError(
            f"Model `{self._name}` computed NaN or infinity for these texts.",
            hint="its weights are damaged: download them again",
            code="model_not_finite",
        )


def _fail(job: Job, error: BaseException) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
