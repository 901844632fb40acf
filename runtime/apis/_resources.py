"""A kind of resource, stated once by the API that registers it: configuration, planning, routing and messages read it
there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from runtime.apis._request import Registered, Response

RegistryAction = Literal["list", "get", "register", "remove"]
"""What an operation does with the resources of its API; it is answered by the registry, not by a provider."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A kind of resource that the run config and users register, such as models.

    kind: in messages, error codes and keys of the store. served_by: the API whose providers own such resources; its
    operations with a `key` are routed by them. id_field: names one in requests and in the run config; the owner's own
    name is in `provider_<id_field>`.
    config_key: its list below `registered_resources` of the run config; older_keys: what older run configs call that
    list, there or at the top. older_id_fields: what they call `id_field`.
    configured: the model of one entry there. shown: a resource as the API returns it.
    has_aliases: whether the command line may give other names for one.
    """

    kind: str
    served_by: str
    id_field: str
    config_key: str
    configured: type[BaseModel]
    shown: Callable[[Registered], Response]
    older_keys: tuple[str, ...] = ()
    older_id_fields: tuple[str, ...] = ()
    has_aliases: bool = False

    @property
    def provider_id_field(self) -> str:
        """The field with the owner's own name for one."""
        return f"provider_{self.id_field}"
