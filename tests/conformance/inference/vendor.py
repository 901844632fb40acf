"""A vendor as its documentation describes it, for a local server that stands in for it.

`vendors/<provider>.py` has `VENDOR`, written from the vendor's documentation and not from our data about it: the two
are held against each other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.inference.wire import KEY
from runtime.conformance.upstream import Upstream
from runtime.spec import Spec

CAPABILITIES = frozenset({"chat", "completions", "embeddings", "rerank", "tools", "json_object", "json_schema"})
"""What a spec claims by these names."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """make: its server. has: what it can do, `CAPABILITIES` and the suite's other abilities. config: what the provider
    needs in its config besides address and key. registered: kinds of models, such as `rerank`, that its list leaves
    out, so that the user registers one. key: the key that the server accepts. addresses: more settings with an address,
    which is the server's own, without its root. token: what the key is exchanged for, where it is.
    passes_unknown_fields: whether it takes fields that nobody knows.
    """

    make: Callable[[], Upstream] = Upstream
    has: frozenset[str] = OPENAI
    config: Mapping[str, Any] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()
    key: str = KEY
    addresses: tuple[str, ...] = ()
    token: str | None = None
    passes_unknown_fields: bool = True

    def settings(self, upstream: Upstream) -> dict[str, Any]:
        """The provider's config in front of a server."""
        origin = upstream.url.removesuffix(upstream.habits.root)
        return {"base_url": upstream.url, "api_key": self.key, **dict.fromkeys(self.addresses, origin), **self.config}


def vendor_of(spec: Spec) -> Vendor:
    """The vendor behind a provider; OpenAI's own server where no file says otherwise."""
    module = f"{__package__}.vendors.{spec.module.rpartition('.')[2]}"
    found: Vendor = importlib.import_module(module).VENDOR if find_spec(module) else Vendor()
    return found
