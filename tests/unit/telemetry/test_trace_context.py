"""W3C Trace Context: what of a header counts, and what is sent on."""

from __future__ import annotations

import pytest

from runtime.telemetry.trace_context import caller_of, new_span_id, new_trace_id, parsed

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_header_says_what_a_request_belongs_to() -> None:
    remote = parsed(f"00-{TRACE}-{SPAN}-01".encode(), b"rojo=00f067aa0ba902b7,congo=t61")
    assert remote is not None
    assert (remote.trace_id, remote.span_id, remote.is_sampled) == (TRACE, SPAN, True)
    assert remote.context == {
        "traceparent": f"00-{TRACE}-{SPAN}-01",
        "tracestate": "rojo=00f067aa0ba902b7,congo=t61",
    }
    not_sampled = parsed(f"00-{TRACE}-{SPAN}-00".encode())
    assert not_sampled is not None
    assert not_sampled.context == {"traceparent": f"00-{TRACE}-{SPAN}-00"}


def test_a_later_version_may_say_more() -> None:
    later = parsed(f"cc-{TRACE}-{SPAN}-03-what-the-future-will-be".encode())
    assert later is not None
    assert later.context == {"traceparent": f"00-{TRACE}-{SPAN}-01"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0",
        f"cc-{TRACE}-{SPAN}-01more",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_none_counts_as_nothing(header: str) -> None:
    assert parsed(header.encode(), b"a=1") is None


def test_a_state_that_is_too_long_or_no_text_is_left_out() -> None:
    header = f"00-{TRACE}-{SPAN}-01".encode()
    for state in (b"a=" + b"b" * 511, b"a=\xff", b""):
        remote = parsed(header, state)
        assert remote is not None and remote.state == ""


@pytest.mark.parametrize("state", ["a", "a=", "=1", "A=1", "a=1,b", "a=b=c", "a=\x7f", "a=1\n", ",".join(["a=1"] * 33)])
def test_a_state_that_is_none_is_left_out(state: str) -> None:
    remote = parsed(f"00-{TRACE}-{SPAN}-01".encode(), state.encode())
    assert remote is not None and remote.state == ""


@pytest.mark.parametrize(
    "state", ["a=1", "a=1, b=2;3", "a=1,,b=2", "0tenant@vendor=a b", "a_-*/0=~!", ",".join(["a=1"] * 32)]
)
def test_a_state_is_passed_on_as_it_is(state: str) -> None:
    remote = parsed(f"00-{TRACE}-{SPAN}-01".encode(), state.encode())
    assert remote is not None and remote.state == state


def test_new_ids_are_valid() -> None:
    for _ in range(1000):
        assert parsed(f"00-{new_trace_id()}-{new_span_id()}-01".encode()) is not None


def test_several_states_of_a_caller_are_one() -> None:
    parent = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())
    joined = caller_of([parent, (b"tracestate", b"a=1"), (b"x", b"y"), (b"tracestate", b"b=2")])
    assert joined is not None and (joined.trace_id, joined.state) == (TRACE, "a=1,b=2")
    assert caller_of([parent, parent]) is None and caller_of([(b"tracestate", b"a=1")]) is None
