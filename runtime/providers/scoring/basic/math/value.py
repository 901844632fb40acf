"""What an expression in LaTeX comes to, so that `0.5`, `1/2` and `\\frac12` are the same, and `x(x+1)` is `x^2+x`.

Numbers, letters, `+ - * / ^`, fractions, roots, brackets, the usual functions; no equations and no units. A letter is a
number that only depends on its name, so that two expressions with the same letters are the same where their values are,
at three such places: by chance alone, two polynomials would be so once in many billions (R. Zippel 1979, J. Schwartz
1980). Rational numbers are exact.
"""

from __future__ import annotations

import cmath
import math
import random
import re
from collections.abc import Callable
from fractions import Fraction

Number = Fraction | float | complex
_SYMBOL = re.compile(r"\\[a-zA-Z]+|\\.|\d+\.\d*|\d+|\S")
_MOST_SYMBOLS, _DEEPEST, _MOST_DIGITS, _MOST_EXACT_BITS = 400, 40, 60, 20_000
_PLACES = 3
_CLOSE = 1e-9
_CONSTANTS: dict[str, Number] = {"\\pi": math.pi, "\u03c0": math.pi, "e": math.e, "i": 1j}
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "\\sin": cmath.sin, "\\cos": cmath.cos, "\\tan": cmath.tan, "\\arcsin": cmath.asin, "\\arccos": cmath.acos,
    "\\arctan": cmath.atan, "\\ln": cmath.log, "\\log": cmath.log10, "\\exp": cmath.exp,
}  # fmt: skip
_LETTERS = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|rho|sigma|tau|phi|psi|omega)|[^\W\d_]", re.ASCII
)


class NoValue(Exception):
    """What is no expression, or has no value."""


def same_value(one: str, other: str) -> bool:
    """Whether two expressions come to the same."""
    try:
        return all(_is_same(value_of(one, place), value_of(other, place)) for place in range(_PLACES))
    except (NoValue, OverflowError):
        return False


def value_of(text: str, place: int = 0) -> Number:
    """The value where letters have those of this place. Raises NoValue."""
    symbols = _SYMBOL.findall(text)
    if not symbols or len(symbols) > _MOST_SYMBOLS or any(len(symbol) > _MOST_DIGITS for symbol in symbols):
        raise NoValue
    reader = _Reader(symbols, place)
    try:
        value = reader.sum()
        if reader.symbol:
            raise NoValue
        return value
    except (ArithmeticError, ValueError, TypeError):
        raise NoValue from None


def _is_same(one: Number, other: Number) -> bool:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    return cmath.isclose(complex(one), complex(other), rel_tol=_CLOSE, abs_tol=1e-12)


class _Reader:
    """Reads symbols by descent, and computes as it goes. Raises NoValue for what it cannot read."""

    def __init__(self, symbols: list[str], place: int) -> None:
        self._symbols, self._at, self._depth, self._place = symbols, 0, 0, place

    @property
    def symbol(self) -> str:
        return self._symbols[self._at] if self._at < len(self._symbols) else ""

    def _take(self, *wanted: str) -> str:
        """The next symbol, if it is one of these; nothing elsewhere."""
        if self.symbol and self.symbol in wanted:
            self._at += 1
            return self._symbols[self._at - 1]
        return ""

    def sum(self) -> Number:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NoValue
        value = self._product()
        while sign := self._take("+", "-"):
            term = self._product()
            value = value + term if sign == "+" else value - term
        self._depth -= 1
        return value

    def _product(self) -> Number:
        sign = 1
        while found := self._take("+", "-"):
            sign = -sign if found == "-" else sign
        is_whole = self.symbol.isdecimal()
        value = self._power()
        while True:
            if self._take("*"):
                value = value * self._power()
            elif self._take("/"):
                value = value / self._power()
            elif is_whole and self.symbol == "\\frac":
                part = self._power()  # a mixed number: `3\frac12` is three and a half
                is_plain = isinstance(value, Fraction) and isinstance(part, Fraction) and 0 < part < 1
                value = value + part if is_plain else value * part
            elif self.symbol and (self.symbol.isalnum() or self.symbol in "({" or self.symbol.startswith("\\")):
                value = value * self._power()
            else:
                return sign * value
            is_whole = False

    def _power(self) -> Number:
        base = self._atom()
        if not self._take("^"):
            return base
        sign = -1 if self._take("-") else 1
        return _raised(base, sign * self._argument())

    def _argument(self) -> Number:
        """What a command or a power is of: a group, or one character."""
        symbol = self.symbol
        if symbol.isdecimal() and len(symbol) > 1:
            self._symbols[self._at] = symbol[1:]
            return Fraction(symbol[0])
        return self._atom()

    def _atom(self) -> Number:
        symbol = self.symbol
        self._at += 1
        if symbol[:1].isdecimal():
            return Fraction(symbol)
        if symbol in ("(", "{"):
            value = self.sum()
            if not self._take(")" if symbol == "(" else "}"):
                raise NoValue
            return value
        if symbol == "\\frac":
            above = self._argument()
            return above / self._argument()
        if symbol == "\\sqrt":
            return self._root()
        if symbol in _FUNCTIONS:
            return self._function(symbol)
        if symbol in _CONSTANTS:
            return _CONSTANTS[symbol]
        if _LETTERS.fullmatch(symbol):
            return self._letter(symbol)
        raise NoValue

    def _root(self) -> Number:
        degree: Number = Fraction(2)
        if self._take("["):
            degree = self.sum()
            if not self._take("]"):
                raise NoValue
        return _raised(self._argument(), 1 / degree)

    def _function(self, name: str) -> Number:
        base = self._argument() if self._take("_") else None
        exponent = self._argument() if self._take("^") else Fraction(1)
        value: Number = _FUNCTIONS[name](complex(self._power()))
        if base is not None:
            value = value / _FUNCTIONS[name](complex(base))
        return _raised(value, exponent)

    def _letter(self, name: str) -> Number:
        if self._take("_"):
            if not self.symbol.isalnum():
                raise NoValue
            name = f"{name}_{self.symbol}"
            self._at += 1
        return Fraction(random.Random(f"{name} {self._place}").randint(10**6, 10**7), 999_983)  # noqa: S311  # no secret


def _raised(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(exponent) <= _MOST_EXACT_BITS:
            return base ** int(exponent)
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent == Fraction(1, 2) and base >= 0:
        above, below = math.isqrt(base.numerator), math.isqrt(base.denominator)
        if above**2 == base.numerator and below**2 == base.denominator:
            return Fraction(above, below)
    found = complex(base) ** complex(exponent)
    return found.real if found.imag == 0 else found
