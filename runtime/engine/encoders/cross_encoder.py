"""A BERT-style cross-encoder: the token ids of a query and a document, read as one text, to a score. Knows tensors; no
text, no requests, no threads (`embedder.py`), no files (`weights.py`).

Nogueira and Cho 2019 (Passage Re-ranking with BERT), section 2.2. Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.engine.checkpoints.encoder_config import EncoderConfig
from runtime.engine.encoders.sentence_encoder import TokenStates
from runtime.engine.models.bert import BertEncoder, ScoreHead


class CrossEncoder:
    """A loaded model, for one thread at a time. batch_tokens: the tokens of a full batch, padding included."""

    def __init__(self, model: BertEncoder, head: ScoreHead, config: EncoderConfig, device: torch.device) -> None:
        self.config = config
        self._states = TokenStates(model, device)
        self._head = head
        self.batch_tokens = self._states.batch_tokens

    @torch.inference_mode()
    def score(self, pairs: Sequence[Sequence[int]], segments: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """One score for each pair, in the order given, higher for a better answer: [pairs], float32.

        pairs: token ids with the model's special tokens, 1 to `config.max_tokens` each. segments: of which one each
        token is, below `config.segments`.
        """
        scores = np.empty(len(pairs), dtype=np.float32)
        for batch, x, _ in self._states.batches(pairs, segments):
            logits = self._head(x)
            scores[batch] = (logits.sigmoid() if self.config.score_activation == "sigmoid" else logits).cpu().numpy()
        return scores
