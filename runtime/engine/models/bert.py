"""The BERT encoder (Devlin et al. 2019, section 3), which RoBERTa's and XLM-R's is as well: token ids to a vector for
each token, from those before and after it; and what makes a score of the first one.

Knows weights and shapes; not texts, batches or where weights come from.

    words + positions + segments -> norm -> layers x (attention -> + -> norm ; feed-forward -> + -> norm)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runtime.engine.checkpoints.encoder_config import EncoderConfig


class _Layer(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.heads
        self.gelu_approximation = config.gelu_approximation
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, config.norm_eps)
        self.up = nn.Linear(width, config.ffn_size)
        self.down = nn.Linear(config.ffn_size, width)
        self.ffn_norm = nn.LayerNorm(width, config.norm_eps)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Attention, then feed-forward, each with a residual and a norm after it. Devlin et al. 2019, section 3.

        x: [batch, length, hidden_size], float32. mask: [batch, 1, 1, length], bool, False at padding; None
        without padding. Returns x's shape and dtype.
        """
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [batch, heads, length, head_dim]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.attention_norm(x + self.out(attended.transpose(1, 2).reshape(batch, length, width)))
        inner = F.gelu(self.up(x), approximate=self.gelu_approximation)
        return self.ffn_norm(x + self.down(inner))  # type: ignore[no-any-return]  # modules are not generic


class BertEncoder(nn.Module):
    """Token ids to a vector for each token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.words = _embedding(config.vocab_size, config.hidden_size)
        self.positions = _embedding(config.positions, config.hidden_size)
        self.segments = _embedding(config.segments, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))

    def forward(self, ids: Tensor, is_token: Tensor | None, segments: Tensor | None = None) -> Tensor:
        """ids: [batch, length], int64. is_token: [batch, length], bool, False at padding; None without padding.
        segments: of which one each token is, [batch, length], int64; None where all are of the first.

        Returns [batch, length, hidden_size], float32.
        """
        of_segments = self.segments.weight[0] if segments is None else self.segments(segments)
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]] + of_segments)
        mask = None if is_token is None else is_token[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x  # type: ignore[no-any-return]  # modules are not generic


class ScoreHead(nn.Module):
    """A logit for each text, from the vector of its first token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: [batch, length, hidden_size], float32. Returns [batch], float32."""
        return self.out(torch.tanh(self.dense(x[:, 0])))[:, 0]  # type: ignore[no-any-return]  # modules are not generic


def _embedding(rows: int, width: int) -> nn.Embedding:
    """An embedding without weights: [rows, width], float32.

    `nn.Embedding(...)` would draw random ones, for which torch imports its compiler on the meta device: 1.3 s of CPU.
    """
    made: nn.Embedding = nn.Embedding.from_pretrained(torch.empty(rows, width))  # type: ignore[no-untyped-call]
    return made
