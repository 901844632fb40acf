"""A BERT-style sentence encoder: token ids to a vector for each text, or for each token. Knows tensors; no text, no
requests, no threads (`embedder.py`), no files (`encoder_weights.py`).

Reimers and Gurevych 2019 (Sentence-BERT), section 3 (pooling). Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from runtime.engine.encoder_config import EncoderConfig
from runtime.engine.models.bert import BertEncoder

# Tokens of one forward pass, padding included, which bounds its memory. A CPU gains nothing beyond about 500.
_BATCH_TOKENS = {"cpu": 1024, "cuda": 65536}
# Texts shorter than this share of the batch's longest wait for the next one: padding costs as much as tokens.
_SHORTEST_SHARE = 0.8


class SentenceEncoder:
    """A loaded model, for one thread at a time. batch_tokens: the tokens of a full batch, padding included."""

    def __init__(self, model: BertEncoder, config: EncoderConfig, device: torch.device) -> None:
        self.config = config
        self._model = model
        self._device = device
        self.batch_tokens = _BATCH_TOKENS.get(device.type, _BATCH_TOKENS["cuda"])

    @torch.inference_mode()
    def encode(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """One vector for each text, in the order given: [texts, hidden_size], float32.

        texts: token ids with the model's special tokens, 1 to `config.max_tokens` each.
        """
        vectors = np.empty((len(texts), self.config.hidden_size), dtype=np.float32)
        for batch in self._batches([len(text) for text in texts]):
            x, is_token = self._states([texts[at] for at in batch])
            pooled = self._pool(x, is_token)
            vectors[batch] = (F.normalize(pooled, dim=-1) if self.config.is_normalised else pooled).cpu().numpy()
        return vectors

    @torch.inference_mode()
    def encode_tokens(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """A vector of length 1 for each token of each text, in the order given: [tokens, hidden_size], float32, on the
        model's device.

        texts: as in `encode`.
        """
        vectors = [torch.empty(0)] * len(texts)
        for batch in self._batches([len(text) for text in texts]):
            x, _ = self._states([texts[at] for at in batch])
            for at, states in zip(batch, F.normalize(x, dim=-1), strict=True):
                vectors[at] = states[: len(texts[at])]
        return vectors

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Batches of texts of similar length, by index, longest first. lengths: in tokens."""
        batch: list[int] = []
        longest = 0
        for at in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
            is_full = (len(batch) + 1) * longest > self.batch_tokens
            if batch and (is_full or lengths[at] < longest * _SHORTEST_SHARE):
                yield batch
                batch = []
            if not batch:
                longest = lengths[at]
            batch.append(at)
        if batch:
            yield batch

    def _states(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """What the model makes of each token of texts that are sorted longest first.

        Returns [batch, length, hidden_size], float32, and which of these are tokens and not padding: [batch, length],
        bool.
        """
        longest = len(texts[0])
        ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=self._device)
        lengths = torch.tensor([len(text) for text in texts], device=self._device)
        is_token = torch.arange(longest, device=self._device) < lengths[:, None]
        is_padded = len(texts[-1]) < longest
        return self._model(ids, is_token if is_padded else None), is_token

    def _pool(self, x: Tensor, is_token: Tensor) -> Tensor:
        """One vector from those of a text's tokens. Reimers and Gurevych 2019, section 3.

        x: [batch, length, hidden_size], float32. is_token: [batch, length], bool. Returns [batch, hidden_size],
        float32.
        """
        match self.config.pooling:
            case "cls":
                return x[:, 0]
            case "max":
                return x.masked_fill(~is_token[..., None], float("-inf")).amax(dim=1)
            case "mean":
                weights = is_token / is_token.sum(dim=1, keepdim=True)  # [batch, length]
                return torch.einsum("bl,blh->bh", weights, x)
