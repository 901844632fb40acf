"""The kernel of causal attention over pages, for a few queries of one key-value head at once.

Keys lie on a page as [channel][token], so that sixteen tokens' scores are made side by side; values as
[token][channel]. Both are float16. Paged attention: Kwon et al. 2023 (vLLM), section 4.1; the softmax: Vaswani et al.
2017, eq. 1.
"""

from __future__ import annotations

import math

from llvmlite import ir

from runtime.engine.kernels.builder import F32, FLOATS, HALVES, I32, I64, LANES, POINTER, Kernel, Value, Variable
from runtime.engine.kernels.functions import exponential

PAGE = 32
"""Tokens of a page."""
MOST_QUERIES = 8


def add_attend(
    module: ir.Module, *, heads: int, kv_heads: int, head_dim: int, row_width: int, page_bytes: int
) -> Kernel:
    """attend(q, out, keys, values, table, start, rows, head, scores): neighbouring rows of one sequence, of which the
    first has the position `start`.

    q: the first row's queries, whose rows are `row_width` float32 apart; out: [rows, heads, head_dim] float32. keys,
    values: this layer's place on page 0, where [kv_heads, head_dim, 32] float16 and [kv_heads, 32, head_dim] float16
    lie; those of other pages are `page_bytes` apart. table: [pages of the sequence] int32. head: a key-value head.
    scores: room for 8 rows of all tokens, each rounded up to pages, float32.
    """
    parts = [
        _add_queries(
            module,
            count,
            group=heads // kv_heads,
            out_width=heads * head_dim,
            head_dim=head_dim,
            row_width=row_width,
            page_bytes=page_bytes,
        )
        for count in range(1, MOST_QUERIES + 1)
    ]
    kernel = Kernel(module, "attend", is_internal=True, **_PARAMETERS)
    queries = kernel["rows"] * (heads // kv_heads)
    whole = queries // MOST_QUERIES * MOST_QUERIES
    arguments = [kernel[name] for name in ("q", "out", "keys", "values", "table", "start", "head", "scores")]
    with kernel.loop(0, whole, MOST_QUERIES) as first:
        kernel.call(parts[-1], *arguments, first)
    for left in range(1, MOST_QUERIES):
        with kernel.when((queries - whole).equals(left)):
            kernel.call(parts[left - 1], *arguments, whole)
    kernel.end()
    return kernel


_PARAMETERS = {
    **dict.fromkeys(("q", "out", "keys", "values", "table"), POINTER),
    **dict.fromkeys(("start", "rows", "head"), I64),
    "scores": POINTER,
}


def _add_queries(
    module: ir.Module, count: int, *, group: int, out_width: int, head_dim: int, row_width: int, page_bytes: int
) -> Kernel:
    """So many queries, from the `first` one on: of each row those of the key-value head's group, row by row."""
    kernel = Kernel(
        module,
        f"attend_{count}",
        is_internal=True,
        **{name: kind for name, kind in _PARAMETERS.items() if name != "rows"},
        first=I64,
    )
    numbers = [kernel["first"] + at for at in range(count)]
    channels = [(kernel["head"] * group + number % group) * head_dim for number in numbers]
    queries = [
        kernel.place(kernel["q"], (number // group * row_width + channel) * 4)
        for number, channel in zip(numbers, channels, strict=True)
    ]
    lengths = [kernel["start"] + number // group + 1 for number in numbers]
    pages = (lengths[-1] + (PAGE - 1)) // PAGE  # the last query is of the last row
    scores = [kernel.place(kernel["scores"], pages * (PAGE * 4 * at)) for at in range(count)]

    def page_of(pool: str, page: Value) -> Value:
        number = kernel.load(kernel["table"], I32, page * 4).wide()
        return kernel.place(kernel[pool], number * page_bytes + kernel["head"] * (head_dim * PAGE * 2))

    with kernel.loop(0, pages) as page:
        _score(
            kernel, page_of("keys", page), queries, [kernel.place(row, page * (PAGE * 4)) for row in scores], head_dim
        )
    totals = [_softmax(kernel, row, length, pages) for row, length in zip(scores, lengths, strict=True)]
    with kernel.loop(0, head_dim, LANES) as channel:
        sums = [kernel.variable(kernel.zeros(FLOATS)) for _ in numbers]

        def add_values(page: Value, tokens: Value | int, channel: Value = channel, sums: list[Variable] = sums) -> None:
            values = kernel.place(page_of("values", page), channel * 2)
            row = [kernel.place(score, page * (PAGE * 4)) for score in scores]
            with kernel.loop(0, tokens) as token:
                value = kernel.load(values, HALVES, token * (head_dim * 2)).to_floats()
                for part, score in zip(sums, row, strict=True):
                    weight = kernel.splat(kernel.load(score, F32, token * 4))
                    part.set(value.times_plus(weight, part.get()))

        with kernel.loop(0, pages - 1) as page:
            add_values(page, PAGE)
        # Behind the last token lies what another sequence has left: it may be infinite or NaN, which times 0 is NaN.
        add_values(pages - 1, lengths[-1] - (pages - 1) * PAGE)
        for number, place, part, total in zip(numbers, channels, sums, totals, strict=True):
            offset = (number // group * out_width + place + channel) * 4
            kernel.store(part.get() * kernel.splat(total), kernel["out"], offset)
    kernel.end()
    return kernel


def _score(kernel: Kernel, keys: Value, queries: list[Value], scores: list[Value], head_dim: int) -> None:
    """The scores of a page's tokens, 0 to 31, for each query."""
    sums = [[kernel.variable(kernel.zeros(FLOATS)) for _ in range(PAGE // LANES)] for _ in queries]
    with kernel.loop(0, head_dim) as channel:
        tokens = [kernel.load(keys, HALVES, channel * (PAGE * 2) + 2 * at).to_floats() for at in range(0, PAGE, LANES)]
        for query, row in zip(queries, sums, strict=True):
            spread = kernel.splat(kernel.load(query, F32, channel * 4))
            for token, part in zip(tokens, row, strict=True):
                part.set(token.times_plus(spread, part.get()))
    for score, row in zip(scores, sums, strict=True):
        for at, part in enumerate(row):
            kernel.store(part.get() * (1 / math.sqrt(head_dim)), score, at * LANES * 4)


def _softmax(kernel: Kernel, scores: Value, length: Value, pages: Value) -> Value:
    """Make weights of the scores, 0 beyond `length`; they are not divided yet. Returns what to multiply them with."""
    never = kernel.constant(-math.inf, FLOATS)
    limit = kernel.splat(length.cut(I32))
    most = kernel.variable(never)
    with kernel.loop(0, pages * PAGE, LANES) as at:
        is_before = kernel.lanes() + kernel.splat(at.cut(I32)) < limit
        score = kernel.choose(is_before, kernel.load(scores, FLOATS, at * 4), never)
        kernel.store(score, scores, at * 4)
        most.set(most.get().max(score))
    highest = kernel.splat(most.get().largest())
    total = kernel.variable(kernel.zeros(FLOATS))
    with kernel.loop(0, pages * PAGE, LANES) as at:
        weight = exponential(kernel, kernel.load(scores, FLOATS, at * 4) - highest)
        kernel.store(weight, scores, at * 4)
        total.set(total.get() + weight)
    return kernel.constant(1.0, F32) / total.get().sum()
