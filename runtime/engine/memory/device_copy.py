"""Small arrays between a GPU and the main memory, without waiting for what the GPU is doing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def pinned(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """Where the device copies from by itself; torch keeps that memory until the copy is done.

    array: any shape [...] and dtype, and so what it returns, in main memory.
    """
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if device.type == "cuda" else tensor


def on_device(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """array: any shape [...] and dtype, and so what it returns, on the device."""
    return pinned(array, device).to(device, non_blocking=True)


class Readback:
    """Numbers on their way from a device."""

    def __init__(self, numbers: Tensor) -> None:
        """Starts the copy, behind what has been launched. numbers: [count], int64, which may change afterwards."""
        self._arrived: torch.cuda.Event | None = None
        if numbers.device.type == "cuda":
            self._numbers = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            self._numbers.copy_(numbers, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's own
            self._arrived.record()
        else:
            self._numbers = numbers.clone()

    def wait(self) -> list[int]:
        """Until they are here."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return [int(number) for number in self._numbers.tolist()]
