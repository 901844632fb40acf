"""How well documents answer a query, as models of two kinds compute it with Hugging Face's transformers.

Qwen3-Reranker and its like are asked whether a document meets a query's needs; the score is how likely `yes` is beside
`no`: https://huggingface.co/Qwen/Qwen3-Reranker-0.6B#transformers-usage. A cross-encoder reads both as a pair, and its
one label is the score: https://www.sbert.net/docs/cross_encoder/usage/usage.html (both read November 2026).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

from runtime import own_process
from runtime.errors import RequestError, Unavailable

_TOKENS_AT_ONCE = 8192
"""Padding included; more of them are hardly faster on a CPU, and take memory."""
_BEGIN = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
_END = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
_LEAST_OF_A_DOCUMENT = 1


@dataclass(frozen=True, kw_only=True)
class Read:
    """A query with one document, as a model reads it. tokens: the ids. is_cut: whether the document was cut."""

    tokens: list[int]
    is_cut: bool


class Asks(Protocol):
    """How a kind of model is asked, and what it says. query_tokens: without a document."""

    def query_tokens(self, query: str) -> int: ...

    def read(self, query: str, document: str, most: int) -> Read:
        """Raises RequestError for a query that leaves no room for a document."""
        ...

    def scores(self, batch: Sequence[Read]) -> list[float]: ...


class Scorer:
    """Computes for one caller at a time, in whichever thread. most: tokens that it reads at once."""

    def __init__(self, asks: Asks, most: int) -> None:
        self._asks = asks
        self.most = most

    @classmethod
    def load(cls, name: str, folder: Path, *, device: str, dtype: str, max_tokens: int, instruction: str) -> Self:
        """Takes seconds. Raises Unavailable for a folder that has another kind of model, and for a device that is not
        there.
        """
        import torch  # both take seconds, and only who reranks so needs them
        import transformers

        if own_process.is_ours():
            transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            is_half = dtype == "bfloat16" or (dtype == "auto" and device.startswith("cuda"))
            judges = _judges(config)
            kind: Any = transformers.AutoModelForCausalLM if judges else transformers.AutoModelForSequenceClassification
            model: Any = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16 if is_half else torch.float32
            )
            model.to(device).eval()
            asks: Asks = _Judge(model, tokenizer, instruction) if judges else _Pairs(model, tokenizer)
        except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
            raise Unavailable(
                f"`{name}` cannot be used as a reranker: {error}",
                hint=f"look at `{folder}`, and at `device` in the provider's config",
                code="weights_not_usable",
            ) from error
        return cls(asks, min(max_tokens, config.max_position_embeddings))

    def query_tokens(self, query: str) -> int:
        """Of a query without a document."""
        return self._asks.query_tokens(query)

    def read(self, query: str, documents: Sequence[str], most: int | None) -> list[Read]:
        """As the model will read them. most: tokens of each with its query; at most its own. Raises RequestError for a
        query that is too long.
        """
        return [self._asks.read(query, document, min(most or self.most, self.most)) for document in documents]

    def batches(self, read: Sequence[Read]) -> Iterator[list[tuple[int, Read]]]:
        """Those that are computed together, the longest first, each with its place."""
        rest = iter(sorted(enumerate(read), key=lambda one: -len(one[1].tokens)))
        for first in rest:
            count = max(1, _TOKENS_AT_ONCE // len(first[1].tokens))
            yield [first, *islice(rest, count - 1)]

    def scores(self, batch: Sequence[Read]) -> list[float]:
        """Between 0 and 1, the more the better."""
        return self._asks.scores(batch)


class _Judge:
    """A causal model that answers yes or no."""

    def __init__(self, model: Any, tokenizer: Any, instruction: str) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._instruction = instruction
        self._begin, self._end = self._ids(_BEGIN), self._ids(_END)
        self._answers = [_word(tokenizer, "no"), _word(tokenizer, "yes")]

    def query_tokens(self, query: str) -> int:
        return len(self._begin) + len(self._ids(self._asked(query, ""))) + len(self._end)

    def read(self, query: str, document: str, most: int) -> Read:
        room = most - len(self._begin) - len(self._end)
        _check_room(self.query_tokens(query), most)
        ids = self._ids(self._asked(query, document))
        return Read(tokens=[*self._begin, *ids[:room], *self._end], is_cut=len(ids) > room)

    def scores(self, batch: Sequence[Read]) -> list[float]:
        import torch

        longest = max(len(one.tokens) for one in batch)
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (longest - len(one.tokens)) + one.tokens for one in batch])
        mask = torch.tensor([[0] * (longest - len(one.tokens)) + [1] * len(one.tokens) for one in batch])
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        device = self._model.device
        with torch.inference_mode():
            logits = self._model(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                position_ids=places.to(device),
                logits_to_keep=1,
                use_cache=False,
            ).logits[:, -1, self._answers]
        return torch.softmax(logits.float(), dim=-1)[:, 1].tolist()

    def _asked(self, query: str, document: str) -> str:
        return f"<Instruct>: {self._instruction}\n<Query>: {query}\n<Document>: {document}"

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]  # type: ignore[no-any-return]


class _Pairs:
    """A cross-encoder with one label."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer

    def query_tokens(self, query: str) -> int:
        return len(self._tokenizer(query, "")["input_ids"])

    def read(self, query: str, document: str, most: int) -> Read:
        _check_room(self.query_tokens(query), most)
        whole = self._tokenizer(query, document, verbose=False)["input_ids"]
        if len(whole) <= most:
            return Read(tokens=whole, is_cut=False)
        ends = [self._tokenizer.sep_token_id] if whole[-1] == self._tokenizer.sep_token_id else []
        return Read(tokens=[*whole[: most - len(ends)], *ends], is_cut=True)

    def scores(self, batch: Sequence[Read]) -> list[float]:
        import torch

        made = self._tokenizer.pad({"input_ids": [one.tokens for one in batch]}, return_tensors="pt")
        if "token_type_ids" in self._tokenizer.model_input_names:
            kinds = [self._kinds(one.tokens) for one in batch]
            longest = made["input_ids"].shape[1]
            made["token_type_ids"] = torch.tensor([one + [0] * (longest - len(one)) for one in kinds])
        with torch.inference_mode():
            logits = self._model(**{name: value.to(self._model.device) for name, value in made.items()}).logits
        return torch.sigmoid(logits[:, 0].float()).tolist()

    def _kinds(self, tokens: list[int]) -> list[int]:
        """Which of the two texts each token is of: the second begins after the first separator."""
        first = tokens.index(self._tokenizer.sep_token_id) + 1
        return [0] * first + [1] * (len(tokens) - first)


def _judges(config: Any) -> bool:
    """Whether a model answers yes or no. Raises ValueError for one that does not rerank."""
    kind = (config.architectures or ["nothing"])[0]
    if kind.endswith("ForCausalLM"):
        return True
    if kind.endswith("ForSequenceClassification") and config.num_labels == 1:
        return False
    raise ValueError(f"it is a `{kind}` with {config.num_labels} labels: give a causal model, or a classifier with one")


def _word(tokenizer: Any, word: str) -> int:
    """Raises ValueError for a word that is no token of its own."""
    found = tokenizer.convert_tokens_to_ids(word)
    if found is None or found == tokenizer.unk_token_id:
        raise ValueError(f"its tokenizer has no token `{word}`, which a model that judges answers")
    return int(found)


def _check_room(query_tokens: int, most: int) -> None:
    if query_tokens + _LEAST_OF_A_DOCUMENT > most:
        raise RequestError(
            f"`query` takes {query_tokens} of {most} tokens, which leaves none for a document",
            hint="ask shorter",
            param="query",
            code="context_length_exceeded",
        )
