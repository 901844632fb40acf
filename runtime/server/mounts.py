"""Converts a route's path to Litestar's syntax, and Litestar's parameters back to the fields of the request.

In Litestar a parameter is a whole segment, and `path` only the last one; `{model}:generate` is not possible. So a
segment with text beside its field becomes one parameter, and is split here. That way several operations may share one
path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

_FIELD = re.compile(r"{(\w+)(:path)?}")
_KIND = re.compile(":(str|path)}")
_PARAMETER = re.compile(r"{p\d+:(str|path)}")
_KIND_OF = {"str": "[^/]+", "path": ".+"}
_SLASHES = re.compile("/+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """Where an operation is mounted. path: in Litestar's syntax, with the parameters `p0`, `p1` ... segments: for each
    parameter the name of its field, or a pattern that finds fields in it.
    """

    path: str
    segments: tuple[str | re.Pattern[str], ...]

    @property
    def template(self) -> str:
        """The path as Litestar tells it with a request. Two paths of one template are one to it."""
        return _KIND.sub("}", self.path)

    @property
    def is_exact(self) -> bool:
        """Whether every path that Litestar matches is really one of this operation."""
        return all(isinstance(segment, str) for segment in self.segments)

    @property
    def pattern(self) -> str:
        """A regular expression for the paths that it takes, as they are sent without needless slashes."""
        found = [(part, _PARAMETER.fullmatch(part)) for part in self._parts]
        return "/".join(_KIND_OF[parameter[1]] if parameter else re.escape(part) for part, parameter in found)

    def parameters(self, path: str) -> dict[str, str]:
        """Litestar's parameters of a path that the pattern takes."""
        parts = self._parts
        sent = path.split("/", len(parts) - 1)
        named = (_PARAMETER.fullmatch(part) for part in parts)
        values = [
            f"/{value}" if found[1] == "path" else value for found, value in zip(named, sent, strict=True) if found
        ]
        return {f"p{place}": value for place, value in enumerate(values)}

    @property
    def _parts(self) -> list[str]:
        return self.path.split("/")

    def fields(self, values: Mapping[str, str]) -> dict[str, str] | None:
        """The fields in a path, from Litestar's parameters; None if the path belongs to another operation."""
        found: dict[str, str] = {}
        for place, segment in enumerate(self.segments):
            value = values[f"p{place}"]
            if isinstance(segment, str):
                found[segment] = value
            elif match := segment.fullmatch(value):
                found.update(match.groupdict())
            else:
                return None
        return found


@cache
def mount(path: str) -> Mount:
    """The mount of a route's path. Raises ValueError for a `path` field that is not last."""
    parts: list[str] = []
    segments: list[str | re.Pattern[str]] = []
    for part in path.split("/"):
        fields = _FIELD.findall(part)
        if not fields:
            parts.append(part)
            continue
        is_path = any(kind for _, kind in fields)
        if is_path and not path.endswith(part):
            raise ValueError(f"`{path}`: a field that may contain slashes must be last")
        parts.append(f"{{p{len(segments)}:{'path' if is_path else 'str'}}}")
        segments.append(fields[0][0] if _FIELD.fullmatch(part) else _pattern(part))
    return Mount(path="/".join(parts), segments=tuple(segments))


def _pattern(part: str) -> re.Pattern[str]:
    made, end = "", 0
    for field in _FIELD.finditer(part):
        made += re.escape(part[end : field.start()]) + f"(?P<{field[1]}>{'.+' if field[2] else '[^/]+'})"
        end = field.end()
    return re.compile(made + re.escape(part[end:]), re.DOTALL)


def as_sent(values: Mapping[str, str], raw_path: bytes) -> Mapping[str, str]:
    """Litestar's parameters with repeated slashes restored. Litestar reduces several slashes to one, but some model
    names contain an absolute path (`vllm//srv/models/llama`).
    """
    for name, value in values.items():
        if value.startswith("/"):  # a `path` parameter, which is the last one
            sent = unquote(raw_path.decode("latin-1")).rstrip("/")
            if "//" in sent:
                value = sent[[run.start() for run in _SLASHES.finditer(sent)][-value.count("/")] :]
            return {**values, name: value.removeprefix("/")}
    return values
