"""Specs of packages that were written for llama-stack (0.2 to 0.7), read as specs of ours.

Their own spec is an object of a package of theirs, which is installed with them; only its attributes are looked at. The
adapter is `runtime.providers._vendors.llama_stack`, which translates between the two interfaces as far as they agree.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from runtime.external.folders import DescribedProvider
from runtime.spec import Spec

PACKAGES = ("llama_stack", "llama_stack_api", "ogx", "ogx_api")
"""The modules that such packages import, and that have to be installed with them."""

_ADAPTERS = {
    "inference": "runtime.providers._vendors.llama_stack.inference:LlamaStackInference",
    "tool_runtime": "runtime.providers._vendors.llama_stack.tool_runtime:LlamaStackTools",
}


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """module: has `get_adapter_impl`, or `get_provider_impl` of one that runs in process. stated: their own spec."""

    module: str
    stated: Any


def is_theirs(stated: Any) -> bool:
    """Whether an object is a spec of theirs."""
    return all(hasattr(stated, name) for name in ("provider_type", "api", "config_class"))


def spec_of(stated: Any) -> Spec:
    """The same as a spec of ours. Until 0.3, a part of it lies in its `adapter`."""
    inner = getattr(stated, "adapter", None) or stated
    module = str(_first("module", stated, inner) or "")
    api = str(getattr(stated.api, "value", stated.api))
    description = str(_first("description", stated, inner) or "").strip().splitlines()
    return Spec(
        api=api,
        provider_type=str(stated.provider_type),
        summary=description[0] if description else "Written for llama-stack",
        adapter=_ADAPTERS.get(api, ""),
        config=_reference(str(config), module) if (config := _first("config_class", stated, inner)) else None,
        packages=tuple(map(str, _first("pip_packages", stated, inner) or ())),
        module=module,
        facts=Implementation(module=module, stated=stated),
    )


def makes_them(module: Any) -> bool:
    """Whether a module makes implementations itself, and its spec is a file."""
    return any(hasattr(module, name) for name in ("get_adapter_impl", "get_provider_impl")) and not any(
        hasattr(module, name) for name in ("get_provider_spec", "SPECS", "SPEC")
    )


def described(provider: DescribedProvider) -> Spec:
    """The spec of a provider of theirs that a file describes."""
    assert provider.settings is not None, "it could be read"
    stated = SimpleNamespace(
        api=provider.api,
        provider_type=provider.provider_type,
        adapter=None,
        **provider.settings.model_dump(exclude={"adapter_type"}),
    )
    return spec_of(stated)


def wrong_with(spec: Spec) -> str | None:
    """Why one of these specs cannot be used, as what follows its package's name; None where it can."""
    if not isinstance(spec.facts, Implementation):
        return None
    if not spec.adapter:
        usable = " and ".join(_ADAPTERS)
        return f"is written for llama-stack, of which only providers of {usable} can be used, and not of {spec.api}"
    needs = [str(getattr(api, "value", api)) for api in getattr(spec.facts.stated, "api_dependencies", None) or ()]
    if needs:
        return f"is written for llama-stack and needs its own APIs, which it is not given: {', '.join(needs)}"
    return None


def _first(name: str, *holders: Any) -> Any:
    return next((found for holder in holders if (found := getattr(holder, name, None))), None)


def _reference(dotted: str, module: str) -> str:
    """`pkg.config.Class` -> `pkg.config:Class`; some packages leave their own name out."""
    place, _, name = dotted.rpartition(".")
    try:
        importlib.import_module(place)
    except ModuleNotFoundError:
        place = f"{module}.{place}"
    return f"{place}:{name}"
