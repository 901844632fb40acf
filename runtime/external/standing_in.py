"""Specs in place of providers that are not there: broken or refused ones, and those that a build has not fetched yet.

With them, everything else goes on: a run config is planned, its other providers run, and health gives the reason.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from runtime.apis._api import Api
from runtime.errors import Unavailable
from runtime.redaction import redact_text
from runtime.spec import Spec

if TYPE_CHECKING:
    from runtime.external.folders import DescribedProvider  # its models take a while, and few run configs name any

_ANY_CONFIG = "runtime.config.provider_settings:AnyConfig"
_PROVIDER_TYPE = re.compile(r"(inline|remote)::[\w.:-]+")
_REFUSED = f"{__name__}:Refused"


def is_type(provider_type: str) -> bool:
    """Whether a text has the form of a provider's type."""
    return _PROVIDER_TYPE.fullmatch(provider_type) is not None


class Refused:
    """The adapter of a provider that cannot be loaded. Its spec's `facts` say why; raises Unavailable with that."""

    def __init__(self, config: Any, context: Any) -> None:
        raise Unavailable(str(context.spec.facts))


class _Nothing(Protocol):
    """An API of which nothing but the name is known."""


def unknown_api(name: str) -> Api:
    """An API without operations and resources."""
    return Api(name, _Nothing)


def awaited(api: str, provider_type: str, package: str) -> Spec:
    """A provider of which nothing is known but the package that will bring it."""
    return Spec(
        api=api,
        provider_type=provider_type,
        summary="known once its package is installed",
        adapter=_REFUSED,
        config=_ANY_CONFIG,
        packages=(package,) if package else (),
        package=redact_text(package),
        facts=f"`{provider_type}` of `{redact_text(package)}` is not installed: build the distribution again",
    )


def refused(api: str, provider_type: str, package: str, why: str) -> Spec:
    """A provider that cannot be used. why: a sentence that names its package."""
    return replace(awaited(api, provider_type, package), summary="cannot be used", facts=why)


def undescribed(described: DescribedProvider) -> Spec:
    """A provider whose description cannot be used, for `wrong`."""
    why = f"`{described.provider_type}` {described.wrong}"
    return replace(refused(described.api, described.provider_type, described.file.name, why), packages=())


def is_refused(spec: Spec) -> bool:
    """Whether it is one of these, and not the provider itself."""
    return spec.adapter == _REFUSED


def unchecked(spec: Spec) -> Spec:
    """The same provider for where its package is not installed: any config will do, and what it serves is not known."""
    return replace(spec, config=_ANY_CONFIG, serves=())
