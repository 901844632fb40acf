"""The engine's budgets on a CPU: what a ratio must be, and what we are after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.bench import measure
from scripts.bench.engine.cpu import has_bf16


@dataclass(frozen=True, kw_only=True)
class Budget:
    """what: the row, and of whom the ratio is. must, goal: least ratios; greatest ones where `is_bound`."""

    what: str
    must: float
    goal: float
    is_bound: bool = False

    def verdict(self, ratios: Sequence[float]) -> str:
        """Of the median over the rounds: `goal`, `yes` where it holds, else `no`."""
        found = measure.median(ratios)
        sign = -1 if self.is_bound else 1
        if sign * found >= sign * self.goal:
            return "goal"
        return "yes" if sign * found >= sign * self.must else "no"

    def limits(self) -> tuple[str, str]:
        """`must` and `goal` in words."""
        sign = "<=" if self.is_bound else ">="
        return f"{sign} {self.must:g}", f"{sign} {self.goal:g}"


DECODE_LLAMA_CPP = Budget(what="decode, 1 stream / llama.cpp's server", must=0.8, goal=1.0)
DECODE_IK = Budget(what="decode, 1 stream / ik_llama.cpp", must=0.9, goal=1.2)
DECODE_16_LLAMA_CPP = Budget(what="decode, 16 streams / llama.cpp's server", must=1.0, goal=1.4)
DECODE_8_LLAMA_CPP = Budget(what="decode, 8 streams / llama.cpp's server", must=0.9, goal=1.2)
PREFILL_LLAMA_CPP = Budget(what="prefill / llama.cpp's server", must=1.5 if has_bf16() else 0.8, goal=2.0)
PREFILL_IK = Budget(what="prefill / ik_llama.cpp", must=1.2, goal=1.5)
FIRST_TOKEN = Budget(what="llama.cpp's / our time to first token, short prompt", must=0.8, goal=1.0)
FIRST_TOKEN_AGAIN = Budget(what="llama.cpp's / our time to first token, same long prompt again", must=0.8, goal=1.0)
MEMORY = Budget(what="llama.cpp's / our memory", must=0.5, goal=0.7)
START = Budget(what="llama.cpp's / our start to first token", must=0.25, goal=0.5)
DECODE_TRANSFORMERS = Budget(what="decode, 1 stream / transformers", must=4, goal=6)
DECODE_16_TRANSFORMERS = Budget(what="decode, 16 streams / transformers", must=1.8, goal=2.5)
PREFILL_TRANSFORMERS = Budget(what="prefill / transformers", must=0.95, goal=1.1)
SCHEMA = Budget(what="decode with a JSON Schema / without", must=0.95, goal=0.98)
NEARNESS_LLAMA_CPP = Budget(what="llama.cpp's / our KL to dequantised float32", must=0.67, goal=1.0)
NEARNESS_IK = Budget(what="ik_llama.cpp's / our KL to dequantised float32", must=0.67, goal=1.0)
GAP = Budget(what="longest gap while 2,000 tokens are prefilled, in chunk times", must=1.5, goal=1.2, is_bound=True)
SERVER = Budget(what="our server's decode, 16 streams / our engine's", must=0.9, goal=0.97)
