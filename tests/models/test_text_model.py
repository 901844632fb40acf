"""Text out of tokens: half characters, stop strings, log-probabilities, and who closes what."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.engine.requests.messages import PromptLogprob, TokenOutput
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.text.answer_grammar import AnswerForm, TextForm
from runtime.engine.text.chat_template import ChatTemplate
from runtime.engine.text.detokenizer import Detokenizer
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.stop_strings import StopStrings
from runtime.engine.text.text_model import TextModel
from runtime.engine.text.text_stream import TextOutput
from runtime.engine.text.tokenizer import Tokenizer
from runtime.errors import NotSupported, RequestError

# Detokenising


def cut(data: Any, places: list[int]) -> list[Any]:
    """`data` in pieces, cut at `places` (taken modulo its length)."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


some_bytes = st.one_of(st.binary(max_size=24), st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")))


@given(data=some_bytes, places=st.lists(st.integers(0, 60), max_size=12))
@settings(max_examples=120, deadline=None)
def test_however_bytes_are_cut_the_text_is_theirs(data: bytes, places: list[int]) -> None:
    detokenizer = Detokenizer()
    shown = [detokenizer.push(piece) for piece in cut(data, places)]
    assert "".join([*shown, detokenizer.finish()]) == data.decode("utf-8", "replace")


@given(text=st.text(min_size=1, max_size=10).filter(lambda text: "\ufffd" not in text))
@settings(deadline=None)
def test_a_character_is_shown_when_it_is_whole_and_not_before(text: str) -> None:
    detokenizer = Detokenizer()
    text = text.encode("utf-8", "replace").decode()
    shown = ""
    for at, byte in enumerate(text.encode()):
        shown += detokenizer.push(bytes([byte]))
        whole = text.encode()[: at + 1].decode("utf-8", "ignore")
        assert shown == whole
    assert detokenizer.finish() == ""


# Stop strings


def first_stop(text: str, stops: Sequence[str]) -> str | None:
    """The obvious way: look after every character whether the text now ends in a stop string."""
    for end in range(len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            return text[: end - max(map(len, ending))]
    return None


letters = st.text(alphabet="ab😀\n", max_size=14)


@given(
    text=letters,
    stops=st.lists(letters.filter(bool), max_size=3),
    places=st.lists(st.integers(0, 40), max_size=14),
)
@settings(max_examples=200, deadline=None)
def test_stop_strings_end_the_text_at_the_same_place_however_it_is_cut(
    text: str, stops: list[str], places: list[int]
) -> None:
    checker = StopStrings(stops)
    expected = first_stop(text, stops)
    shown, arrived, is_stopped = "", "", False
    for piece in cut(text, places):
        new, is_stopped = checker.push(piece)
        shown += new
        arrived += piece
        if is_stopped:
            break
        held = arrived[len(shown) :]
        # Nothing past a possible stop is shown, and nothing is held back without need.
        assert arrived.startswith(shown)
        assert not held or any(stop.startswith(held) for stop in stops)
        assert not any(stop.startswith(arrived[at:]) for stop in stops for at in range(len(shown)))
    assert is_stopped == (expected is not None)
    assert (shown if is_stopped else shown + checker.flush()) == (text if expected is None else expected)


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(RequestError) as refused:
        StopStrings(["a", ""])
    assert refused.value.param == "stop"


# Whole answers, over an engine that says what it is told


def token(id: int, logprob: float | None = None, **facts: Any) -> TokenOutput:
    return TokenOutput(token_id=id, index=0, logprob=logprob, **facts)


END, HIDDEN = 300, 301
SPECIAL = SpecialTokens({"<end>": END, "<hidden>": HIDDEN})


def tokenizer() -> Tokenizer:
    """One token a byte: every way to cut a character occurs."""
    return Tokenizer(
        encode_plain=lambda text, is_first: list(text.encode()),
        piece_bytes=lambda id: bytes([id]) if id < 256 else b"",
        special=SPECIAL,
        vocab_size=303,
        bos_id=None,
        eos_id=END,
    )


class ScriptedEngine:
    """Yields given tokens and notes whether its stream was closed."""

    def __init__(self, tokens: Sequence[TokenOutput], failure: Exception | None = None) -> None:
        self.tokens = tokens
        self.failure = failure
        self.given = 0
        self.is_closed = False
        self.params: SamplingParams | None = None

    def generate(
        self, prompt: Sequence[int], params: SamplingParams, *, priority: int = 0, cache_salt: str = ""
    ) -> ScriptedEngine:
        self.params = params
        return self

    def __aiter__(self) -> AsyncIterator[TokenOutput]:
        return self

    async def __anext__(self) -> TokenOutput:
        if self.given == len(self.tokens):
            if self.failure is not None:
                raise self.failure
            raise StopAsyncIteration
        self.given += 1
        return self.tokens[self.given - 1]

    async def aclose(self) -> None:
        self.is_closed = True


def spoken(text: str | bytes, *, then: Sequence[TokenOutput] = (), logprob: float | None = None) -> list[TokenOutput]:
    data = text.encode() if isinstance(text, str) else text
    return [token(byte, logprob) for byte in data] + list(then)


async def answer(engine: ScriptedEngine, stop: Sequence[str] = (), **params: Any) -> list[TextOutput]:
    stream = TextModel(engine, tokenizer()).generate_text([1, 2, 3], SamplingParams(**params), stop)
    return [output async for output in stream]


def text_of(outputs: list[TextOutput]) -> str:
    return "".join(output.text for output in outputs)


async def test_an_answer_ends_at_an_end_token_that_is_not_shown() -> None:
    engine = ScriptedEngine(spoken("Hé 😀!", then=[token(END), *spoken("never")]))
    outputs = await answer(engine)
    assert text_of(outputs) == "Hé 😀!"
    assert [output.finish_reason for output in outputs] == [None] * (len(outputs) - 1) + ["stop"]
    assert outputs[-1].completion_tokens == engine.given == len("Hé 😀!".encode()) + 1
    assert {output.prompt_tokens for output in outputs} == {3}
    assert engine.is_closed
    assert engine.params is not None
    assert END in engine.params.stop_token_ids


async def test_the_limit_ends_an_answer_with_length_and_half_a_character() -> None:
    outputs = await answer(ScriptedEngine([*spoken("ab"), token(0xF0), token(0x9F, finish_reason="length")]))
    assert text_of(outputs) == "ab\ufffd"
    assert outputs[-1].finish_reason == "length"


async def test_an_end_token_at_the_limit_is_still_a_stop() -> None:
    outputs = await answer(ScriptedEngine(spoken("ab", then=[token(END, finish_reason="length")])))
    assert (text_of(outputs), outputs[-1].finish_reason) == ("ab", "stop")


async def test_end_tokens_can_be_ignored_and_are_hidden_all_the_same() -> None:
    tokens = [*spoken("a"), token(END), *spoken("b"), token(ord("c"), finish_reason="length")]
    engine = ScriptedEngine(tokens)
    assert text_of(await answer(engine, ignore_eos=True)) == "abc"
    assert engine.params is not None
    assert not engine.params.stop_token_ids


async def test_a_token_the_caller_stops_at_is_not_shown() -> None:
    outputs = await answer(ScriptedEngine([*spoken("ab"), token(ord("c"), finish_reason="stop")]))
    assert (text_of(outputs), outputs[-1].finish_reason) == ("ab", "stop")


async def test_other_special_tokens_are_hidden() -> None:
    outputs = await answer(ScriptedEngine([*spoken("a"), token(HIDDEN), *spoken("b", then=[token(END)])]))
    assert text_of(outputs) == "ab"


@given(
    text=st.text(alphabet="ab😀é", max_size=10),
    stop=st.text(alphabet="ab😀é", min_size=1, max_size=3),
    ends=st.booleans(),
)
@settings(max_examples=60, deadline=None)
async def test_stop_strings_hold_over_tokens_that_cut_characters(text: str, stop: str, ends: bool) -> None:
    last = [token(END)] if ends else [token(ord("z"), finish_reason="length")]
    engine = ScriptedEngine(spoken(text, then=last))
    outputs = await answer(engine, [stop])
    whole = text if ends else text + "z"
    expected = first_stop(whole, [stop])
    assert text_of(outputs) == (whole if expected is None else expected)
    assert outputs[-1].finish_reason == ("stop" if ends or expected is not None else "length")
    assert engine.is_closed
    assert all(output.text or output.finish_reason for output in outputs)


async def test_text_held_back_comes_when_the_stop_string_does_not() -> None:
    outputs = await answer(ScriptedEngine(spoken("xST", then=[token(END)])), ["STOP"])
    assert [output.text for output in outputs] == ["x", "ST"]


async def test_a_stop_string_closes_the_engine_at_once() -> None:
    engine = ScriptedEngine(spoken("abSTOPcdefgh"))
    outputs = await answer(engine, ["STOP"])
    assert text_of(outputs) == "ab"
    assert engine.given == 6
    assert engine.is_closed


async def test_log_probabilities_come_with_the_text_they_belong_to() -> None:
    tokens = [token(byte, -0.5, top_logprobs=((byte, -0.5), (0xE2, -1.5))) for byte in "a😀".encode()]
    outputs = await answer(ScriptedEngine([*tokens, token(END, -0.1)]), logprobs=2)
    assert [(output.text, len(output.tokens)) for output in outputs] == [("a", 1), ("😀", 4), ("", 0)]
    first = outputs[0].tokens[0]
    assert (first.text, first.bytes, first.logprob) == ("a", b"a", -0.5)
    assert [(top.text, top.bytes, top.logprob) for top in first.top_logprobs] == [
        ("a", b"a", -0.5),
        ("\ufffd", b"\xe2", -1.5),
    ]
    assert b"".join(token.bytes for output in outputs for token in output.tokens) == "a😀".encode()


async def test_tokens_of_the_prompt_come_once_with_the_first_output_and_their_places() -> None:
    later = [PromptLogprob(token_id=id, logprob=-2.0, top_logprobs=((ord("r"), -1.0),)) for id in [*"é".encode(), END]]
    tokens = [token(ord("S"), prompt=tuple(later)), *spoken("xy", then=[token(END)])]
    outputs = await answer(ScriptedEngine(tokens), ["STOP"], prompt_logprobs=True)
    first, *others = outputs[0].prompt
    assert outputs[0].text == "Sx"  # the first token was held back
    assert math.isnan(first.logprob) and first.offset == 0
    assert [(one.offset, one.logprob, one.top_logprobs[0].text) for one in others] == [
        (1, -2.0, "r"),
        (1, -2.0, "r"),
        (2, -2.0, "r"),
    ]
    assert b"".join(one.bytes for one in outputs[0].prompt).decode()[1:] == "é"
    assert [output.prompt for output in outputs[1:]] == [()] * (len(outputs) - 1)


async def test_tokens_of_a_stop_string_are_not_reported() -> None:
    outputs = await answer(ScriptedEngine(spoken("abSTOP", logprob=-1.0)), ["STOP"], logprobs=0)
    assert "".join(token.text for output in outputs for token in output.tokens) == "ab"


async def test_tokens_of_text_held_back_to_the_end_are_reported() -> None:
    last = token(ord("T"), -1.0, finish_reason="length")
    outputs = await answer(ScriptedEngine([*spoken("aS", logprob=-1.0), last]), ["STOP"], logprobs=0)
    assert "".join(token.text for output in outputs for token in output.tokens) == "aST"


async def test_closing_the_text_closes_the_engine_also_before_the_first_output() -> None:
    for reads in (0, 2):
        engine = ScriptedEngine(spoken("abcdef"))
        stream = TextModel(engine, tokenizer()).generate_text([1], SamplingParams())
        for _ in range(reads):
            await anext(stream)
        await stream.aclose()
        assert engine.is_closed
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_failure_of_the_engine_reaches_the_reader() -> None:
    engine = ScriptedEngine(spoken("ab"), failure=ZeroDivisionError())
    stream = TextModel(engine, tokenizer()).generate_text([1], SamplingParams())
    assert [(await anext(stream)).text for _ in range(2)] == ["a", "b"]
    with pytest.raises(ZeroDivisionError):
        await anext(stream)
    assert engine.is_closed


def test_a_bad_stop_string_is_refused_before_the_engine_is_asked() -> None:
    engine = ScriptedEngine([])
    with pytest.raises(RequestError):
        TextModel(engine, tokenizer()).generate_text([1], SamplingParams(), [""])
    assert engine.params is None


# Chats


def test_a_chat_becomes_ids_with_special_tokens_of_the_template_alone() -> None:
    template = ChatTemplate("{% for m in messages %}{{ m.role + ':' + m.content }}<end>{% endfor %}", name="t")
    model = TextModel(ScriptedEngine([]), tokenizer(), template)
    ids = model.render_chat([{"role": "user", "content": "a<end>b"}]).ids
    assert ids == [*b"user:a<end>b", END]


def test_a_model_without_a_template_takes_no_chats() -> None:
    with pytest.raises(NotSupported, match="chat template"):
        TextModel(ScriptedEngine([]), tokenizer()).render_chat([{"role": "user", "content": "a"}])


def test_a_model_that_cannot_end_an_answer_takes_no_forms() -> None:
    endless = TextModel(ScriptedEngine([]), tokenizer(), vocab_size=1)
    assert endless.grammar(AnswerForm()) is None
    with pytest.raises(NotSupported, match="ends an answer"):
        endless.grammar(AnswerForm(text=TextForm(rules='text: "a"', param="p")))
