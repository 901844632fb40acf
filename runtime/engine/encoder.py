"""A BERT-style sentence encoder: token ids to a vector for each text, or for each token. Knows tensors and the files of
a sentence-transformers folder; no text, no requests, no threads (`embedder.py`).

Devlin et al. 2019 (BERT), section 3; Reimers and Gurevych 2019 (Sentence-BERT), section 3 (pooling). Importing this
imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from runtime.engine.checkpoint_kinds import locate, refuse_pointer, refuse_tensors
from runtime.engine.encoder_config import EncoderConfig
from runtime.engine.model_config import CheckpointInvalid

# Tokens of one forward pass, padding included, which bounds its memory. A CPU gains nothing beyond about 500.
_BATCH_TOKENS = {"cpu": 1024, "cuda": 65536}
# Texts shorter than this share of the batch's longest wait for the next one: padding costs as much as tokens.
_SHORTEST_SHARE = 0.8


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
    """Token ids to a vector for each token. Every token is of segment type 0."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.words = _embedding(config.vocab_size, config.hidden_size)
        self.positions = _embedding(config.positions, config.hidden_size)
        self.segment = nn.Parameter(torch.empty(config.hidden_size))
        self.norm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))

    def forward(self, ids: Tensor, is_token: Tensor | None) -> Tensor:
        """ids: [batch, length], int64. is_token: [batch, length], bool, False at padding; None without padding.

        Returns [batch, length, hidden_size], float32.
        """
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]] + self.segment)
        mask = None if is_token is None else is_token[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x  # type: ignore[no-any-return]  # modules are not generic


def _embedding(rows: int, width: int) -> nn.Embedding:
    """An embedding without weights: [rows, width], float32.

    `nn.Embedding(...)` would draw random ones, for which torch imports its compiler on the meta device: 1.3 s of CPU.
    """
    made: nn.Embedding = nn.Embedding.from_pretrained(torch.empty(rows, width))  # type: ignore[no-untyped-call]
    return made


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


def load_encoder(folder: Path, device: str = "auto") -> SentenceEncoder:
    """The encoder in a sentence-transformers folder, in float32. device: a torch device; `auto` takes CUDA if present.

    Raises CheckpointInvalid, naming the file, for weights that are missing, damaged or of the wrong shape.
    """
    _refuse_other_forms(folder)
    config = EncoderConfig.read(folder)
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    with torch.device("meta"):
        model = BertEncoder(config)
    path = folder / "model.safetensors"
    refuse_pointer(path)
    try:
        with safe_open(path, framework="pt") as file:
            refuse_tensors(file.keys(), path)
            weights = dict(_renamed(file, config, path))
    except (OSError, SafetensorError) as error:
        raise CheckpointInvalid(
            f"`{path}` is not a usable weights file: {error}.", hint="download the model again"
        ) from error
    try:
        model.load_state_dict({name: weight.to(place, torch.float32) for name, weight in weights.items()}, assign=True)
    except RuntimeError as error:
        raise CheckpointInvalid(f"`{path}` does not fit `{folder / 'config.json'}`: {error}") from error
    return SentenceEncoder(model.eval(), config, place)


def _refuse_other_forms(folder: Path) -> None:
    """Raises CheckpointInvalid for anything but a folder with `model.safetensors`, saying what it is instead."""
    if not folder.is_dir():
        raise CheckpointInvalid(
            f"`{folder}` is a file.", hint="give the sentence-transformers folder with the model's `model.safetensors`"
        )
    if not (folder / "model.safetensors").is_file():
        locate(folder)
        raise CheckpointInvalid(
            f"`{folder / 'model.safetensors'}` is missing.", hint="download the whole repository of the model"
        )


def _renamed(file: Any, config: EncoderConfig, path: Path) -> Iterator[tuple[str, Tensor]]:
    """Our parameters from a checkpoint's, by our names: [outputs, inputs] or [outputs], in the dtype of the file.

    Query, key and value become one matrix: one product instead of three.
    """
    names = set(file.keys())
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in names else ""

    def get(name: str) -> Tensor:
        if prefix + name not in names:
            raise CheckpointInvalid(f"`{path}` lacks the tensor `{prefix}{name}`.")
        tensor: Tensor = file.get_tensor(prefix + name)
        return tensor

    yield "words.weight", get("embeddings.word_embeddings.weight")
    yield "positions.weight", get("embeddings.position_embeddings.weight")
    yield "segment", get("embeddings.token_type_embeddings.weight")[0].clone()
    for kind in ("weight", "bias"):
        yield f"norm.{kind}", get(f"embeddings.LayerNorm.{kind}")
        for layer in range(config.layers):
            theirs, ours = f"encoder.layer.{layer}", f"layers.{layer}"
            parts = [get(f"{theirs}.attention.self.{part}.{kind}") for part in ("query", "key", "value")]
            yield f"{ours}.qkv.{kind}", torch.cat(parts)
            for their_name, our_name in _LAYER_NAMES.items():
                yield f"{ours}.{our_name}.{kind}", get(f"{theirs}.{their_name}.{kind}")


_LAYER_NAMES: Mapping[str, str] = {
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "ffn_norm",
}
