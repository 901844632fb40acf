"""List the models that a server serves."""

from __future__ import annotations

from typing import Any

from llama_cli.model.list import context
from llama_cli.options import Json, Quiet, Url, Wide
from llama_cli.terminal.tables import Column, listing
from llama_cli.tracing.money import usd

_SHOWN_STATES = {"loaded": "yes", "unloaded": "no"}


def command(url: Url = None, json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List the models that a server serves: who serves each, what it is for, how long a text it takes, what a million
    tokens cost that it reads and that it writes, where a price is known, and whether our engine has loaded it, or how
    far it is.

    The id is what `-m` takes, and `model` in a request. An alias is another name of the same model. What lies on this
    disk is another list: `llama model list`.

    Examples:
      llama models
      llama models --url starter
      llama models -q
    """
    from llama_cli.asking import ask
    from llama_cli.asking.address import address_of

    address = address_of(url)
    rows = _rows(ask.listed(address, "/v1/models", by="id"))
    columns = [
        Column("id", "Id"),
        Column("provider_id", "Provider", spare=2),
        Column("kind", "Kind", spare=1),
        Column("context_length", "Context", show=context, spare=1),
        Column("price", "In / out", show=_rates, spare=2),
        Column("load_state", "Loaded", show=lambda state: _SHOWN_STATES.get(state, state), spare=1),
        Column("aliases", "Aliases", gives_way=True, spare=2),
        Column("load_progress", "Progress", show=lambda share: f"{share:.0%}", spare=1),
    ]
    listing(rows, columns, name="id", wide=wide, empty=f"no models: see `llama stack status {address}`")


def _rows(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a model, in the server's order, its other names beside it."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    named = [(model, _facts(model)) for model in models]
    # First those under the name that is always there, so that other names find them.
    for model, facts in sorted(named, key=lambda pair: pair[0]["id"] != _full_id(pair[1])):
        provider_id, own_name = str(facts.get("provider_id") or ""), str(facts.get("provider_resource_id") or "")
        place = (provider_id, own_name or model["id"])
        if place in rows:
            rows[place]["aliases"].append(model["id"])
            continue
        rows[place] = {
            "id": model["id"],
            "provider_id": provider_id or None,
            "provider_model_id": own_name or None,
            "kind": str(facts.get("model_type") or "llm"),
            "context_length": _whole(facts.get("context_length")),
            "price": _price(facts.get("price")),
            "embedding_dimension": _whole(facts.get("embedding_dimension")),
            "is_loaded": facts["loaded"] if isinstance(facts.get("loaded"), bool) else None,
            "load_state": _load_state(facts),
            "load_progress": _share(facts.get("progress")),
            "aliases": [],
        }
    order = {model["id"]: place for place, model in enumerate(models)}
    return sorted(rows.values(), key=lambda row: order[row["id"]])


def _facts(model: dict[str, Any]) -> dict[str, Any]:
    """What the server says beside the id: newer ones in `custom_metadata`, older ones in the model itself."""
    stated = model.get("custom_metadata")
    return {**model, **(stated if isinstance(stated, dict) else {})}


def _load_state(facts: dict[str, Any]) -> str | None:
    """An older server says only whether it is loaded."""
    state = facts.get("state")
    if isinstance(state, str):
        return state
    return {True: "loaded", False: "unloaded"}.get(facts["loaded"]) if isinstance(facts.get("loaded"), bool) else None


def _full_id(facts: dict[str, Any]) -> str:
    return f"{facts.get('provider_id')}/{facts.get('provider_resource_id')}"


def _share(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None


def _price(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _rates(price: dict[str, Any]) -> str:
    """`0.15 / 0.60`: what is read, and what is written."""
    known = [price.get(kind) for kind in ("input", "output")]
    return " / ".join(usd(rate) if isinstance(rate, int | float) else "-" for rate in known)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
