"""The engine's thread: loads the model, then steps: schedule -> run -> append. Owns every tensor; knows no event loop.

Takes commands from a queue and passes reports to a callable. Both are plain data (`messages.py`), so that a process
could take the place of the thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event

from runtime import errors
from runtime.engine.block_manager import BlockManager
from runtime.engine.loading import loaded_runner
from runtime.engine.messages import (
    Abort,
    Add,
    Closed,
    Command,
    EngineStats,
    Ready,
    Report,
    StepBatch,
    Stop,
    TokenOutput,
)
from runtime.engine.options import EngineOptions
from runtime.engine.runner import Runner
from runtime.engine.sampled import NO_TOKEN, Sampled
from runtime.engine.scheduler import Chunk, Scheduler
from runtime.engine.sequence import Sequence

log = logging.getLogger(__name__)

_STOPPED = "The engine has been stopped."


def run(
    options: EngineOptions, commands: SimpleQueue[Command], stopping: Event, report: Callable[[Report], None]
) -> None:
    """The thread from start to end. Reports `Ready`, a `StepBatch` per step, and at the end `Closed`.

    stopping: checked between weights, so that loading can be stopped; once loaded, the `Stop` command ends the loop.
    """
    error: errors.StackError = errors.Unavailable(_STOPPED)

    def go_on() -> None:
        if stopping.is_set():
            raise errors.Unavailable(_STOPPED)

    try:
        with loaded_runner(options, go_on) as runner:
            _Worker(options, runner, report).serve(commands)
    except errors.StackError as failure:
        error = failure
    except Exception as failure:
        log.exception("engine thread failed")
        error = errors.StackError(f"The engine failed: {type(failure).__name__}: {failure}")
    finally:
        report(Closed(error=error))


class _Worker:
    def __init__(self, options: EngineOptions, runner: Runner, report: Callable[[Report], None]) -> None:
        self.report = report
        self.name = options.model_name
        self.runner, self.config, self.plan = runner, runner.config, runner.plan
        self.scheduler = Scheduler(
            BlockManager(self.plan.pages, self.plan.page_size),
            max_batch_size=options.max_batch_size,
            max_step_tokens=options.max_step_tokens,
        )
        self.steps = self.prompt_tokens = self.generated_tokens = 0
        report(Ready(config=self.config, plan=self.plan, stats=self.stats()))

    def serve(self, commands: SimpleQueue[Command]) -> None:
        """Step while there is work, wait for a command while there is none; returns on `Stop`."""
        while True:
            # All commands that have arrived are taken before a step, so that requests sent together run together.
            while commands.qsize() or not self.scheduler.has_work:
                command = commands.get()
                if isinstance(command, Stop):
                    return
                self.take(command)
                if not self.scheduler.has_work and not commands.qsize():
                    self.report(StepBatch(stats=self.stats()))
            self.step()

    def take(self, command: Add | Abort) -> None:
        if isinstance(command, Abort):
            self.scheduler.remove(command.sequence_id)
            return
        params = command.params
        length = self.plan.context_tokens if params.max_tokens is None else len(command.prompt) + params.max_tokens
        end_ids = params.stop_token_ids if params.ignore_eos else params.stop_token_ids.union(self.config.eos_token_ids)
        self.scheduler.add(
            Sequence(
                id=command.sequence_id,
                tokens=list(command.prompt),
                prompt_length=len(command.prompt),
                params=params,
                seed=params.seed or 0,
                max_length=min(length, self.plan.context_tokens),
                end_ids=end_ids,
                matcher=None if params.grammar is None else params.grammar.matcher(),
            )
        )

    def step(self) -> None:
        """One step. An error in it ends the sequences of the step; the engine goes on with the others."""
        chunks: list[Chunk] = []
        failures: dict[int, errors.StackError] = {}
        try:
            chunks = self.scheduler.schedule()
            results = self.runner.run(chunks)
            outputs = self.append(chunks, results, failures)
        except Exception as failure:
            log.exception("engine step failed", extra={"sequences": len(chunks)})
            # Without chunks the scheduler itself failed: no sequence can be relied on to advance.
            failed = [chunk.sequence.id for chunk in chunks] or self.scheduler.ids()
            for sequence_id in failed:
                self.scheduler.remove(sequence_id)
            error = errors.StackError(f"The engine failed in a step: {type(failure).__name__}: {failure}")
            self.report(StepBatch(stats=self.stats(), failures=dict.fromkeys(failed, error)))
            return
        self.steps += 1
        self.report(StepBatch(stats=self.stats(), outputs=outputs, failures=failures))

    def append(
        self, chunks: list[Chunk], results: list[Sampled | None], failures: dict[int, errors.StackError]
    ) -> dict[int, TokenOutput]:
        """Add the results of a step to its sequences; remove those that are finished. Returns outputs by sequence id.

        A sequence for which there is no token is removed too, and gets an error in `failures`.
        """
        outputs = {}
        for chunk, sampled in zip(chunks, results, strict=True):
            sequence = chunk.sequence
            self.prompt_tokens += max(0, min(chunk.count, sequence.prompt_length - sequence.computed))
            sequence.computed += chunk.count
            if sampled is None:
                continue
            if sampled.token_id == NO_TOKEN:
                self.scheduler.remove(sequence.id)
                failures[sequence.id] = sampled.failure or self.not_finite()
                continue
            index = sequence.output_length
            finish_reason = sequence.append(sampled.token_id)
            self.generated_tokens += 1
            outputs[sequence.id] = TokenOutput(
                token_id=sampled.token_id,
                index=index,
                logprob=sampled.logprob,
                top_logprobs=sampled.top_logprobs,
                finish_reason=finish_reason,
                prompt=tuple(sequence.prompt_logprobs) if sequence.params.prompt_logprobs and not index else None,
            )
            if finish_reason is not None:
                self.scheduler.remove(sequence.id)
        return outputs

    def not_finite(self) -> errors.StackError:
        return errors.StackError(
            f"The model `{self.name}` computed NaN or infinity for this prompt.",
            hint=f"its weights are damaged, or too large for {self.plan.dtype}: download them again, or set `dtype`",
            code="model_not_finite",
        )

    def stats(self) -> EngineStats:
        scheduler = self.scheduler
        return EngineStats(
            running=len(scheduler.running),
            waiting=len(scheduler.waiting),
            pages_used=scheduler.blocks.used,
            pages_total=scheduler.blocks.total,
            page_size=self.plan.page_size,
            weights_bytes=self.plan.weights_bytes,
            steps=self.steps,
            prompt_tokens=self.prompt_tokens,
            generated_tokens=self.generated_tokens,
            preemptions=scheduler.preemptions,
        )
