"""From a checkpoint to a runner: which kind computes it, how much memory it gets, and its weights. Blocks for seconds.

Quantised files are computed by our kernels where the CPU is the device and nobody asks for another dtype; everything
else by torch, which is imported only then.
"""

from __future__ import annotations

import importlib.util
import itertools
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from runtime.allowance import usable_cpus
from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.checkpoints.opening import Checkpoint, open_checkpoint
from runtime.engine.checkpoints.weights import weight_shapes
from runtime.engine.memory.hardware import may_have_gpu, probe_hardware, set_torch_threads
from runtime.engine.memory.plan import MemoryPlan, plan_memory
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.packed_weights import pack_weights, weights_bytes, why_not_packed
from runtime.engine.running.runner import Runner
from runtime.errors import RequestError

log = logging.getLogger(__name__)

# Measured on two cores: a step of one row is faster with a second thread from about 12 MiB of weights on. Below it the
# threads wait for each other longer than they compute.
_THREAD_BYTES = 8 * 2**20
# Of the time of a first load: kernels are compiled for nine seconds, and the file is read in the first four of them.
_READ_SHARE = 0.4


@dataclass(frozen=True)
class Planned:
    """A checkpoint that has been opened, and how it will be computed. is_packed: by kernels, not by torch."""

    checkpoint: Checkpoint
    plan: MemoryPlan
    is_packed: bool


def plan_model(options: EngineOptions, *, promised_bytes: int = 0, least_context_tokens: int = 1) -> Planned:
    """Nothing is allocated yet.

    promised_bytes: main memory that others may still take. Raises CheckpointInvalid where the files' headers show that
    they cannot be used, and what `plan_memory` raises.
    """
    checkpoint = open_checkpoint(options.model)
    packed_bytes = weights_bytes(checkpoint) if _is_packed(checkpoint, options) else None
    hardware = probe_hardware(with_torch=packed_bytes is None)
    plan = plan_memory(
        checkpoint.config,
        replace(hardware, available_bytes=max(0, hardware.available_bytes - promised_bytes)),
        device=options.device,
        dtype=options.dtype,
        max_batch_size=options.max_batch_size,
        max_step_tokens=options.max_step_tokens,
        max_context_tokens=options.max_context_tokens,
        kv_cache_bytes=options.kv_cache_bytes,
        least_context_tokens=least_context_tokens,
        packed_bytes=packed_bytes,
    )
    return Planned(checkpoint, plan, packed_bytes is not None)


@contextmanager
def loaded_runner(
    options: EngineOptions, go_on: Callable[[], None], plan: Callable[[EngineOptions], Planned] = plan_model
) -> Iterator[Runner]:
    """The runner of a model, as long as the block lasts. go_on: called between weights; what it raises ends loading.

    Raises what `plan` does, and CheckpointInvalid for a tensor that cannot be read.
    """
    planned = plan(options)
    if planned.is_packed:
        runner = _packed(planned, options, go_on)
        del planned  # a file's tables are large, and nothing needs them any more
        try:
            yield runner
        finally:
            runner.close()
        return
    import torch

    set_torch_threads(options.threads)
    if planned.plan.device != "cpu":
        torch.cuda.set_device(planned.plan.device)  # of this thread, for the streams and graphs that it makes
    # Inference mode belongs to the thread, and tensors made in it cannot be used outside: so it is on throughout.
    with torch.inference_mode():
        runner = _on_torch(planned, options, go_on)
        del planned
        yield runner


def _counting(
    go_on: Callable[[], None], config: ModelConfig, options: EngineOptions, is_last: Callable[[], bool] = lambda: True
) -> Callable[[], None]:
    """A `go_on` that also says how far loading is, from 0 to nearly 1: which share of the weights is there. is_last:
    whether nothing else is left to do; as long as something is, the weights are counted for less.
    """
    loaded, weights = itertools.count(), len(weight_shapes(config))

    def counting() -> None:
        go_on()
        if options.on_progress is not None:
            options.on_progress(next(loaded) / weights * (1 if is_last() else _READ_SHARE))

    return counting


