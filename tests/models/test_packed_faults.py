"""What must not happen to a model on packed weights: damage that spreads, and threads that wait for ever or stay."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from runtime.engine.running.loading import loaded_runner
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.packed_model import PackedModel, Span, decoder_kernels
from runtime.engine.running.packed_runner import PackedRunner
from runtime.engine.running.team import Team
from tests.models.test_packed_runner import forward, packed_runner
from tests.support.tiny_packed import PACKED, spoil, write_quantised


def test_what_one_sequence_computes_as_nan_reaches_no_other(tmp_path: Path) -> None:
    sound, damaged = [10, 11, 12, 13], [10] * 10 + [7] * 5
    spoil(path := write_quantised(tmp_path), "token_embd.weight", 7)
    with packed_runner(path, tmp_path) as runner:
        [before] = forward(runner, [sound], [[(0, 4)]])
        beside, alone = forward(runner, [damaged, sound], [[(0, 15), (1, 4)]])
        assert np.isnan(beside[10:]).all() and np.array_equal(alone, before)
        [after] = forward(runner, [sound], [[(0, 4)]])  # on the page that the damaged one had
    assert np.isfinite(before).all() and np.array_equal(after, before)


def test_pages_and_rows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with packed_runner(write_quantised(tmp_path), tmp_path) as runner:
        model = runner.model
        for page in (-1, len(model.cache)):
            with pytest.raises(ValueError, match="a page is not among the"):
                model.step([Span([5], 0, [page])])
        with pytest.raises(IndexError):
            model.step([Span([5], 32, [1])])
        model.step([Span([5, 6], 0, [1])])
        for rows in ([2], [-1], [0] * 65):
            with pytest.raises(ValueError, match="logits of the rows"):
                model.logits(rows)


def test_a_thread_that_fails_keeps_no_other_waiting(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    with packed_runner(write_quantised(tmp_path), tmp_path, threads=3) as runner:
        model = runner.model
        whole = model._step

        def failing(table: int, thread: int, threads: int) -> None:
            if thread == 1:
                raise MemoryError
            whole(table, thread, threads)

        def step() -> None:
            try:
                model.step([Span([5, 6], 0, [1])])
            except MemoryError as failure:
                failures.append(failure)

        model._step = failing
        stepping = threading.Thread(target=step, daemon=True)
        stepping.start()
        stepping.join(30)
        model._barrier[0] = 2**62  # so that a test that fails ends too
        assert failures, "the others wait at a barrier"
        model._step = whole
        model.step([Span([5, 6], 0, [1])])
        assert np.isfinite(model.logits([0, 1])).all()


def test_a_model_that_cannot_be_made_leaves_no_threads() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError):
        PackedModel(PACKED, {}, pages=2, most_rows=4, context_tokens=32, threads=4)
    assert threading.active_count() == before


def test_a_team_for_which_there_are_too_few_threads_ends_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    before, start = threading.active_count(), threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if threading.active_count() >= before + 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(RuntimeError, match="new thread"):
        Team(5)
    assert threading.active_count() == before


def test_threads_that_would_have_little_to_do_rest(tmp_path: Path) -> None:
    with packed_runner(path := write_quantised(tmp_path), tmp_path) as runner:
        weights = runner.model._alive[0]
        layers_bytes = runner.model._layers_bytes
    model = PackedModel(
        PACKED,
        weights,
        pages=9,
        most_rows=32,
        context_tokens=64,
        threads=4,
        thread_bytes=layers_bytes * 2,
        kernels=decoder_kernels(PACKED, tmp_path),
    )
    whole, used = model._step, list[int]()

    def counting(table: int, thread: int, threads: int) -> None:
        used.append(threads)
        whole(table, thread, threads)

    model._step = counting
    try:
        for rows in (1, 3, 4, 32):
            model.step([Span([5] * rows, 0, [1])])
            assert used == [min(4, max(1, rows // 2))] * len(used) and len(used) == used[0]
            used.clear()
    finally:
        model.close()
    options = EngineOptions(model=path, device="cpu", max_step_tokens=64, kernels_dir=tmp_path)
    with loaded_runner(options, lambda: None) as runner:
        assert isinstance(runner, PackedRunner) and runner.model._thread_bytes > layers_bytes
    with packed_runner(path, tmp_path, threads=2) as runner:
        assert runner.model._thread_bytes == 1, "as many as were asked for"


def test_a_model_that_is_unloaded_is_gone_with_its_threads(tmp_path: Path) -> None:
    path, threads = write_quantised(tmp_path), threading.active_count()
    for _ in range(3):
        with packed_runner(path, tmp_path, threads=3) as runner:
            runner.model.step([Span([5, 6], 0, [1])])
            runner.model.logits([1])
            assert threading.active_count() == threads + 2
            left = [weakref.ref(one) for one in (runner.model, runner.model.cache, runner.model._compiled)]
        del runner
        assert [one() for one in left] == [None] * 3 and threading.active_count() == threads
