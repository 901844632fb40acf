"""What a sentence-transformers folder says about its BERT-style model: sizes, and how the vectors of a text's tokens
become one, or those of a pair of texts a score.

Reimers and Gurevych 2019 (Sentence-BERT), section 3 (pooling).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.engine.checkpoints.kinds import read_json, read_json_list, refuse_folder
from runtime.engine.checkpoints.model_config import CheckpointInvalid

Pooling = Literal["mean", "cls", "max"]
Family = Literal["bert", "roberta"]
ScoreActivation = Literal["sigmoid", "identity"]

_FAMILIES: dict[str, Family] = {"bert": "bert", "roberta": "roberta", "xlm-roberta": "roberta"}  # by model type
_ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes in elements, lengths in tokens.

    family: whose names its weights have. positions: those that a text can have. first_position: the row of the first
    one in the checkpoint's table; RoBERTa's come after that of its padding, as in fairseq. segments: how many token
    types there are. max_tokens: the longest text it was tuned for, special tokens included. score_activation: what
    makes a score of a cross-encoder's one logit; None for a model that embeds.
    """

    family: Family
    layers: int
    hidden_size: int
    heads: int
    ffn_size: int
    vocab_size: int
    positions: int
    first_position: int
    segments: int
    norm_eps: float
    gelu_approximation: str
    max_tokens: int
    pooling: Pooling
    is_normalised: bool
    lowercases: bool
    score_activation: ScoreActivation | None

    @classmethod
    def read(cls, folder: Path) -> EncoderConfig:
        """From `config.json` and the sentence-transformers files beside it.

        Raises CheckpointInvalid, naming the file, for fields that are missing or damaged, and for a model of another
        kind.
        """
        path = folder / "config.json"
        model = read_json(path)
        refuse_folder(folder, model)
        if "ForCausalLM" in str(model.get("architectures")):
            raise CheckpointInvalid(
                f"`{folder}` is a model that writes text.", hint="serve it with the provider `inline::meta-reference`"
            )
        family = _FAMILIES.get(str(model.get("model_type")))
        if family is None or model.get("position_embedding_type", "absolute") != "absolute":
            raise CheckpointInvalid(
                f"`{path}` describes a model of type `{model.get('model_type')}`, which this encoder cannot run.",
                hint=f"take one of type {', '.join(f'`{known}`' for known in _FAMILIES)} with absolute positions",
            )
        if model.get("hidden_act") not in _ACTIVATIONS:
            raise CheckpointInvalid(
                f"`{path}` needs the activation `{model.get('hidden_act')}`.",
                hint=f"this encoder has {', '.join(f'`{known}`' for known in _ACTIVATIONS)}",
            )
        try:
            sentence = _read_optional(folder / "sentence_bert_config.json")
            modules = _modules(folder)
            first_position = model.get("pad_token_id", 1) + 1 if family == "roberta" else 0
            positions = model["max_position_embeddings"] - first_position
            config = cls(
                family=family,
                layers=model["num_hidden_layers"],
                hidden_size=model["hidden_size"],
                heads=model["num_attention_heads"],
                ffn_size=model["intermediate_size"],
                vocab_size=model["vocab_size"],
                positions=positions,
                first_position=first_position,
                segments=model.get("type_vocab_size", 2),
                norm_eps=model.get("layer_norm_eps", 1e-12),
                gelu_approximation=_ACTIVATIONS[model["hidden_act"]],
                max_tokens=min(sentence.get("max_seq_length") or _tokenizer_limit(folder) or positions, positions),
                pooling=modules.pooling or "mean",
                is_normalised=modules.is_normalised,
                lowercases=bool(sentence.get("do_lower_case")),
                score_activation=None if modules.pooling else _score_activation(folder, model),
            )
        except KeyError as error:
            raise CheckpointInvalid(f"`{path}` lacks {error}.") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointInvalid(
                f"`{path}`, or a file beside it, holds a field of the wrong kind: {error}."
            ) from error
        if problems := config.problems():
            raise CheckpointInvalid(f"`{path}`, or a file beside it, is damaged: {'; '.join(problems)}.")
        return config

    def problems(self) -> list[str]:
        """Why no model can have these sizes, one sentence each; empty for sound ones."""
        sizes = ("layers", "hidden_size", "heads", "ffn_size", "vocab_size", "positions", "segments", "max_tokens")
        found = [
            f"`{name}` is {value!r}, not a positive whole number"
            for name in sizes
            if type(value := getattr(self, name)) is not int or value < 1
        ]
        if not found and self.hidden_size % self.heads:
            found.append(f"{self.heads} attention heads cannot share {self.hidden_size} channels")
        if not isinstance(self.norm_eps, int | float) or not (math.isfinite(self.norm_eps) and self.norm_eps >= 0):
            found.append(f"the norm's epsilon is {self.norm_eps!r}")
        return found


