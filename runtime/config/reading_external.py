"""Finds in a run config of any age what it names from outside this package.

Read before anything else in the file, since how the rest is read depends on which APIs and providers exist. Imports
nothing of what is named.
"""

from __future__ import annotations

from pathlib import Path

from runtime.config.document import Node
from runtime.config.external import External, NamedProvider
from runtime.config.home import expanded
from runtime.config.reading import Reading
from runtime.config.requirement import Requirement


def external_in(reading: Reading, *, folder: Path) -> External:
    """What a run config of any age names. folder: what relative paths in it are relative to. A folder of providers that
    is not there is a problem of the file; one of APIs is taken as empty.
    """
    providers_dir = _folder(reading, "external_providers_dir", folder)
    if providers_dir is not None and not providers_dir.is_dir():
        node = reading.top["external_providers_dir"]
        reading.problem(f"there is no folder {providers_dir}", node, hint="make it, or correct the path")
    return External(
        distro_name=next(filter(None, (_text(reading, "distro_name"), _text(reading, "image_name"))), ""),
        providers=tuple(_providers_in(reading)),
        providers_dir=providers_dir,
        apis_dir=_folder(reading, "external_apis_dir", folder),
        packages=tuple(
            text for node in _items(reading.top.get("additional_pip_packages")) if (text := _as_text(reading, node))
        ),
        file=reading.file,
    )


def _providers_in(reading: Reading) -> list[NamedProvider]:
    providers = reading.top.get("providers")
    return [
        NamedProvider(
            api=api,
            provider_type=_as_text(reading, entry.get("provider_type")),
            module=_requirement(_as_text(reading, entry.get("module"))),
            path=entry.path,
            line=entry.line,
        )
        for api, entries in ((providers.mapping if providers else None) or {}).items()
        for entry in _items(entries)
        if not reading.is_off(entry.get("provider_id"))
    ]


def _requirement(text: str) -> str:
    if not text:
        return ""
    try:
        Requirement.parse(text)
    except ValueError:
        return ""
    return " ".join(text.split())


def _folder(reading: Reading, key: str, folder: Path) -> Path | None:
    text = _text(reading, key)
    return folder / expanded(text) if text else None


def _text(reading: Reading, key: str) -> str:
    return _as_text(reading, reading.top.get(key))


def _as_text(reading: Reading, node: Node | None) -> str:
    result = reading.substituted(node)
    return "" if result is None or result.missing else result.text


def _items(node: Node | None) -> list[Node]:
    return (node.items if node else None) or []
