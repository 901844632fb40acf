"""What a sentence-transformers folder says about its BERT-style model: sizes, and how the vectors of a text's tokens
become one.

Reimers and Gurevych 2019 (Sentence-BERT), section 3 (pooling).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.engine.checkpoint_kinds import refuse_folder, refuse_pointer
from runtime.engine.model_config import CheckpointInvalid

Pooling = Literal["mean", "cls", "max"]

_ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes in elements, lengths in tokens. max_tokens: the longest text it was tuned for, special tokens included."""

    layers: int
    hidden_size: int
    heads: int
    ffn_size: int
    vocab_size: int
    positions: int
    norm_eps: float
    gelu_approximation: str
    max_tokens: int
    pooling: Pooling
    is_normalised: bool
    lowercases: bool

    @classmethod
    def read(cls, folder: Path) -> EncoderConfig:
        """From `config.json` and the sentence-transformers files beside it.

        Raises CheckpointInvalid, naming the file, for fields that are missing or damaged, and for a model of another
        kind.
        """
        path = folder / "config.json"
        model = _read_json(path)
        refuse_folder(folder, model)
        if "ForCausalLM" in str(model.get("architectures")):
            raise CheckpointInvalid(
                f"`{folder}` is a model that writes text.", hint="serve it with the provider `inline::meta-reference`"
            )
        if model.get("model_type") != "bert" or model.get("position_embedding_type", "absolute") != "absolute":
            raise CheckpointInvalid(
                f"`{path}` describes a model of type `{model.get('model_type')}`, which this encoder cannot run.",
                hint="take one of type `bert` with absolute positions",
            )
        if model.get("hidden_act") not in _ACTIVATIONS:
            raise CheckpointInvalid(
                f"`{path}` needs the activation `{model.get('hidden_act')}`.",
                hint=f"this encoder has {', '.join(f'`{known}`' for known in _ACTIVATIONS)}",
            )
        sentence = _read_json(folder / "sentence_bert_config.json", {})
        pooling, is_normalised = _modules(folder)
        try:
            return cls(
                layers=model["num_hidden_layers"],
                hidden_size=model["hidden_size"],
                heads=model["num_attention_heads"],
                ffn_size=model["intermediate_size"],
                vocab_size=model["vocab_size"],
                positions=model["max_position_embeddings"],
                norm_eps=model.get("layer_norm_eps", 1e-12),
                gelu_approximation=_ACTIVATIONS[model["hidden_act"]],
                max_tokens=min(
                    sentence.get("max_seq_length") or model["max_position_embeddings"], model["max_position_embeddings"]
                ),
                pooling=pooling,
                is_normalised=is_normalised,
                lowercases=bool(sentence.get("do_lower_case")),
            )
        except KeyError as error:
            raise CheckpointInvalid(f"`{path}` lacks {error}.") from error


def _modules(folder: Path) -> tuple[Pooling, bool]:
    """What follows the transformer: how the vectors of tokens become one, and whether it is scaled to length 1.

    Without `modules.json` it is the mean, as in sentence-transformers.
    """
    path = folder / "modules.json"
    pooling: Pooling = "mean"
    is_normalised = False
    for module in _read_json(path, []):
        kind = str(module.get("type", "")).rpartition(".")[2]
        match kind:
            case "Transformer":
                pass
            case "Pooling":
                pooling = _pooling(folder / str(module.get("path", "")) / "config.json")
            case "Normalize":
                is_normalised = True
            case _:
                raise CheckpointInvalid(f"`{path}` has a `{kind}` step, which this encoder does not have.")
    return pooling, is_normalised


def _pooling(path: Path) -> Pooling:
    modes = {key for key, value in _read_json(path).items() if key.startswith("pooling_mode_") and value is True}
    known: dict[str, Pooling] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_max_tokens": "max",
    }
    if len(modes) != 1 or not modes <= known.keys():
        raise CheckpointInvalid(f"`{path}` pools by {sorted(modes)}; this encoder does one of {sorted(known)}.")
    return known[modes.pop()]


def _read_json(path: Path, default: Any = None) -> Any:
    """The JSON in `path`; where there is no such file, `default` if it is not None."""
    if default is not None and not path.exists():
        return default
    refuse_pointer(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointInvalid(f"`{path}` cannot be read: {error}.") from error