def _tokenizer_limit(folder: Path) -> int | None:
    """The longest text for which the tokenizer was made, in tokens, where it says so; "no limit" is a huge number."""
    stated = _read_optional(folder / "tokenizer_config.json").get("model_max_length")
    return int(stated) if stated else None


def _score_activation(folder: Path, model: dict[str, Any]) -> ScoreActivation | None:
    """What follows a classifier; None for a model that is none. model: its `config.json`.

    The names are those of sentence-transformers, newest first: 6, 4 and older, which all take a sigmoid by default.
    """
    path = folder / "config.json"
    if not any("ForSequenceClassification" in str(name) for name in model.get("architectures") or ()):
        return None
    labels = len(model["id2label"]) if "id2label" in model else model.get("num_labels", 2)
    if labels != 1:
        raise CheckpointInvalid(
            f"`{path}` describes a classifier with {labels} labels, which ranks nothing.",
            hint="take a cross-encoder with one label, or an embedding model",
        )
    newest = _read_optional(folder / "config_sentence_transformers.json")
    stated = newest.get("activation_fn") or (model.get("sentence_transformers") or {}).get("activation_fn")
    name = str(stated or model.get("sbert_ce_default_activation_function") or "Sigmoid").rpartition(".")[2]
    known: dict[str, ScoreActivation] = {"Sigmoid": "sigmoid", "Identity": "identity"}
    if name not in known:
        raise CheckpointInvalid(
            f"`{folder}` makes scores by the activation `{name}`.",
            hint=f"this encoder has {', '.join(f'`{one}`' for one in known)}",
        )
    return known[name]


@dataclass
class _Modules:
    """What follows the transformer: how the vectors of tokens become one, and whether it is scaled to length 1.

    pooling: None where none is named; an embedding model then has the mean, as in sentence-transformers.
    """

    pooling: Pooling | None = None
    is_normalised: bool = False


def _modules(folder: Path) -> _Modules:
    path = folder / "modules.json"
    found = _Modules()
    for module in read_json_list(path) if path.exists() else []:
        kind = str(module.get("type", "")).rpartition(".")[2]
        match kind:
            case "Transformer":
                pass
            case "Pooling":
                found.pooling = _pooling(folder / str(module.get("path", "")) / "config.json")
            case "Normalize":
                found.is_normalised = True
            case _:
                raise CheckpointInvalid(f"`{path}` has a `{kind}` step, which this encoder does not have.")
    return found


def _pooling(path: Path) -> Pooling:
    modes = {key for key, value in read_json(path).items() if key.startswith("pooling_mode_") and value is True}
    known: dict[str, Pooling] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_max_tokens": "max",
    }
    if len(modes) != 1 or not modes <= known.keys():
        raise CheckpointInvalid(f"`{path}` pools by {sorted(modes)}; this encoder does one of {sorted(known)}.")
    return known[modes.pop()]


def _read_optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
