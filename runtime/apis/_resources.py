"""A kind of resource, stated once by the API that registers it: configuration, planning, routing and messages read it
there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel

from runtime.apis._request import Registered, Response

RegistryAction = Literal["list", "get", "register", "check", "remove"]
"""What an operation does with the resources of its API; it is answered by the registry, not by a provider."""


@dataclass(frozen=True, kw_only=True)
class ConfiguredKind:
    """A kind of resource that run configs list below `registered_resources`.

    kind: in messages, error codes and keys of the store. served_by: the API whose providers own such resources.
    id_field: names one in requests and in the run config; the owner's own name is in `provider_<id_field>`.
    config_key: its list below `registered_resources`; older_keys: what older run configs call that list, there or at
    the top; at_top: whether newer ones have it at the top too. older_id_fields: what they call `id_field`. configured:
    the model of one entry there, or `module:Name` where plans and listings can do without it; `entry` is the model.
    """

    kind: str
    served_by: str
    id_field: str
    config_key: str
    configured: type[BaseModel] | str
    older_keys: tuple[str, ...] = ()
    at_top: bool = False
    older_id_fields: tuple[str, ...] = ()

    @cached_property
    def entry(self) -> type[BaseModel]:
        """The model of one entry of a run config, which is imported when it is asked for."""
        model: type[BaseModel] = _named(self.configured)
        return model

    @property
    def called(self) -> str:
        """What one is called in messages."""
        return self.kind.replace("_", " ")

    @property
    def provider_id_field(self) -> str:
        """The field with the owner's own name for one."""
        return f"provider_{self.id_field}"


@dataclass(frozen=True, kw_only=True)
class Resource(ConfiguredKind):
    """A kind that users register too, such as models: the stack has a table of them, by which the operations of
    `served_by` with a `key` are routed.

    answer: makes a resource in the API's own form, or `module:name` of what does. has_aliases: whether the command line
    may give other names for one. is_kept_by_owner: whether its provider keeps something of it, so that one is
    registered and forgotten only while that runs.
    """

    answer: Callable[[Registered], Response] | str
    has_aliases: bool = False
    is_kept_by_owner: bool = False

    def shown(self, registered: Registered) -> Response:
        """A resource as the API returns it, without its secrets."""
        return self._answer(registered.without_secrets())

    @cached_property
    def _answer(self) -> Callable[[Registered], Response]:
        make: Callable[[Registered], Response] = _named(self.answer)
        return make


def _named(given: Any) -> Any:
    """What `module:name` names; anything else as it is."""
    if not isinstance(given, str):
        return given
    module, _, name = given.partition(":")
    return getattr(importlib.import_module(module), name)
