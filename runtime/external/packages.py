"""Imports a package that brings providers, and reads their specs from it.

A package is found by an entry point of the group `llama_stack.providers`, or else by its name: `name.provider`, or
`name` where that has no such module. The module gives its specs by `get_provider_spec()`, or has `SPECS` or `SPEC`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from runtime.external import llama_stack
from runtime.external.folders import DescribedProvider
from runtime.external.importing import Broken, as_broken, reason_of
from runtime.external.standing_in import is_type
from runtime.spec import Spec

GROUP = "llama_stack.providers"


def entry_points() -> Iterator[tuple[str, str]]:
    """Every installed package that says by an entry point that it brings providers, with the module that it names."""
    from importlib import metadata  # not above: a run config of ours alone needs no more of this module

    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.value, point.name)):
        yield point.dist.name if point.dist else point.module, point.value


def modules_of(name: str) -> list[str]:
    """What a package's entry points name; empty where it has none, or is not installed under this name."""
    from importlib import metadata

    try:
        found = metadata.distribution(name).entry_points.select(group=GROUP)
    except metadata.PackageNotFoundError:
        return []
    return sorted({point.value for point in found})


def module_named(name: str) -> Any:
    """`name.provider`, or `name` where there is no such module. Raises Broken."""
    module = imported(name)
    wanted = f"{name}.provider"
    try:
        return importlib.import_module(wanted)
    except ModuleNotFoundError as error:
        if error.name == wanted:
            return module
        raise Broken(reason_of(error)) from error
    except BaseException as error:
        raise as_broken(error) from error


def imported(reference: str) -> Any:
    """A module, or what it has: `module`, `module:name`. Raises Broken."""
    module, _, name = reference.partition(":")
    try:
        found = importlib.import_module(module)
        return getattr(found, name) if name else found
    except BaseException as error:
        raise as_broken(error) from error


def specs_in(found: Any) -> list[Spec]:
    """The specs that a module gives, or a function that an entry point names. Raises Broken."""
    try:
        gives = found if callable(found) else getattr(found, "get_provider_spec", None)
        has = getattr(found, "SPECS", None) or getattr(found, "SPEC", None)
        stated = has if gives is None else gives()
    except BaseException as error:
        raise as_broken(error) from error
    if stated is None:
        raise Broken("has no `get_provider_spec`, no `SPECS` and no `SPEC`")
    specs = list(stated) if isinstance(stated, list | tuple) else [stated]  # theirs can be iterated too
    try:
        return [_placed(spec, found) for spec in specs]
    except BaseException as error:
        raise error if isinstance(error, Broken) else as_broken(error) from None


def spec_of_file(described: DescribedProvider) -> Spec:
    """The spec of a provider that was written for llama-stack and has no other than its file. Raises Broken."""
    try:
        return llama_stack.described(described)  # which imports its settings
    except BaseException as error:
        raise as_broken(error) from error


def _placed(spec: Any, found: Any) -> Spec:
    """A spec with the package that its relative references begin at. Raises Broken for what is no spec."""
    if not isinstance(spec, Spec) and llama_stack.is_theirs(spec):
        spec = llama_stack.spec_of(spec)
    if not isinstance(spec, Spec):
        raise Broken(f"gives a {type(spec).__module__}.{type(spec).__qualname__}, which is no `runtime.spec.Spec`")
    if not isinstance(spec.provider_type, str) or not is_type(spec.provider_type):
        raise Broken(f"gives the type `{spec.provider_type}`: write `inline::name` or `remote::name`")
    module = importlib.import_module(found.__module__) if callable(found) else found
    return spec if spec.module else replace(spec, module=module.__package__ or module.__name__)
