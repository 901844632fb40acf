"""A Prompt Guard model in memory: a sequence classifier, as Hugging Face's transformers computes it.

A text of more tokens than the model reads is cut into windows, which are looked at together and overlap, so that no
sentence is only seen in two halves. https://github.com/meta-llama/PurpleLlama/blob/main/Llama-Prompt-Guard-2/86M/MODEL_CARD.md
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Self

from runtime import own_process
from runtime.errors import Unavailable
from runtime.providers.safety.prompt_guard.labels import Labels

AT_ONCE = 4
"""So many windows are computed together: one of 512 tokens takes 100 MB beside the weights of 86M, and more of them
are hardly faster on a CPU.
"""
_OVERLAP = 4
"""One part in so many of a window is in the next one too."""


class Stopped(Exception):
    """Nobody waits for it any more."""


class Classifier:
    """Computes for one caller at a time."""

    def __init__(self, model: Any, tokenizer: Any, labels: Labels, window: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._window = window
        self.labels = labels

    @classmethod
    def load(cls, name: str, folder: Path, device: str) -> Self:
        """From a folder with `config.json`, safetensors and a tokenizer. Takes seconds. Raises Unavailable for a folder
        that has something else, and for a device that is not there.
        """
        import torch  # both take seconds, and only who uses the shield needs them
        import transformers

        if own_process.is_ours():
            transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
            labels = Labels.read(config.id2label)
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = transformers.AutoModelForSequenceClassification.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            model.to(device).eval()
        except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
            raise Unavailable(
                f"`{name}` cannot be used as Prompt Guard: {error}",
                hint=f"look at `{folder}`, and at `device` in the provider's config",
                code="weights_not_usable",
            ) from error
        return cls(model, tokenizer, labels, config.max_position_embeddings)

    def probabilities(self, text: str, stop: threading.Event) -> list[list[float]]:
        """Of each window, each label's. Raises Stopped once `stop` is set."""
        import torch

        made = self._tokenizer(
            text,
            truncation=True,
            max_length=self._window,
            stride=self._window // _OVERLAP,
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        found: list[list[float]] = []
        for begin in range(0, len(made["input_ids"]), AT_ONCE):
            if stop.is_set():
                raise Stopped
            those = slice(begin, begin + AT_ONCE)
            with torch.inference_mode():
                logits = self._model(
                    input_ids=made["input_ids"][those].to(self._model.device),
                    attention_mask=made["attention_mask"][those].to(self._model.device),
                ).logits
            found += torch.softmax(logits.float(), dim=-1).tolist()
        return found
