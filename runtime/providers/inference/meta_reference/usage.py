"""What a request took, for its answer: tokens in OpenAI's shape, and times in that of llama.cpp's server. Knows counts.

https://platform.openai.com/docs/api-reference/chat/object (`usage`) and
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`timings`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.engine.text.text_stream import TextOutput, Timing
from runtime.sse import Json


@dataclass(kw_only=True)
class Usage:
    """Tokens and times of one request. prompt_tokens: each prompt counts once. each: how many answers a prompt gets;
    those of the first prompt are the first choices. completion_tokens: so far, by choice.

    reasoning_tokens: those before the answer itself, by choice. ended: the times of the choices that have ended, where
    they are known.
    """

    prompt_tokens: int = 0
    each: int = 1
    completion_tokens: dict[int, int] = field(default_factory=dict)
    reasoning_tokens: dict[int, int] = field(default_factory=dict)
    ended: dict[int, Timing | None] = field(default_factory=dict)

    def add(self, choice: int, output: TextOutput) -> None:
        self.completion_tokens[choice] = output.completion_tokens
        if output.finish_reason is not None:
            self.ended[choice] = output.timing

    def facts(self) -> Json:
        """The members `usage` and, where times are known, `timings`, of an answer that has ended."""
        made: Json = {"usage": self.json()}
        if (timings := self.timings()) is not None:
            made["timings"] = timings
        return made

    def json(self) -> Json:
        written = self.written
        made: Json = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }
        if self.reasoning_tokens:
            made["completion_tokens_details"] = {"reasoning_tokens": sum(self.reasoning_tokens.values())}
        return made

    def timings(self) -> Json | None:
        """`timings` of llama.cpp's server; None where nothing was measured. Times are in ms, of the slowest answer.

        The first token of an answer comes with its prompt, so that `predicted_ms` and the rates are of those after it.
        """
        known = [timing for timing in self.ended.values() if timing is not None]
        if not known:
            return None
        cached, written = self.cached_tokens, self.written
        prompt_ms = max(timing.prompt_s for timing in known) * 1000
        rest_ms = max(timing.rest_s for timing in known) * 1000
        return {
            "cache_n": cached,
            **_pace("prompt", self.prompt_tokens - cached, self.prompt_tokens - cached, prompt_ms),
            **_pace("predicted", written, max(0, written - len(known)), rest_ms),
            "queue_ms": round(max(timing.waited_s for timing in known) * 1000, 3),
        }

    @property
    def written(self) -> int:
        """The tokens of all choices."""
        return sum(self.completion_tokens.values())

    @property
    def cached_tokens(self) -> int:
        """Of every prompt, as found by the answer that began it: those after it find what this one has computed."""
        least: dict[int, int] = {}
        for choice, timing in self.ended.items():
            prompt, found = choice // self.each, timing.cached_tokens if timing else 0
            least[prompt] = min(found, least.get(prompt, found))
        return sum(least.values())


def _pace(name: str, count: int, timed: int, ms: float) -> Json:
    """count: of tokens. timed: how many of them took the `ms`."""
    return {
        f"{name}_n": count,
        f"{name}_ms": round(ms, 3),
        f"{name}_per_token_ms": round(ms / timed, 3) if timed else 0.0,
        f"{name}_per_second": round(1000 * timed / ms, 3) if ms else 0.0,
    }
