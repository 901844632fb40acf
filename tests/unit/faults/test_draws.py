"""Who has which fault: by the seed, as often as was said, whoever else is asked meanwhile."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from runtime.context import RequestContext, serving
from runtime.faults.draws import drawn
from runtime.faults.injection import TOLD, Faults
from runtime.faults.parsing import read_faults

PROVIDERS = {"inference/a": True, "inference/b": True}


def faults(text: str, seed: int = 0) -> Faults:
    return Faults(read_faults([text]), seed=seed, providers=PROVIDERS)


def failures(server: Faults, count: int, name: str = "inference/a") -> list[str]:
    """What comes in place of so many answers to the same; empty for nothing."""
    with serving(RequestContext()):
        return [_failure(server, name) for _ in range(count)]


def _failure(server: Faults, name: str, asked: bytes = b"") -> str:
    attempt = server.of(name).attempt(lambda: asked)
    return attempt.failure.name if attempt is not None and attempt.failure is not None else ""


def test_a_number_follows_from_its_place_on_every_machine() -> None:
    found = [round(drawn(0, "inference/a", number, "instead"), 6) for number in (1, 2, 3)]
    assert found == [0.416225, 0.464536, 0.043827]


def test_the_same_seed_has_the_same_faults_and_another_one_others() -> None:
    text = "a: 429 30%, timeout 20%; b: 503 40%"
    first = failures(faults(text), 200)
    assert failures(faults(text), 200) == first
    assert failures(faults(text, seed=1), 200) != first


def test_who_else_is_asked_meanwhile_changes_nothing() -> None:
    text = "a: 429 30%, timeout 20%; b: 503 40%"
    alone, beside, both = faults(text), faults(text), faults(text)
    with serving(RequestContext()):
        mixed = [(_failure(both, "inference/a"), _failure(both, "inference/b")) for _ in range(100)]
    assert [one for one, _ in mixed] == failures(alone, 100)
    assert [other for _, other in mixed] == failures(beside, 100, "inference/b")


def test_the_order_of_different_requests_changes_nothing() -> None:
    questions = [f'{{"messages": ["tell me of {word}"]}}'.encode() for word in ("llamas", "alpacas", "vicunas") * 40]
    shuffled = random.Random(0).sample(questions, len(questions))
    found = []
    for order in (questions, shuffled):
        server = faults("a: 429 30%, timeout 20%")
        with serving(RequestContext()):
            found.append(Counter((asked, _failure(server, "inference/a", asked)) for asked in order))
    assert found[0] == found[1]
    assert {failure for _, failure in found[0]} == {"", "429", "timeout"}


def test_what_has_a_digit_counts_as_the_same() -> None:
    with serving(RequestContext()):
        asked = b'{"at": "%b", "id": "call_%b", "n": %b}'
        alike = [
            asked % values for values in ((b"2026-11-28T10:00:00Z", b"0af7", b"1"), (b"2027-01-02", b"9c3f", b"-2.5e7"))
        ]
        found = []
        for order in ([alike[0]] * 50, alike * 25, [b'{"something": "else"}'] * 50):
            server = faults("a: 429 50%")
            found.append([_failure(server, "inference/a", asked) for asked in order])
    assert found[0] == found[1] != found[2]


def test_a_long_word_takes_no_longer_than_it_is() -> None:
    with serving(RequestContext()):
        assert _failure(faults("a: 429 100%"), "inference/a", b"a" * 10_000_000) == "429"


def test_shares_hold() -> None:
    """Chi-square over 20,000 draws: 3 degrees of freedom, beyond 16.27 once in a thousand seeds."""
    count, shares = 20_000, {"429": 0.1, "timeout": 0.02, "503": 0.3, "": 0.58}
    found = Counter(failures(faults("a: 429 10%, timeout 2%, 503 30%", seed=7), count))
    assert found.keys() == shares.keys()
    assert sum((found[name] - count * share) ** 2 / (count * share) for name, share in shares.items()) < 16.27


def test_shares_of_answers_and_waits_hold_too() -> None:
    """One degree of freedom each: beyond 10.83 once in a thousand seeds."""
    count, server = 10_000, faults("a: cut-stream 20%, bad-json 10%, slow 1s 40%, slow 2s 5%", seed=3)
    found: Counter[str] = Counter()
    with serving(RequestContext()):
        for number in range(count):
            attempt = server.of("inference/a").attempt(bytes)
            assert attempt is not None and attempt.failure is None
            assert 1 <= attempt.events <= 3
            found[attempt.wait.name if attempt.wait else "quick"] += 1
            spoilt = attempt.spoils(is_stream=number % 2 == 0)
            found[spoilt.name if spoilt else "whole"] += 1
    for name, expected in {"slow 2s": 500, "quick": 5_700, "cut-stream": 1_000}.items():
        rest = count - expected
        assert (found[name] - expected) ** 2 * (1 / expected + 1 / rest) < 10.83, name
    # Of what is no stream, a tenth is bad JSON; of streams a tenth too, beside those that are cut.
    assert (found["bad-json"] - 1_000) ** 2 * (1 / 1_000 + 1 / 9_000) < 10.83


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 429 first 2", ["429", "429", "", "", ""]),
        ("a: 503 every 2", ["", "503", "", "503", ""]),
        ("a: 429 first 1, 503", ["429", "503", "503", "503", "503"]),
        ("a: 503 every 2, 429 first 3", ["429", "503", "429", "503", ""]),
        ("a: 500", ["500"] * 5),
        ("b: 500", [""] * 5),
    ],
)
def test_those_that_are_counted_come_in_their_turn(text: str, expected: list[str]) -> None:
    assert failures(faults(text), 5) == expected


def test_only_requests_count() -> None:
    server = faults("a: 500 first 1")
    assert server.of("inference/a").attempt(bytes) is None  # asked for its health or its models
    assert failures(server, 2) == ["500", ""]


def test_what_a_request_asks_for_is_its_own(caplog: pytest.LogCaptureFixture) -> None:
    server = faults("a: 429")
    own = RequestContext(faults=server.of_request(["a: 503 first 1"]))
    with serving(own):
        assert [_failure(server, "inference/a") for _ in range(2)] == ["503", ""]
    other = RequestContext(faults=server.of_request(["b: timeout"]))
    with serving(other):
        assert [_failure(server, name) for name in PROVIDERS] == ["429", "timeout"]
    assert failures(server, 1) == ["429"]


def test_what_happened_is_told_in_a_header_of_bounded_length_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="runtime.faults.injection")
    server, context = faults("a: 429, slow 1ms", seed=5), RequestContext(request_id="req_1")
    with serving(context):
        for _ in range(500):
            attempt = server.of("inference/a").attempt(bytes)
            assert attempt is not None and attempt.wait is not None and attempt.failure is not None
            attempt.tell(attempt.wait)
            attempt.tell(attempt.failure)
    told = context.headers[TOLD]
    assert told.startswith("a slow 1ms, a 429, a slow 1ms, a 429") and len(told) <= 1_000
    lines = [vars(record) for record in caplog.records if record.message == "fault injected"]
    assert len(lines) == 1_000
    facts = {name: lines[1][name] for name in ("request_id", "provider", "fault", "seed", "ordinal")}
    assert facts == {"request_id": "req_1", "provider": "inference/a", "fault": "429", "seed": 5, "ordinal": 1}
