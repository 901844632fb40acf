"""Log-probabilities in OpenAI's two shapes: no candidate lost, every token at its character, no infinity in JSON."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.engine.requests.messages import TokenOutput
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.text_model import TextModel
from runtime.engine.text.text_stream import TextOutput
from runtime.engine.text.tokenizer import Tokenizer
from runtime.providers.inference.meta_reference.answers import ChatShape, CompletionShape
from runtime.providers.inference.meta_reference.usage import Usage

END, HIDDEN, PADDING = 0, 1, 2


class Pieces:
    """An engine whose tokens are given byte strings, and the tokenizer that knows them."""

    def __init__(self, said: Sequence[bytes | int], top: tuple[tuple[bytes | int, float], ...] = ()) -> None:
        self._pieces = [b"", b"", b""]
        self._said = [self.id(piece) for piece in said]
        self._top = tuple((self.id(piece), value) for piece, value in top)

    def id(self, piece: bytes | int) -> int:
        if isinstance(piece, int):
            return piece
        self._pieces.append(piece)
        return len(self._pieces) - 1

    async def generate(
        self, prompt: Sequence[int], params: SamplingParams, *, priority: int = 0, cache_salt: str = ""
    ) -> AsyncIterator[TokenOutput]:
        for at, id in enumerate(self._said):
            last = at == len(self._said) - 1
            yield TokenOutput(
                token_id=id, index=at, logprob=-1.0, top_logprobs=self._top, finish_reason="length" if last else None
            )

    async def answer(self) -> list[TextOutput]:
        tokenizer = Tokenizer(
            encode_plain=lambda text, is_first: [],
            piece_bytes=self._pieces.__getitem__,
            special=SpecialTokens({"<end>": END, "<hidden>": HIDDEN}),
            vocab_size=len(self._pieces),
            bos_id=None,
            eos_id=END,
        )
        return [output async for output in TextModel(self, tokenizer).generate_text([1], SamplingParams(logprobs=5))]


async def legacy(pieces: Pieces, *, echo: str = "") -> tuple[str, dict[str, Any]]:
    whole = CompletionShape("m", with_logprobs=True, echoes=[echo]).whole([await pieces.answer()], Usage())
    choice = json.loads(json.dumps(whole, allow_nan=False))["choices"][0]
    return choice["text"], choice["logprobs"]


async def chat(pieces: Pieces) -> list[dict[str, Any]]:
    whole = ChatShape("m", with_logprobs=True).whole([await pieces.answer()], Usage())
    content: list[dict[str, Any]] = json.loads(json.dumps(whole, allow_nan=False))["choices"][0]["logprobs"]["content"]
    return content


async def test_candidates_that_are_halves_of_characters_keep_apart() -> None:
    top = ((b"\xe2\x80", -0.5), (b" \xe2", -1.0), (b"\xf0", -2.0), (b"\xef\xbf\xbd", -3.0))
    _, shown = await legacy(Pieces([b"\xe2\x80", b"\x99"], top))
    assert shown["tokens"] == ["bytes:\\xe2\\x80", "bytes:\\x99"]
    expected = {"bytes:\\xe2\\x80": -0.5, "bytes: \\xe2": -1.0, "bytes:\\xf0": -2.0, "\ufffd": -3.0}
    assert shown["top_logprobs"][0] == {**expected, "bytes:\\xe2\\x80": -0.5}
    assert shown["top_logprobs"][1] == {**expected, "bytes:\\x99": -1.0}  # the chosen one always, as at OpenAI


async def test_two_tokens_of_the_same_bytes_show_the_likelier_one() -> None:
    _, shown = await legacy(Pieces([b"a"], ((b"a", -0.5), (b"a", -7.0))))
    assert shown["top_logprobs"] == [{"a": -0.5}]


async def test_tokens_are_counted_in_characters_of_the_text_that_is_returned() -> None:
    said = [b"h", "é".encode()[:1], "é".encode()[1:], HIDDEN, "😀!".encode(), b"\xe2", b"a", b"b"]
    text, shown = await legacy(Pieces(said), echo="😀>")
    assert text == "😀>hé😀!\ufffdab"
    assert shown["text_offset"] == [2, 3, 3, 4, 4, 6, 7, 8]


def starts(data: bytes) -> list[int]:
    """The obvious way: for each byte the character that it belongs to, U+FFFD for what is none."""
    wrong: dict[int, int] = {}

    def note(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        wrong[error.start] = error.end
        return "\ufffd", error.end

    codecs.register_error("noted", note)
    data.decode("utf-8", "noted")
    found: list[int] = []
    at = character = 0
    while at < len(data):
        lead = data[at]
        end = wrong.get(at, at + (1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4))
        found += [character] * (end - at)
        at, character = end, character + 1
    return found


some_bytes = st.one_of(st.binary(max_size=16), st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace")))


@given(data=some_bytes.filter(bool), places=st.lists(st.integers(0, 20), max_size=10))
@settings(max_examples=150, deadline=None)
async def test_every_token_stands_at_the_character_that_it_begins_in(data: bytes, places: list[int]) -> None:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    text, shown = await legacy(Pieces([data[a:b] for a, b in pairwise(edges)]))
    assert text == data.decode("utf-8", "replace")
    assert shown["text_offset"] == [starts(data)[edge] for edge in edges[:-1]]


async def test_a_chat_s_tokens_spell_what_their_bytes_say() -> None:
    said = [b" \xf0\x9f", b"\x98\x80", HIDDEN, b"ok"]
    content = await chat(Pieces(said, ((b"\x98", -1.0), (PADDING, -2.0))))
    assert [(entry["token"], entry["bytes"]) for entry in content] == [
        (" \\xf0\\x9f", [0x20, 0xF0, 0x9F]),
        ("\\x98\\x80", [0x98, 0x80]),
        ("<hidden>", None),
        ("ok", [0x6F, 0x6B]),
    ]
    assert [(entry["token"], entry["bytes"]) for entry in content[0]["top_logprobs"]] == [("\\x98", [0x98]), ("", None)]


async def test_what_cannot_come_has_a_number_all_the_same() -> None:
    top = ((b"a", -0.5), (b"b", -math.inf))
    _, shown = await legacy(Pieces([b"a"], top))
    assert shown["top_logprobs"] == [{"a": -0.5, "b": -9999.0}]
    content = await chat(Pieces([b"a"], top))
    assert content[0]["top_logprobs"][1]["logprob"] == -9999.0
