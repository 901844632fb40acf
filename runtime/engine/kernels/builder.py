"""Writes functions of vectors in LLVM's language: values with Python's operators, loops and branches as `with` blocks.

    kernel = Kernel(module, "scale", x=POINTER, factor=F32, count=I64)
    with kernel.loop(0, kernel["count"], 16) as at:
        kernel.store(kernel.load(kernel["x"], FLOATS, at * 4) * kernel.splat(kernel["factor"]), kernel["x"], at * 4)
    kernel.end()

Vectors are as wide as the widest registers that we know, 512 bits; LLVM splits them where registers are narrower. The
language: https://llvm.org/docs/LangRef.html. Knows no models; compiling is `compiled.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
F16, F32 = ir.HalfType(), ir.FloatType()
POINTER = ir.PointerType()
LANES = 16
FLOATS, INTS, HALVES = (ir.VectorType(kind, LANES) for kind in (F32, I32, F16))
BYTES = ir.VectorType(I8, 64)

Number = int | float


class Value:
    """A value of a kernel: a number, a vector or an address. Integers are signed unless a method says otherwise."""

    __slots__ = ("kernel", "raw")

    def __init__(self, kernel: Kernel, raw: ir.Value) -> None:
        self.kernel, self.raw = kernel, raw

    @property
    def type(self) -> ir.Type:
        return self.raw.type

    def _with(self, other: Value | Number, of_ints: str, of_floats: str | None = None) -> Value:
        right = self.kernel.constant(other, self.type)
        name = of_floats if of_floats is not None and _is_float(self.type) else of_ints
        return Value(self.kernel, getattr(self.kernel.at, name)(self.raw, right.raw))

    def __add__(self, other: Value | Number) -> Value:
        return self._with(other, "add", "fadd")

    def __sub__(self, other: Value | Number) -> Value:
        return self._with(other, "sub", "fsub")

    def __mul__(self, other: Value | Number) -> Value:
        return self._with(other, "mul", "fmul")

    def __truediv__(self, other: Value | Number) -> Value:
        return self._with(other, "sdiv", "fdiv")

    def __floordiv__(self, other: Value | Number) -> Value:
        """Of numbers that are not negative."""
        return self._with(other, "udiv")

    def __mod__(self, other: Value | Number) -> Value:
        """Of numbers that are not negative."""
        return self._with(other, "urem")

    def __and__(self, other: Value | Number) -> Value:
        return self._with(other, "and_")

    def __or__(self, other: Value | Number) -> Value:
        return self._with(other, "or_")

    def __xor__(self, other: Value | Number) -> Value:
        return self._with(other, "xor")

    def __lshift__(self, other: Value | Number) -> Value:
        return self._with(other, "shl")

    def __rshift__(self, other: Value | Number) -> Value:
        """Zeros come in from the left."""
        return self._with(other, "lshr")

    def __lt__(self, other: Value | Number) -> Value:
        return self._compared("<", other)

    def equals(self, other: Value | Number) -> Value:
        return self._compared("==", other)

    def _compared(self, how: str, other: Value | Number) -> Value:
        right = self.kernel.constant(other, self.type)
        compare = self.kernel.at.fcmp_ordered if _is_float(self.type) else self.kernel.at.icmp_signed
        return Value(self.kernel, compare(how, self.raw, right.raw))

    def to_floats(self) -> Value:
        """From integers, or from shorter floats. The same count."""
        target = _like(self.type, F32)
        convert = self.kernel.at.fpext if _is_float(self.type) else self.kernel.at.sitofp
        return Value(self.kernel, convert(self.raw, target))

    def to_halves(self) -> Value:
        return Value(self.kernel, self.kernel.at.fptrunc(self.raw, _like(self.type, F16)))

    def to_ints(self) -> Value:
        """From whole floats."""
        return Value(self.kernel, self.kernel.at.fptosi(self.raw, _like(self.type, I32)))

    def cut(self, element: ir.Type) -> Value:
        """The lowest bits of each integer."""
        return Value(self.kernel, self.kernel.at.trunc(self.raw, _like(self.type, element)))

    def wide(self, element: ir.Type = I64, *, signed: bool = True) -> Value:
        """Each integer with more bits."""
        extend = self.kernel.at.sext if signed else self.kernel.at.zext
        return Value(self.kernel, extend(self.raw, _like(self.type, element)))

    def seen_as(self, type: ir.Type) -> Value:
        """The same bits as another type."""
        return Value(self.kernel, self.kernel.at.bitcast(self.raw, type))

    def part(self, places: Sequence[int]) -> Value:
        """A vector of these elements of this one."""
        mask = ir.Constant(ir.VectorType(I32, len(places)), [I32(place) for place in places])
        return Value(self.kernel, self.kernel.at.shuffle_vector(self.raw, ir.Constant(self.type, ir.Undefined), mask))

    def sum(self) -> Value:
        """Of the elements of a vector."""
        if _is_float(self.type):
            return self.kernel.call_intrinsic("llvm.vector.reduce.fadd", F32, [0.0, self], flags=("reassoc",))
        return self.kernel.call_intrinsic("llvm.vector.reduce.add", self.type.element, [self])

    def largest(self) -> Value:
        return self.kernel.call_intrinsic("llvm.vector.reduce.fmax", F32, [self])

    def times_plus(self, factor: Value, summand: Value) -> Value:
        """self * factor + summand, rounded once."""
        return self.kernel.call_intrinsic("llvm.fma", self.type, [self, factor, summand])

    def max(self, other: Value) -> Value:
        return self.kernel.call_intrinsic("llvm.maxnum", self.type, [self, other])

    def magnitude(self) -> Value:
        return self.kernel.call_intrinsic("llvm.fabs", self.type, [self])

    def rounded(self) -> Value:
        """To the nearest whole number, halves to the even one."""
        return self.kernel.call_intrinsic("llvm.rint", self.type, [self])

    def root(self) -> Value:
        return self.kernel.call_intrinsic("llvm.sqrt", self.type, [self])


class Variable:
    """A place for a value that changes; it becomes a register."""

    def __init__(self, kernel: Kernel, start: Value) -> None:
        with kernel.at.goto_entry_block():
            self._place = kernel.at.alloca(start.type)
        self._kernel, self._type = kernel, start.type
        self.set(start)

    def get(self) -> Value:
        return Value(self._kernel, self._kernel.at.load(self._place, typ=self._type))

    def set(self, value: Value) -> None:
        self._kernel.at.store(value.raw, self._place)

    def add(self, value: Value | Number) -> None:
        self.set(self.get() + value)


class Kernel:
    """A function under construction, without a result. `kernel[name]`: a parameter."""

    def __init__(self, module: ir.Module, name: str, *, is_internal: bool = False, **parameters: ir.Type) -> None:
        self.module = module
        self.function = ir.Function(module, ir.FunctionType(ir.VoidType(), list(parameters.values())), name)
        if is_internal:
            self.function.linkage = "internal"
            self.function.attributes.add("noinline")
        self._values = dict(zip(parameters, (Value(self, raw) for raw in self.function.args), strict=True))
        self.at = ir.IRBuilder(self.function.append_basic_block("entry"))

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def end(self) -> None:
        self.at.ret_void()

    def constant(self, value: Value | Number, type: ir.Type) -> Value:
        """A number as a value of this type, in each lane of a vector; a value stays as it is."""
        if isinstance(value, Value):
            return value
        if isinstance(type, ir.VectorType):
            return Value(self, ir.Constant(type, [ir.Constant(type.element, value)] * type.count))
        return Value(self, ir.Constant(type, value))

    def number(self, value: int) -> Value:
        return self.constant(value, I64)

    def zeros(self, type: ir.Type) -> Value:
        return Value(self, ir.Constant(type, None))

    def splat(self, value: Value, count: int = LANES) -> Value:
        """The value in each lane."""
        kind = ir.VectorType(value.type, count)
        one = self.at.insert_element(ir.Constant(kind, ir.Undefined), value.raw, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, count), [I32(0)] * count)
        return Value(self, self.at.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros))

    def joined(self, first: Value, second: Value) -> Value:
        """The elements of both, in this order."""
        count = 2 * first.type.count
        mask = ir.Constant(ir.VectorType(I32, count), [I32(place) for place in range(count)])
        return Value(self, self.at.shuffle_vector(first.raw, second.raw, mask))

    def lanes(self) -> Value:
        """0, 1, 2 ... in the lanes."""
        return Value(self, ir.Constant(INTS, [I32(place) for place in range(LANES)]))

    def variable(self, start: Value) -> Variable:
        return Variable(self, start)

    def choose(self, condition: Value, one: Value, other: Value) -> Value:
        return Value(self, self.at.select(condition.raw, one.raw, other.raw))

    def place(self, address: Value, offset: Value | int = 0) -> Value:
        """The address so many bytes further on."""
        return Value(self, self.at.gep(address.raw, [self.constant(offset, I64).raw], source_etype=I8))

    def load(self, address: Value, type: ir.Type, offset: Value | int = 0) -> Value:
        """offset: in bytes."""
        return Value(
            self, self.at.load(self.place(address, offset).raw, typ=type, align=1 if _is_vector(type) else None)
        )

    def store(self, value: Value, address: Value, offset: Value | int = 0) -> None:
        """offset: in bytes."""
        self.at.store(value.raw, self.place(address, offset).raw, align=1 if _is_vector(value.type) else None)

    def call(self, kernel: Kernel, *arguments: Value | int) -> None:
        types = kernel.function.function_type.args
        values = [self.constant(given, type).raw for given, type in zip(arguments, types, strict=True)]
        self.at.call(kernel.function, values)

    def call_intrinsic(
        self, name: str, result: ir.Type, arguments: Sequence[Value | Number], flags: Sequence[str] = ()
    ) -> Value:
        """One of LLVM's own functions. Those for several types get the type of the last argument in their name."""
        values = [self.constant(given, F32) for given in arguments]
        overloaded = name if name.startswith(("llvm.x86", "llvm.aarch64")) else f"{name}.{_short(values[-1].type)}"
        function = self.module.globals.get(overloaded)
        if function is None:
            kind = ir.FunctionType(result, [value.type for value in values])
            function = ir.Function(self.module, kind, overloaded)
        return Value(self, self.at.call(function, [value.raw for value in values], fastmath=flags))

    @contextmanager
    def loop(self, start: Value | int, stop: Value | int, step: Value | int = 1) -> Iterator[Value]:
        """The block for each number from `start` on that is below `stop`."""
        first, last = self.constant(start, I64), self.constant(stop, I64)
        counter = self.variable(first)
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        self.at.branch(head)
        self.at.position_at_end(head)
        self.at.cbranch((counter.get() < last).raw, body, after)
        self.at.position_at_end(body)
        yield counter.get()
        counter.add(step)
        self.at.branch(head)
        self.at.position_at_end(after)

    @contextmanager
    def repeat_while(self) -> Iterator[list[Value]]:
        """The block again and again, as long as the condition that it appends to the list holds."""
        again, after = (self.function.append_basic_block(name) for name in ("again", "after"))
        condition: list[Value] = []
        self.at.branch(again)
        self.at.position_at_end(again)
        yield condition
        self.at.cbranch(condition[0].raw, again, after)
        self.at.position_at_end(after)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """The block where the condition holds."""
        with self.at.if_then(condition.raw):
            yield


def _is_vector(type: ir.Type) -> bool:
    return isinstance(type, ir.VectorType)


def _is_float(type: ir.Type) -> bool:
    return isinstance(type.element if _is_vector(type) else type, ir.HalfType | ir.FloatType)


def _like(type: ir.Type, element: ir.Type) -> ir.Type:
    return ir.VectorType(element, type.count) if _is_vector(type) else element


def _short(type: ir.Type) -> str:
    """A type's name in those of LLVM's functions."""
    if _is_vector(type):
        return f"v{type.count}{_short(type.element)}"
    if isinstance(type, ir.HalfType):
        return "f16"
    return "f32" if isinstance(type, ir.FloatType) else f"i{type.width}"
