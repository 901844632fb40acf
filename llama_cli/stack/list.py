"""List distributions: the templates, and what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_cli.options import Json, Quiet, Wide
from llama_cli.tables import Column, listing

if TYPE_CHECKING:
    from pathlib import Path


def command(json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List distributions: the templates that come with us, and what was built here, with its state.

    Examples:
      llama stack list
      llama stack list -q
    """
    from llama_cli.servers.records import alive_records
    from runtime.config.home import config_of, distributions_dir
    from runtime.config.template import template_summaries

    templates = {template.name: template.summary for template in template_summaries()}
    folder = distributions_dir()
    built = {path.name: path for path in sorted(folder.iterdir()) if _is_distribution(path)} if folder.is_dir() else {}
    addresses: dict[str, list[str]] = {}
    for record in alive_records():
        addresses.setdefault(record.name, []).append(record.url or record.seen_state)
    rows = []
    for name in sorted(templates.keys() | built.keys()):
        rows.append(
            {
                "name": name,
                "source": "template" if name in templates else "built",
                "state": _state(name, built.get(name), addresses),
                "summary": templates.get(name, ""),
                "folder": str(built[name]) if name in built else None,
                "config": str(config_of(built[name]) or "") or None if name in built else None,
                "urls": addresses.get(name, []),
            }
        )
    columns = [
        Column(key="name", header="Name"),
        Column(key="source", header="Source"),
        Column(key="state", header="State"),
        Column(key="urls", header="Address"),
        Column(key="summary", header="Summary", gives_way=True),
    ]
    listing(rows, columns, name="name", wide=wide, empty="no distributions")


def _is_distribution(path: Path) -> bool:
    from runtime.config.home import config_of

    return path.is_dir() and (config_of(path) is not None or any(path.glob("*run.yaml")))


def _state(name: str, folder: Path | None, addresses: dict[str, list[str]]) -> str:
    """`configured` has a run.yaml and no environment yet: a build was interrupted, or only rendered."""
    from runtime.config.home import has_environment

    if name in addresses:
        return "running"
    if folder is None:
        return "not_built"
    return "built" if has_environment(folder) else "configured"
