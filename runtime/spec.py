"""A provider described as data: declared in its spec module, read by listings, plans and adapters.

Knows no config model, no adapter and no API: those are named as strings, and imported when a run config uses them.
Imports only the standard library, so that a hundred spec modules load in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal["inline", "remote"]
Proof = Literal["live", "wire", "unproven"]

INTERFACE = 1
"""The version of what providers are written against: `Spec`, `runtime.provider` and the Protocols of APIs. A spec
states the one that it was written for, and a newer one than this is refused. It is raised when something is added that
a provider could not do without.
"""


@dataclass(frozen=True)
class Evidence:
    """How a provider is tested. note: with what, or why not."""

    proof: Proof
    note: str = ""


@dataclass(frozen=True)
class ProviderOf:
    """Marks a field of a config model that names a provider of an API: the plan checks that the run config has it."""

    api: str


@dataclass(frozen=True)
class Moved:
    """An older setting of a provider that is elsewhere today. to: where, below `config`, with dots. in_list: whether it
    is one item of a list there.
    """

    to: str
    in_list: bool = False


@dataclass(frozen=True)
class NoEffect:
    """An older setting of a provider that changes nothing. why: for whoever still gives it."""

    why: str


@dataclass(frozen=True)
class Instead:
    """An older setting that cannot be understood any more. instead: the setting that its place is taken by; one that is
    given too makes the older one harmless. why, hint: what is said where it is not.
    """

    setting: str
    why: str
    hint: str


@dataclass(frozen=True)
class StandIn:
    """What answers in a provider's place in a replay. adapter: `module:Class`, as of a provider. packages: what it
    needs of the provider's own.
    """

    adapter: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One provider of one API.

    provider_type: `inline::name` or `remote::name`; the name is that of its file or folder, with dashes, also for `::`.
    summary: one line for listings. adapter, config: `module:Class`, relative to the spec's own module when it starts
    with a dot.
    packages: requirements beyond ours; ` --no-deps` after one leaves out its own requirements.
    stores, tables: the names of its stores, of keys and values or of tables; the run config places each of them in
    `storage.stores`. analytics: its tables of analytics that age, by name.
    needs, may_use: APIs that it can ask; without a provider for one in `needs`, the configuration is invalid.
    aliases: provider types of older configs. older: settings of older configs, by name, with dots for one below
    another, and what became of each. default: used when its API is mounted and the config has no provider of it;
    section: the section of the run config that is its `config` then. enabled_by: the environment variable that
    turns it on in a template; sample_config: its `config` there, with `${env.X}`.
    over_http: whether a remote one is asked with `context.http`, and not by a driver of its own.
    in_replay: what answers in its place in a replay, where nothing of it is recorded; by default, what its API says.
    key_env: the variable with its key, if the provider waits for a key in each request while that is missing.
    ships: the models whose weights its packages bring, by the names under which they are served. serves: the names
    of the resource of its API's kind that it has without being told; of several providers with one, it is the first
    one's that has its key.
    capabilities: what it can do beyond the minimum of its API. facts: data about a vendor for its adapter.
    evidence: how it is tested: `live`, `wire` or `unproven`.
    api, module: filled in by discovery; a spec from another package states its `api`. package: the requirement that
    brings it, filled in by discovery; empty for one of ours. interface: see `INTERFACE`.
    """

    provider_type: str
    summary: str
    adapter: str
    config: str | None = None
    packages: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    analytics: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    may_use: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    older: Mapping[str, Moved | NoEffect | Instead] = field(default_factory=dict)
    default: bool = False
    section: str = ""
    over_http: bool = True
    in_replay: StandIn | None = None
    enabled_by: str | None = None
    key_env: str | None = None
    sample_config: Mapping[str, Any] = field(default_factory=dict)
    ships: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    facts: Any = None
    evidence: Evidence = Evidence("unproven")
    api: str = ""
    module: str = ""
    package: str = ""
    interface: int = 1

    @property
    def kind(self) -> Kind:
        return "inline" if self.provider_type.startswith("inline::") else "remote"

    @property
    def name(self) -> str:
        """The part after `inline::` or `remote::`, a `::` inside it as a dash; also the usual provider id."""
        return self.provider_type.split("::", 1)[1].replace("::", "-")

    def found_in(self, api: str, module: str) -> Spec:
        return replace(self, api=api, module=module)


def inline(name: str, *, summary: str, adapter: str, config: str | None = None, **fields: Any) -> Spec:
    """A provider that runs in our process."""
    return Spec(provider_type=f"inline::{name}", summary=summary, adapter=adapter, config=config, **fields)


def builtin(*, summary: str, adapter: str, config: str | None = None, **fields: Any) -> Spec:
    """The provider that we are ourselves: used where a config names no other."""
    return inline("builtin", summary=summary, adapter=adapter, config=config, default=True, **fields)


def remote(name: str, *, summary: str, adapter: str, config: str | None = None, **fields: Any) -> Spec:
    """A provider that adapts a service outside our process."""
    return Spec(provider_type=f"remote::{name}", summary=summary, adapter=adapter, config=config, **fields)


def live(note: str) -> Evidence:
    """Tested with the real component."""
    return Evidence("live", note)


def wire(note: str) -> Evidence:
    """Tested with a local server in the shape of the real one."""
    return Evidence("wire", note)


def unproven(note: str) -> Evidence:
    """Not tested where the tests run."""
    return Evidence("unproven", note)
