"""A provider's facts as data: what a spec module states and what listings, plans and adapters read.

Knows no config model, no adapter and no API: those are named as strings and imported when a run config asks for them.
Imports nothing but the standard library, so that a hundred spec modules are read in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal["inline", "remote"]
Evidence = Literal["live", "recorded", "wire", "unproven"]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One provider of one API.

    provider_type: `inline::name` or `remote::name`; the name is that of its file or folder, with dashes.
    summary: one line for listings. adapter, config: `module:Class`, relative to the spec's own module when it starts
    with a dot.
    packages: requirements it needs beyond ours; ` --no-deps` after one keeps what it asks for out.
    stores: names of what it keeps as keys and values; the run config places each by its name in `storage.stores`.
    needs, may_use: APIs it is given in its constructor; a missing `needs` is a configuration problem.
    aliases: provider types of older configs. default: planned when its API is mounted and the config names none.
    enabled_by: the environment variable that turns it on in a template; sample_config: its `config` there, with
    `${env.X}`.
    key_env: the variable that holds its key, where a missing key leaves it waiting for one per request.
    capabilities: what it declares it can do beyond its API's least. facts: an adapter's own data about a vendor.
    evidence: how it is proven; evidence_note: with what.
    api, module: filled in by discovery.
    """

    provider_type: str
    summary: str
    adapter: str
    config: str | None = None
    packages: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    may_use: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    default: bool = False
    enabled_by: str | None = None
    key_env: str | None = None
    sample_config: Mapping[str, Any] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    facts: Any = None
    evidence: Evidence = "unproven"
    evidence_note: str = ""
    api: str = ""
    module: str = ""

    @property
    def kind(self) -> Kind:
        return "inline" if self.provider_type.startswith("inline::") else "remote"

    @property
    def name(self) -> str:
        """The part after `inline::` or `remote::`, which is also the usual provider id."""
        return self.provider_type.split("::", 1)[1]

    def found_in(self, api: str, module: str) -> Spec:
        return replace(self, api=api, module=module)


def inline(name: str, *, summary: str, adapter: str, config: str | None = None, **facts: Any) -> Spec:
    """A provider that runs in our process."""
    return Spec(provider_type=f"inline::{name}", summary=summary, adapter=adapter, config=config, **facts)


def remote(name: str, *, summary: str, adapter: str, config: str | None = None, **facts: Any) -> Spec:
    """A provider that adapts a service elsewhere."""
    return Spec(provider_type=f"remote::{name}", summary=summary, adapter=adapter, config=config, **facts)
