"""How ik_llama.cpp reads a GGUF file, in this process, from the package `ik-llama-cpp-python`; and the shipped model in
float32, as its tool writes it.

A fork of llama.cpp that runs on any processor: the oracle where llama.cpp's server does not run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.llama_cpp import package_folder, shipped_gguf
from tests.support.shared import Shared

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class IkLlamaCpp:
    def __init__(self, path: Path, context_tokens: int) -> None:
        from ik_llama_cpp._internals import IkContext, IkModel

        self._model = IkModel(str(path))
        # Without flash attention, which rounds the cache.
        self._context = IkContext(self._model, n_ctx=context_tokens, n_threads=1, flash_attn=False)

    def tokenize(self, text: str, *, allow_special: bool) -> list[int]:
        ids: list[int] = self._model.tokenize(text, add_bos=False, special=allow_special)
        return ids

    def next_logits(self, prompt: list[int]) -> npt.NDArray[np.float32]:
        """After a prompt: [vocab]."""
        import numpy as np
        from ik_llama_cpp._internals import make_batch

        self._context.kv_cache_clear()
        assert self._context.decode(make_batch(prompt)) == 0
        return np.ctypeslib.as_array(self._context.get_logits(-1), (self._model.n_vocab,)).copy()

    def every_logits(self, text: list[int]) -> npt.NDArray[np.float32]:
        """After each token of a text: [tokens, vocab]. One token at a time: on some processors what this computes of
        Q4_1 by 32 tokens or more at once is another distribution altogether.
        """
        import numpy as np
        from ik_llama_cpp import _ctypes_api as api

        self._context.kv_cache_clear()
        batch, rows = api.llama_batch_init(1, 0, 1), []
        try:
            batch.n_tokens, batch.n_seq_id[0], batch.seq_id[0][0], batch.logits[0] = 1, 1, 0, True
            for place, token_id in enumerate(text):
                batch.pos[0], batch.token[0] = place, token_id
                assert self._context.decode(batch) == 0
                rows.append(np.ctypeslib.as_array(self._context.get_logits(0), (self._model.n_vocab,)).copy())
        finally:
            api.llama_batch_free(batch)
        return np.array(rows)

    def close(self) -> None:
        self._context.close()
        self._model.close()


@contextmanager
def ik_llama_cpp(path: Path, *, context_tokens: int = 256) -> Iterator[IkLlamaCpp]:
    pytest.importorskip("ik_llama_cpp", reason="`ik-llama-cpp-python` is not installed")
    model = IkLlamaCpp(path, context_tokens)
    try:
        yield model
    finally:
        model.close()


@pytest.fixture(scope="session")
def shipped_in_float32(shared: Shared) -> Path:
    """The shipped weights, requantised to F32 by llama.cpp's own tool: dequantised, that is, by code that is not
    ours.
    """
    package = package_folder("ik_llama_cpp")
    shipped = shipped_gguf()

    def requantise(folder: Path) -> None:
        subprocess.run(
            [package / "bin/llama-quantize", "--allow-requantize", shipped, folder / "model.gguf", "F32", "2"],
            env={**os.environ, "LD_LIBRARY_PATH": str(package / "lib")},
            check=True,
            capture_output=True,
            timeout=120,
        )

    return shared.once("float32", requantise) / "model.gguf"
