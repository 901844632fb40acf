"""The engine's thread: loads the model, then steps: schedule -> run -> append. Owns every tensor; knows no event loop.

Takes commands from a queue and passes reports to a callable. Both are plain data (`messages.py`), so that a process
could take the place of the thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event

from runtime import errors
from runtime.engine.memory.out_of_memory import is_out_of_memory, out_of_memory_error
from runtime.engine.memory.plan import kept_pages
from runtime.engine.requests import messages
from runtime.engine.running.loading import Planned, loaded_runner, plan_model
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.runner import Pending, Runner
from runtime.engine.running.token_outputs import append_token
from runtime.engine.sampling.sampled import NO_TOKEN, Sampled
from runtime.engine.scheduling.block_manager import BlockManager
from runtime.engine.scheduling.overlap import following
from runtime.engine.scheduling.scheduler import Chunk, Scheduler
from runtime.engine.scheduling.sequence import Sequence

log = logging.getLogger(__name__)

_STOPPED = "The engine has been stopped."


def run(
    options: EngineOptions,
    commands: SimpleQueue[messages.Command],
    stopping: Event,
    report: Callable[[messages.Report], None],
    plan: Callable[[EngineOptions], Planned] | None = None,
) -> None:
    """The thread from start to end. Reports `Ready`, a `StepBatch` per step, and at the end `Closed`.

    stopping: checked between weights, so that loading can be stopped; once loaded, the `Stop` command ends the loop.
    plan: as in `loaded_runner`.
    """
    error: errors.StackError = errors.Unavailable(_STOPPED)

    def go_on() -> None:
        if stopping.is_set():
            raise errors.Unavailable(_STOPPED)

    try:
        with loaded_runner(options, go_on, plan or plan_model) as runner:
            _Worker(options, runner, report).serve(commands)
    except errors.StackError as failure:
        error = failure
    except BaseException as failure:  # nobody else hears of it on this thread
        log.exception("engine thread failed")
        error = errors.StackError(f"The engine failed: {type(failure).__name__}: {failure}")
    finally:
        report(messages.Closed(error=error))


class _Worker:
    def __init__(self, options: EngineOptions, runner: Runner, report: Callable[[messages.Report], None]) -> None:
        self.report = report
        self.name = options.model_name
        self.runner, self.config, self.plan = runner, runner.config, runner.plan
        self.scheduler = Scheduler(
            BlockManager(
                self.plan.pages, self.plan.page_size, max_kept=kept_pages(self.plan, options.prefix_cache_tokens)
            ),
            max_batch_size=options.max_batch_size,
            max_step_tokens=options.max_step_tokens,
            prefill_chunk_tokens=options.chunk_tokens(self.plan.device),
            guessed_tokens=runner.guessed_tokens if options.speculative_tokens is None else options.speculative_tokens,
            doubling_tokens=self.config.doubling_tokens,
        )
        self.steps = self.prompt_tokens = self.generated_tokens = self.out_of_memory = 0
        self.guessed_tokens = self.accepted_tokens = 0
        report(messages.Ready(config=self.config, plan=self.plan, stats=self.stats()))

    def serve(self, commands: SimpleQueue[messages.Command]) -> None:
        """Step while there is work, wait for a command while there is none; returns on `Stop`."""
        while True:
            # All commands that have arrived are taken before a step, so that requests sent together run together.
            while commands.qsize() or not self.scheduler.has_work:
                command = commands.get()
                if isinstance(command, messages.Stop):
                    return
                self.obey(command)
                if not self.scheduler.has_work and not commands.qsize():
                    self.report(messages.StepBatch(stats=self.stats()))
            self.step(commands)

    def obey(self, command: messages.Add | messages.Abort) -> None:
        """An error in it is that sequence's; the engine goes on with the others."""
        try:
            if isinstance(command, messages.Add):
                self.take(command)
            else:
                self.scheduler.remove(command.sequence_id)
        except Exception as failure:
            failures = {command.sequence_id: self.told(failure)}
            self.report(messages.StepBatch(stats=self.stats(), failures=failures))

    def take(self, command: messages.Add) -> None:
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
                priority=command.priority,
                salt=command.cache_salt,
                arrived_s=command.at_s,
            )
        )

    def step(self, commands: SimpleQueue[messages.Command]) -> None:
        """One step, and as many as follow from it until a command comes: on a device that computes by itself the next
        one is launched before the tokens of the last are handed out. Where it runs out of memory a smaller one takes
        its place. Any other error in it ends the sequences of the step; the engine goes on with the others.
        """
        chunks: list[Chunk] = []
        pending: Pending | None = None
        try:
            while pending is None:
                chunks = self.scheduler.schedule()
                pending = self.launch(chunks)
            while pending is not None:
                next_chunks, next_pending = self.follow(chunks, commands)
                self.hand_out(chunks, pending)
                chunks, pending = next_chunks, next_pending
        except Exception as failure:
            log.exception("engine step failed", extra={"sequences": len(chunks)})
            # Without chunks the scheduler itself failed: no sequence can be relied on to advance.
            failed = [chunk.sequence.id for chunk in chunks if self.scheduler.has(chunk.sequence.id)]
            failed = failed if chunks else self.scheduler.ids()
            for sequence_id in failed:
                self.scheduler.remove(sequence_id, is_damaged=True)
            error = out_of_memory_error(self.name, self.plan) if is_out_of_memory(failure) else _bug(failure)
            self.report(messages.StepBatch(stats=self.stats(), failures=dict.fromkeys(failed, error)))

    def hand_out(self, chunks: list[Chunk], pending: Pending) -> None:
        """Wait for the tokens of a step, and report them. Those of sequences that the step before has ended are not
        anybody's. An error in what one sequence is given ends that one; the others get their tokens.
        """
        outputs: dict[int, list[messages.TokenOutput]] = {}
        failures: dict[int, errors.StackError] = {}
        results = pending.results()
        now = time.monotonic()
        for chunk, sampled in zip(chunks, results, strict=True):
            sequence_id = chunk.sequence.id
            if not self.scheduler.has(sequence_id):
                continue
            try:
                added = self.append(chunk, sampled, now)
            except Exception as failure:
                failures[sequence_id] = self.told(failure)
                self.scheduler.remove(sequence_id, is_damaged=not isinstance(failure, errors.RequestError))
                continue
            if added:
                outputs[sequence_id] = added
                if added[-1].finish_reason is not None:
                    self.scheduler.remove(sequence_id)
        self.steps += 1
        self.report(messages.StepBatch(stats=self.stats(), outputs=outputs, failures=failures))

    def follow(
        self, chunks: list[Chunk], commands: SimpleQueue[messages.Command]
    ) -> tuple[list[Chunk], Pending | None]:
        """Launch the step after one of these chunks; None where it must be scheduled anew."""
        if commands.qsize() or not self.runner.can_follow:
            return [], None
        next_chunks = following(self.scheduler, chunks)
        try:
            return next_chunks, self.runner.follow(next_chunks) if next_chunks else None
        except Exception as failure:
            if not is_out_of_memory(failure):
                raise
            return [], None  # it is tried again, smaller if need be

    def launch(self, chunks: list[Chunk]) -> Pending | None:
        """Begin a step; None where it ran out of memory and the next one is smaller."""
        now = time.monotonic()
        for chunk in chunks:
            if chunk.sequence.started_s is None:
                chunk.sequence.started_s = now
        try:
            for chunk in chunks:
                if chunk.copies is not None:
                    self.runner.copy_page(*chunk.copies)
            return self.runner.launch(chunks)
        except Exception as failure:
            # Whoever handles this error keeps its frames, and so the memory of the step: it is handled here.
            if not is_out_of_memory(failure) or not self.scheduler.relieve(chunks):
                raise
            self.out_of_memory += 1
            log.warning("a step ran out of memory and is tried again", extra={"sequences": len(chunks)})
        return None

    def append(self, chunk: Chunk, sampled: Sampled | None, now: float) -> list[messages.TokenOutput]:
        """Add the result of a step to one of its sequences; what its reader gets of it, often nothing.

        Raises StackError where there is no token: RequestError where that is the grammar's doing.
        """
        sequence = chunk.sequence
        self.prompt_tokens += max(0, min(chunk.count, sequence.prompt_length - sequence.computed))
        self.scheduler.advance(chunk)
        if sampled is None:
            return []
        if sampled.token_id == NO_TOKEN:
            raise sampled.failure or self.not_finite()
        added = [append_token(sequence, sampled, now)]
        if chunk.guess:
            self.add_guessed(chunk, added, now)
        self.generated_tokens += len(added)
        return added

    def add_guessed(self, chunk: Chunk, added: list[messages.TokenOutput], now: float) -> None:
        """Add the tokens that a guess gives a sequence besides, as far as it was right. added: the token that was
        sampled before it.
        """
        sequence, guess, right = chunk.sequence, chunk.guess, 0
        while right < len(guess) and added[-1].token_id == guess[right] and added[-1].finish_reason is None:
            sampled = self.runner.sample_guessed(sequence, right)
            if sampled.token_id == NO_TOKEN:
                break  # it is computed again in the next step, and fails there
            right += 1
            self.scheduler.count(sequence, 1)
            added.append(append_token(sequence, sampled, now))
        sequence.lookup.judge(len(guess), right)
        self.guessed_tokens += len(guess)
        self.accepted_tokens += right

    def told(self, failure: Exception) -> errors.StackError:
        """An error as its sequence's reader gets it, without the frames that it would keep."""
        if isinstance(failure, errors.StackError):
            return failure.with_traceback(None)
        log.exception("a sequence failed", exc_info=failure)
        return _bug(failure)

    def not_finite(self) -> errors.StackError:
        return errors.StackError(
            f"The model `{self.name}` computed NaN or infinity for this prompt.",
            hint=f"its weights are damaged, or too large for {self.plan.dtype}: download them again, or set `dtype`",
            code="model_not_finite",
        )

    def stats(self) -> messages.EngineStats:
        scheduler, launches = self.scheduler, self.runner.launches()
        return messages.EngineStats(
            running=len(scheduler.running),
            waiting=len(scheduler.waiting),
            pages_used=scheduler.blocks.used,
            pages_kept=scheduler.blocks.kept,
            pages_touched=scheduler.blocks.touched,
            pages_total=scheduler.blocks.total,
            page_size=self.plan.page_size,
            weights_bytes=self.plan.weights_bytes,
            steps=self.steps,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=scheduler.cached_tokens,
            generated_tokens=self.generated_tokens,
            guessed_tokens=self.guessed_tokens,
            accepted_tokens=self.accepted_tokens,
            preemptions=scheduler.preemptions,
            out_of_memory=self.out_of_memory,
            eager_steps=launches.eager_steps,
            graph_replays=launches.graph_replays,
            graph_captures=launches.graph_captures,
            at_s=time.monotonic(),
        )


def _bug(failure: Exception) -> errors.StackError:
    return errors.StackError(f"The engine failed in a step: {type(failure).__name__}: {failure}")
