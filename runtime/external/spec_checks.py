"""Whether what an external package states can be used: its specs, no value of which was checked yet, and its APIs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from runtime.apis._api import Api
from runtime.config import requirement
from runtime.config.provider_settings import config_model
from runtime.external import llama_stack
from runtime.external.importing import as_broken, reason_of
from runtime.external.remembered import stated_of
from runtime.spec import INTERFACE, Spec
from runtime.stdio import one_line

_LISTS = ("packages", "stores", "tables", "analytics", "needs", "may_use", "aliases", "ships", "serves")


def wrong_with(spec: Spec, api_names: Iterable[str]) -> str | None:
    """Why a spec cannot be used here, as what follows its package's name; None where it can."""
    if isinstance(spec.interface, int) and spec.interface > INTERFACE:
        return (
            f"is written for version {spec.interface} of the interface of providers, and this is version {INTERFACE}: "
            "upgrade Llama Stack, or take an older version of it"
        )
    if (wrong := _ill_formed(spec)) is not None:
        return wrong
    if spec.api not in api_names:
        return f"names the API `{spec.api}`, which does not exist" if spec.api else "does not name its API"
    if (wrong := llama_stack.wrong_with(spec)) is not None:
        return wrong
    if unknown := sorted({*spec.needs, *spec.may_use} - {*api_names}):
        return f"asks for the API `{unknown[0]}`, which does not exist"
    try:
        model = config_model(spec)
        model.model_fields  # noqa: B018  # of anything else this raises
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"has settings that {reason_of(error)}"
    if spec.default and any(field.is_required() for field in model.model_fields.values()):
        return "is used where none is configured, and has settings that must be given"
    return None


def _ill_formed(spec: Spec) -> str | None:
    """What is wrong with the values of a spec, which nothing has checked yet."""
    for name, kind in (("api", str), ("summary", str), ("adapter", str), ("interface", int)):
        if not isinstance(value := getattr(spec, name), kind) or not _is_shown(value):
            return f"has a spec whose `{name}` is {value!r}"
    for name in _LISTS:
        value = getattr(spec, name)
        if not isinstance(value, tuple | list) or not all(isinstance(one, str) for one in value):
            return f"has a spec whose `{name}` is {value!r}, and no tuple of texts"
        if not all(map(_is_shown, value)):
            return f"has a spec whose `{name}` is {value!r}"
    for package in spec.packages:
        try:
            requirement.checked(package)
        except ValueError as error:
            return f"has a spec with a wrong package: {error}"
    try:
        json.dumps(stated_of(spec))
    except (TypeError, ValueError, AttributeError) as error:
        return f"has a spec that cannot be kept as JSON: {error}"
    return None


def _is_shown(value: str | int) -> bool:
    """Whether it can go into messages and listings as it is: nothing in it controls a terminal."""
    words = " ".join(str(value).split())
    return one_line(words) == words


def check_operations(api: Api) -> None:
    """Raises Broken for an API whose Protocol cannot be imported, or has a method that cannot be one of an API."""
    try:
        api.operations()
    except BaseException as error:
        raise as_broken(error) from error
