"""What a GPU does for a runner, on a CPU: memory that is counted but not there, graphs with fixed addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from runtime.engine.running.decode_graphs import Replay


class _Recorder(TorchDispatchMode):
    """Keeps every operator with its very arguments and results. As during a capture, nothing may be read back."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        assert all(isinstance(result, Tensor) for result in tree_leaves(results)), f"{func} is not for a graph"
        self.calls.append((func, args, kwargs or {}, results))
        return results


def record_like_cuda(step: Replay) -> Replay:
    """A replay runs the same operators on the same tensors and puts what they give where it was before: like a CUDA
    graph, it knows nothing of the Python that ran between them.
    """
    recorder = _Recorder()
    with recorder:
        step()

    def replay() -> None:
        for func, args, kwargs, results in recorder.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(results), tree_leaves(again), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)

    return replay


class FakeMemory:
    """peaks: what each measured run is said to take, in order. free: on the device, once the trial pool is gone."""

    def __init__(self, peaks: list[int], free: int) -> None:
        self.peaks, self.free = list(peaks), free

    def free_bytes(self) -> int:
        return self.free

    def peak_bytes(self, run: Callable[[], object]) -> int:
        run()
        return self.peaks.pop(0)
