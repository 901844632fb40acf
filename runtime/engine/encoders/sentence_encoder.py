"""A BERT-style sentence encoder: token ids to a vector for each text, or for each token. Knows tensors; no text, no
requests, no threads (`embedder.py`), no files (`weights.py`).

Reimers and Gurevych 2019 (Sentence-BERT), section 3 (pooling). Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from runtime.engine.checkpoints.encoder_config import EncoderConfig
from runtime.engine.models.bert import BertEncoder

# Tokens of one forward pass, padding included, which bounds its memory. A CPU gains nothing beyond about 500.
_BATCH_TOKENS = {"cpu": 1024, "cuda": 65536}
# Texts shorter than this share of the batch's longest wait for the next one: padding costs as much as tokens.
_SHORTEST_SHARE = 0.8


def batch_tokens(device: torch.device) -> int:
    """The tokens of a full batch on a device, padding included."""
    return _BATCH_TOKENS.get(device.type, _BATCH_TOKENS["cuda"])


class TokenStates:
    """What a model makes of each token of texts, batch by batch, for one thread at a time.

    batch_tokens: the tokens of a full batch, padding included.
    """

    def __init__(self, model: BertEncoder, device: torch.device) -> None:
        self.model = model
        self._device = device
        self.batch_tokens = batch_tokens(device)

    def batches(
        self, texts: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None
    ) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Texts of similar length together: which of them, longest first; the state of each token, [batch, length,
        hidden_size], float32; and which of these are tokens and not padding: [batch, length], bool.

        texts: token ids, at least one each. segments: of which one each token is; None where all are of the first.
        """
        for batch in self._similar([len(text) for text in texts]):
            ids = self._padded([texts[at] for at in batch])
            lengths = torch.tensor([len(texts[at]) for at in batch], device=self._device)
            is_token = torch.arange(ids.shape[1], device=self._device) < lengths[:, None]
            is_padded = len(texts[batch[-1]]) < ids.shape[1]
            of = self._padded([segments[at] for at in batch]) if segments is not None else None
            yield batch, self.model(ids, is_token if is_padded else None, of), is_token

    def _similar(self, lengths: Sequence[int]) -> Iterator[list[int]]:
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

    def _padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Rows that are sorted longest first, with zeros after the shorter ones: [rows, length], int64."""
        longest = len(rows[0])
        return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=self._device)


class SentenceEncoder:
    """A loaded model, for one thread at a time. batch_tokens: the tokens of a full batch, padding included."""

    def __init__(self, model: BertEncoder, config: EncoderConfig, device: torch.device) -> None:
        self.config = config
        self._states = TokenStates(model, device)
        self.batch_tokens = self._states.batch_tokens

    @torch.inference_mode()
    def encode(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """One vector for each text, in the order given: [texts, hidden_size], float32.

        texts: token ids with the model's special tokens, 1 to `config.max_tokens` each.
        """
        vectors = np.empty((len(texts), self.config.hidden_size), dtype=np.float32)
        for batch, x, is_token in self._states.batches(texts):
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
        for batch, x, _ in self._states.batches(texts):
            for at, states in zip(batch, F.normalize(x, dim=-1), strict=True):
                vectors[at] = states[: len(texts[at])]
        return vectors

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
