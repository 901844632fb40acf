"""transformers in a child process, on one thread, the weights dequantised from the GGUF file.

Run by `child.py` with the path of the weights and a dtype, `float32` or `bfloat16`. In float32 it is also the reference
for how near the others are to the model: nobody here wrote it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from scripts.bench.engine.in_process.child import Clocks, serve


class _Transformers:
    def __init__(self, weights: Path, dtype: str) -> None:
        torch.set_num_threads(1)
        self._model = AutoModelForCausalLM.from_pretrained(
            weights.parent, gguf_file=weights.name, dtype=getattr(torch, dtype)
        ).eval()

    def generate(self, prompts: list[list[int]], answer: int) -> Mapping[str, Any]:
        """All prompts at once, greedily, each answered with `answer` tokens. s, cpu_s: until then.

        prompts: of one length, so that none is padded.
        """
        clocks = Clocks()
        ids = torch.tensor(prompts)
        made = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            min_new_tokens=answer,
            max_new_tokens=answer,
            do_sample=False,
            pad_token_id=0,
        )
        return {"tokens": made.numel() - ids.numel(), **clocks.passed()}

    def nearness(self, text: list[int], folder: str) -> Mapping[str, Any]:
        """Write `reference.npy`: logits, [places, vocab], float32, after each token of a text but the last."""
        with torch.inference_mode():
            logits = self._model(torch.tensor([text[:-1]])).logits[0]
        np.save(Path(folder, "reference.npy"), logits.float().numpy())
        return {}


if __name__ == "__main__":
    model = _Transformers(Path(sys.argv[1]), sys.argv[2])
    serve({"generate": model.generate, "nearness": model.nearness})
