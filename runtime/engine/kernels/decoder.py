"""The kernel of a whole step: all layers of a Llama decoder for the rows of a step, then logits of some of them.

Each of several threads calls the function with its number; they share out rows, panels of weights and heads, and meet
at barriers. Touvron et al. 2023 (LLaMA), section 2.2.

    embedding -> layers x (norm -> attention -> + ; norm -> gate -> +)        then: norm -> head

What differs from step to step lies in one table of 64-bit numbers (`Step`), what belongs to a layer in another one
(`Layer`). The model's shape is part of the code.
"""

from __future__ import annotations

from llvmlite import ir

from runtime.engine.kernels.attention import PAGE, add_attend
from runtime.engine.kernels.builder import F32, FLOATS, I32, I64, LANES, POINTER, Kernel, Value
from runtime.engine.kernels.compiled import YIELD
from runtime.engine.kernels.dot import Dot
from runtime.engine.kernels.functions import add_gate, add_norm, add_rotate, add_unpack_row
from runtime.engine.kernels.packing import COLUMNS
from runtime.engine.kernels.products import NOTE_BYTES, add_multiply, add_quantize
from runtime.engine.kernels.tables import Layer, Shape, Step

STEP, HEAD = "step", "head"
_SPINS = 2000
"""Looks at a barrier before a thread gives its CPU to others: whoever waits must not keep a neighbour from working."""


def decoder_module(shape: Shape, dot: Dot) -> ir.Module:
    """The module with `step(table, thread, threads)` and `head(table, thread, threads)`."""
    module = ir.Module("decoder")
    parts = _Parts(module, shape, dot)
    _add_step(parts)
    _add_head(parts)
    return module


class _Parts:
    def __init__(self, module: ir.Module, shape: Shape, dot: Dot) -> None:
        self.module, self.shape = module, shape
        self.quantize = add_quantize(module)
        self.multiply = {bits: add_multiply(module, dot, bits) for bits in (4, 8)}
        self.norm = add_norm(module, size=shape.hidden, eps=shape.eps)
        self.gate = add_gate(module, size=shape.ffn)
        self.rotate = add_rotate(module, head_dim=shape.head_dim)
        self.unpack_row = {bits: add_unpack_row(module, bits, columns=shape.hidden) for bits in (4, 8)}
        self.attend = add_attend(
            module,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            head_dim=shape.head_dim,
            row_width=shape.qkv,
            page_bytes=shape.page_bytes,
        )
        self.meet = _add_meet(module)


