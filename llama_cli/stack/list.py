"""List distributions: the templates, and what was built."""

from __future__ import annotations

from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal import words
from llama_cli.terminal.tables import Column, listing


def command(json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List distributions: the templates that come with us, and what was built here, with its state and size on disk.

    Examples:
      llama stack list
      llama stack list -q
    """
    from llama_cli.disk.holdings import bytes_as_noted, distribution_folders
    from llama_cli.servers.records import HEALTHY, Record, alive_records
    from runtime.config.home import config_of, has_environment
    from runtime.config.template import template_summaries

    templates = {template.name: template.summary for template in template_summaries()}
    configs = {folder: config_of(folder) for folder in distribution_folders()}
    built = {folder.name: folder for folder, config in configs.items() if config or any(folder.glob("*run.yaml"))}
    servers: dict[str, list[Record]] = {}
    for record in alive_records():
        servers.setdefault(record.name, []).append(record)

    def state(name: str) -> str:
        """What `ps` says of its server, of one that answers if there are several. `configured` has a run.yaml and no
        environment yet: a build was interrupted, or only rendered.
        """
        if name in servers:
            states = [record.seen_state for record in servers[name]]
            return next((state for state in HEALTHY if state in states), states[0])
        if name not in built:
            return "not_built"
        return "built" if has_environment(built[name]) else "configured"

    rows = [
        {
            "name": name,
            "source": "template" if name in templates else "built",
            "state": state(name),
            "summary": templates.get(name, ""),
            "folder": str(built[name]) if name in built else None,
            "config": str(configs[built[name]] or "") or None if name in built else None,
            "size_bytes": bytes_as_noted(built[name]) if name in built else None,
            "urls": [record.url for record in servers.get(name, []) if record.url],
        }
        for name in sorted(templates.keys() | built.keys())
    ]
    columns = [
        Column("name", "Name"),
        Column("source", "Source", spare=2),
        Column("state", "State", show=words.spelt),
        Column("size_bytes", "Size", show=words.size, spare=1),
        Column("urls", "Address", spare=1),
        Column("summary", "Summary", gives_way=True, readable=30),
    ]
    listing(rows, columns, name="name", wide=wide, empty="no distributions")