def _is_packed(checkpoint: Checkpoint, options: EngineOptions) -> bool:
    """Raises RequestError where the options ask for what is not possible."""
    is_asked_for = options.dtype == "quantized"
    if not is_asked_for and options.dtype != "auto":
        return False
    if options.device not in ("auto", "cpu") or (options.device == "auto" and may_have_gpu() and not is_asked_for):
        if is_asked_for:
            raise RequestError(
                f"`dtype` is quantized, which is computed on the CPU, but `device` is `{options.device}`.",
                param="dtype",
            )
        return False
    reason = why_not_packed(checkpoint, is_asked_for=is_asked_for)
    if reason is None and importlib.util.find_spec("llvmlite") is None:
        if not is_asked_for:
            log.warning(
                "the model is computed by torch, which takes several times longer: install `llvmlite`",
                extra={"model": options.model_name},
            )
            return False
        reason = "needs the package `llvmlite` for that"
    if reason is None and not _can_run_here():
        reason = "needs instructions for float16, which this CPU does not have"
    if reason is not None and is_asked_for:
        raise RequestError(f"`{options.model_name}` cannot be computed quantised: it {reason}.", param="dtype")
    if reason is not None:
        log.info("the model is computed by torch", extra={"model": options.model_name, "reason": f"it {reason}"})
    return reason is None


def _can_run_here() -> bool:
    from runtime.engine.kernels.compiled import can_run_here

    return can_run_here()


def _packed(planned: Planned, options: EngineOptions, go_on: Callable[[], None]) -> Runner:
    from runtime.engine.running.packed_model import PackedModel, decoder_kernels
    from runtime.engine.running.packed_runner import PackedRunner

    checkpoint, plan = planned.checkpoint, planned.plan
    with ThreadPoolExecutor(1, thread_name_prefix="compile") as pool:  # while the file is read
        kernels = pool.submit(decoder_kernels, checkpoint.config, options.kernels_dir)
        go_on = _counting(go_on, checkpoint.config, options, kernels.done)
        model = PackedModel(
            checkpoint.config,
            pack_weights(checkpoint, go_on, kept=options.kernels_dir),
            pages=plan.pages,
            most_rows=options.max_step_tokens,
            context_tokens=plan.context_tokens,
            threads=options.threads or usable_cpus(),
            thread_bytes=_THREAD_BYTES if options.threads is None else 1,
            kernels=kernels.result(),
        )
    return PackedRunner(checkpoint.config, plan, model)


def _on_torch(planned: Planned, options: EngineOptions, go_on: Callable[[], None]) -> Runner:
    from runtime.engine.running.gpu_start import trial_plan
    from runtime.engine.running.torch_runner import TorchRunner

    checkpoint, plan = planned.checkpoint, planned.plan
    on_gpu = plan.device != "cpu"
    if plan.dtype == "fp8" and not on_gpu:
        log.warning(
            "a CPU decodes weights in fp8 in every step, which takes many times longer: set `dtype: quantized`",
            extra={"model": options.model_name},
        )
    runner = TorchRunner(
        checkpoint.config, trial_plan(plan, max_step_tokens=options.max_step_tokens) if on_gpu else plan
    )

    go_on = _counting(go_on, checkpoint.config, options)

    def weights() -> Iterator[tuple[str, Any]]:
        """As they are: [outputs, inputs] or [hidden_size], in the dtype of the file."""
        for name, tensor in checkpoint.weights():
            go_on()
            yield name, tensor

    runner.model.load(weights(), checkpoint.path)
    if on_gpu:
        _start_gpu(runner, plan, options)
    return runner


def _start_gpu(runner: Any, plan: MemoryPlan, options: EngineOptions) -> None:
    """runner: a TorchRunner on a CUDA device, whose weights are loaded."""
    from runtime.engine.layers.varlen import AttentionSetup, find_kernel
    from runtime.engine.running.decode_graphs import cuda_graphs
    from runtime.engine.running.gpu_start import CudaMemory, start

    config = runner.config
    setup = AttentionSetup(
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        page_size=plan.page_size,
        dtype=runner.dtype,
        device=runner.device,
    )
    start(
        runner,
        plan,
        find_kernel(setup, may_split=options.split_attention),
        max_batch_size=options.max_batch_size,
        max_step_tokens=options.max_step_tokens,
        memory=CudaMemory(runner.device),
        record=cuda_graphs(),
    )