class _Step:
    """One of the two functions while it is written: the table's fields, and what threads share."""

    def __init__(self, parts: _Parts, name: str) -> None:
        self.parts, self.shape = parts, parts.shape
        self.kernel = Kernel(parts.module, name, table=POINTER, thread=I64, threads=I64)
        self.met = self.kernel.variable(self.kernel.number(0))
        thread = self.kernel["thread"]
        self.scratch = self.kernel.place(self.address(Step.SCRATCH), thread * self.number(Step.SCRATCH_BYTES))
        self.scores = self.kernel.place(self.address(Step.SCORES), thread * self.number(Step.SCORES_BYTES))

    def number(self, field: Step) -> Value:
        return self.kernel.load(self.kernel["table"], I64, int(field) * 8)

    def address(self, field: Step) -> Value:
        return self.kernel.load(self.kernel["table"], POINTER, int(field) * 8)

    def share(self, count: Value | int) -> tuple[Value, Value]:
        """This thread's part of so many things: from the first to before the second."""
        whole, thread, threads = self.kernel.constant(count, I64), self.kernel["thread"], self.kernel["threads"]
        return whole * thread // threads, whole * (thread + 1) // threads

    def meet(self) -> None:
        """Wait until all threads are here."""
        self.met.add(self.kernel["threads"])
        with self.kernel.when(self.kernel.number(1) < self.kernel["threads"]):
            self.kernel.call(self.parts.meet, self.address(Step.BARRIER), self.met.get())

    def quantize(self, x: Value, row: Value, columns: int) -> None:
        """Into the row's bytes and notes."""
        self.kernel.call(
            self.parts.quantize,
            x,
            self.kernel.place(self.address(Step.BYTES), row * columns),
            self.kernel.place(self.address(Step.NOTES), row * (columns // COLUMNS * NOTE_BYTES)),
            columns,
        )

    def norm(self, x: Value, weight: Value, row: Value) -> None:
        """x's norm, quantised as the row `row`."""
        self.kernel.call(self.parts.norm, x, weight, self.scratch)
        self.quantize(self.scratch, row, self.shape.hidden)

    def multiply(
        self,
        weights: Value,
        bits: Value,
        columns: int,
        outputs: int,
        rows: Value,
        out: Value,
        width: int,
        adds: int = 0,
    ) -> None:
        """This thread's panels of `rows` quantised rows times weights, into out: [rows, width] float32."""
        first, last = self.share(outputs // LANES)
        for count, multiply in self.parts.multiply.items():
            with self.kernel.when(bits.equals(count)):
                self.kernel.call(
                    multiply,
                    weights,
                    first,
                    last,
                    columns // COLUMNS,
                    self.address(Step.BYTES),
                    self.address(Step.NOTES),
                    rows,
                    out,
                    width,
                    adds,
                )


def _add_step(parts: _Parts) -> None:
    step = _Step(parts, STEP)
    kernel, shape = step.kernel, parts.shape
    rows, x, wide = step.number(Step.ROWS), step.address(Step.X), step.address(Step.WIDE)
    attended, hidden_bytes = step.address(Step.ATTENDED), shape.hidden * 4
    first, last = step.share(rows)
    with kernel.loop(first, last) as row:
        token = kernel.load(step.address(Step.TOKENS), I64, row * 8)
        for bits, unpack in parts.unpack_row.items():
            with kernel.when(step.number(Step.EMBEDDING_BITS).equals(bits)):
                kernel.call(unpack, step.address(Step.EMBEDDING), token, kernel.place(x, row * hidden_bytes))
    with kernel.loop(0, shape.layers) as number:
        layer = kernel.place(step.address(Step.LAYERS), number * (len(Layer) * 8))

        def field(place: Layer, kind: ir.Type = POINTER, layer: Value = layer) -> Value:
            return kernel.load(layer, kind, int(place) * 8)

        def matrix(place: Layer) -> tuple[Value, Value]:
            return field(place), field(Layer(place + 1), I64)

        with kernel.loop(first, last) as row:
            step.norm(kernel.place(x, row * hidden_bytes), field(Layer.ATTENTION_NORM), row)
        step.meet()
        at = 0
        for place, heads in ((Layer.Q, shape.heads), (Layer.K, shape.kv_heads), (Layer.V, shape.kv_heads)):
            outputs = heads * shape.head_dim
            step.multiply(*matrix(place), shape.hidden, outputs, rows, kernel.place(wide, at * 4), shape.qkv)
            at += outputs
        step.meet()
        with kernel.loop(first, last) as row:
            _keep(step, row, kernel.place(wide, row * (shape.qkv * 4)), field(Layer.KEYS), field(Layer.VALUES))
        step.meet()
        _attend(step, wide, attended, field(Layer.KEYS), field(Layer.VALUES))
        step.meet()
        inner = shape.heads * shape.head_dim
        with kernel.loop(first, last) as row:
            step.quantize(kernel.place(attended, row * (inner * 4)), row, inner)
        step.meet()
        step.multiply(*matrix(Layer.O), inner, shape.hidden, rows, x, shape.hidden, adds=1)
        step.meet()
        with kernel.loop(first, last) as row:
            step.norm(kernel.place(x, row * hidden_bytes), field(Layer.FFN_NORM), row)
        step.meet()
        step.multiply(*matrix(Layer.GATE), shape.hidden, shape.ffn, rows, wide, 2 * shape.ffn)
        up = kernel.place(wide, shape.ffn * 4)
        step.multiply(*matrix(Layer.UP), shape.hidden, shape.ffn, rows, up, 2 * shape.ffn)
        step.meet()
        with kernel.loop(first, last) as row:
            offset = row * (2 * shape.ffn * 4)
            kernel.call(parts.gate, kernel.place(wide, offset), kernel.place(up, offset), step.scratch)
            step.quantize(step.scratch, row, shape.ffn)
        step.meet()
        step.multiply(*matrix(Layer.DOWN), shape.ffn, shape.hidden, rows, x, shape.hidden, adds=1)
        step.meet()
    kernel.end()


def _add_head(parts: _Parts) -> None:
    head = _Step(parts, HEAD)
    kernel, shape = head.kernel, parts.shape
    count = head.number(Step.SELECTED_COUNT)
    first, last = head.share(count)
    with kernel.loop(first, last) as place:
        row = kernel.load(head.address(Step.SELECTED), I64, place * 8)
        head.norm(kernel.place(head.address(Step.X), row * (shape.hidden * 4)), head.address(Step.NORM), place)
    head.meet()
    width = shape.padded_vocab
    weights, bits = head.address(Step.HEAD), head.number(Step.HEAD_BITS)
    head.multiply(weights, bits, shape.hidden, width, count, head.address(Step.LOGITS), width)
    head.meet()
    kernel.end()


def _keep(step: _Step, row: Value, qkv: Value, keys: Value, values: Value) -> None:
    """Turn a row's queries and keys by its position, and write its keys and values to their page."""
    kernel, shape = step.kernel, step.shape
    dim = shape.head_dim
    angles = row * (dim // 2 * 4)
    cos, sin = (kernel.place(step.address(field), angles) for field in (Step.COS, Step.SIN))
    with kernel.loop(0, shape.heads + shape.kv_heads) as head:
        kernel.call(step.parts.rotate, kernel.place(qkv, head * (dim * 4)), cos, sin)
    slot = kernel.load(step.address(Step.SLOTS), I64, row * 8)
    page, place = slot // PAGE, slot % PAGE
    with kernel.loop(0, shape.kv_heads) as head:
        own = kernel.place(qkv, (head + shape.heads) * (dim * 4))
        start = page * shape.page_bytes + head * (dim * PAGE * 2)
        with kernel.loop(0, dim) as channel:
            half = kernel.load(own, F32, channel * 4).to_halves()
            kernel.store(half, kernel.place(keys, start), (channel * PAGE + place) * 2)
        with kernel.loop(0, dim, LANES) as channel:
            part = kernel.load(own, FLOATS, (channel + shape.kv_heads * dim) * 4).to_halves()
            kernel.store(part, kernel.place(values, start), (place * dim + channel) * 2)


def _attend(step: _Step, wide: Value, attended: Value, keys: Value, values: Value) -> None:
    kernel, shape = step.kernel, step.shape
    units = step.number(Step.TILE_COUNT) * shape.kv_heads
    with kernel.loop(kernel["thread"], units, kernel["threads"]) as unit:
        tile = kernel.place(step.address(Step.TILES), unit // shape.kv_heads * 32)
        row, count, start, table = (kernel.load(tile, I64, 8 * at) for at in range(4))
        kernel.call(
            step.parts.attend,
            kernel.place(wide, row * (shape.qkv * 4)),
            kernel.place(attended, row * (shape.heads * shape.head_dim * 4)),
            keys,
            values,
            kernel.place(step.address(Step.TABLES), table * 4),
            start,
            count,
            unit % shape.kv_heads,
            step.scores,
        )


def _add_meet(module: ir.Module) -> Kernel:
    """meet(counter, all): counts this thread, and waits until as many as `all` were counted since the step began."""
    gives_way = ir.Function(module, ir.FunctionType(I32, []), YIELD)
    kernel = Kernel(module, "meet", is_internal=True, counter=POINTER, all=I64)
    counter = kernel["counter"].raw
    kernel.at.atomic_rmw("add", kernel.at.bitcast(counter, I64.as_pointer()), I64(1), "acq_rel")
    spins = kernel.variable(kernel.number(0))
    with kernel.repeat_while() as waits:
        spins.add(1)
        with kernel.when(kernel.number(_SPINS) < spins.get()):
            kernel.at.call(gives_way, [])
        seen = Value(kernel, kernel.at.load_atomic(counter, "acquire", 8, typ=I64))
        waits.append(seen < kernel["all"])
    kernel.end()
    return kernel
