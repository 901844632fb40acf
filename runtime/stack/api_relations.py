"""How APIs are related: which one registers the resources of another, and which may have several providers. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.apis._api import Api


def registry_of(name: str, apis: Mapping[str, Api]) -> Api | None:
    """The API that registers the resources of this API's providers: `models` for `inference`."""
    return next((api for api in apis.values() if api.resource is not None and api.resource.served_by == name), None)


def has_several(name: str, apis: Mapping[str, Api]) -> bool:
    """Whether an API may have more than one provider: then its requests name a resource that one of them owns, or the
    provider itself.
    """
    return registry_of(name, apis) is not None or apis[name].chooses_by_request


def is_registry(api: Api) -> bool:
    """Whether an API registers what another's providers own: the registry answers its operations, so that it needs no
    provider.
    """
    return api.resource is not None and api.resource.served_by != api.name
