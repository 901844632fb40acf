"""Answers from random logits that a grammar alone ends: what is valid among them is the grammar's doing."""

from __future__ import annotations

import numpy as np
import torch

from runtime.engine.requests.grammar import Matcher
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.sampling.sampled import NO_TOKEN
from runtime.engine.scheduling.sequence import Sequence
from runtime.engine.text.text_model import grammars_of
from runtime.engine.text.tokenizer import Tokenizer
from tests.support.samplers import SAMPLERS


def allowed_ids(matcher: Matcher) -> set[int]:
    """The tokens that may come next."""
    return set(np.flatnonzero(np.unpackbits(np.frombuffer(matcher.allowed(), np.uint8), bitorder="little")).tolist())


class Draws:
    """For one tokenizer, by one of the samplers. The same answers in every run."""

    def __init__(self, tokenizer: Tokenizer, sampler: str = "numpy") -> None:
        self.sample = SAMPLERS[sampler]
        self.grammars, self.tokenizer = grammars_of(tokenizer, tokenizer.end_ids), tokenizer
        self.generator = torch.Generator().manual_seed(7)

    def batch(self, sources: list[str | None], limit: int = 400, leaning: float = 3.0) -> list[str | None]:
        """One answer for each grammar, drawn together; None for one that reached `limit`. No grammar: any text.

        leaning: added to the logits of the characters that close something, so that answers are short.
        """
        ends = self.tokenizer.end_ids
        sequences = [
            Sequence(
                id=number,
                tokens=[0],
                prompt_length=1,
                params=SamplingParams(),
                seed=number,
                max_length=limit,
                end_ids=ends,
                matcher=self.grammars.compile(source).matcher() if source else None,
            )
            for number, source in enumerate(sources)
        ]
        closing = [id for text in '"}],0' for id in self.tokenizer.encode(text)]
        answers: dict[int, str | None] = {}
        running = list(sequences)
        while running:
            logits = torch.randn(len(running), self.tokenizer.vocab_size, generator=self.generator)
            logits[:, [*closing, *ends]] += leaning
            going_on = []
            for sequence, sampled in zip(running, self.sample(logits, running), strict=True):
                assert sampled.token_id != NO_TOKEN
                reason = sequence.append(sampled.token_id)
                if reason is None:
                    going_on.append(sequence)
                else:
                    shown = sequence.tokens[1:-1] if reason == "stop" else []
                    answers[sequence.id] = self.tokenizer.decode(shown, show_special=True) if shown else None
            running = going_on
        return [answers[number] for number in range(len(sources))]

    def accepts(self, source: str, text: str, *, allow_special: bool = False) -> bool:
        """Whether a grammar allows exactly this answer."""
        matcher = self.grammars.compile(source).matcher()
        for id in self.tokenizer.encode(text, add_bos=False, allow_special=allow_special):
            if id not in allowed_ids(matcher):
                return False
            matcher.accept(id)
        return not allowed_ids(matcher).isdisjoint(self.tokenizer.end_ids)
