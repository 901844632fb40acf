"""How the provider of a call was chosen, and where else the same could be had. Asks nobody, prints nothing.

Routing has no preferences: a name means one resource of one provider, and one that several providers use is refused. So
the name says all of it, as the trace has it; what others have is what is there now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from llama_cli.asking.offered import Offered, Resource
from llama_cli.tracing.spans import Span, fact
from runtime import catalog
from runtime.telemetry import conventions as names

NamedBy = Literal["id", "alias", "configured", "registered", "own_name", "canonical"]
_BY_SOURCE: dict[object, NamedBy] = {"alias": "alias", "config": "configured", "registered": "registered"}


@dataclass(frozen=True, kw_only=True)
class Other:
    """Where else the same is. id: to ask for, None where its provider is off. state: as of `provider_health`, `off`, or
    `unknown`; message: why, or what to do.
    """

    id: str | None
    provider: str
    state: str
    message: str | None = None


def named_by(span: Span) -> NamedBy | None:
    """What the name is by which a call's resource was asked for; None where it was asked for by none."""
    asked, ours, model = (fact(span, name) for name in (names.ASKED_FOR, names.RESOURCE_ID, names.REQUEST_MODEL))
    if asked is None:
        return None
    if asked == ours:
        return _BY_SOURCE.get(fact(span, names.RESOURCE_SOURCE), "id")
    if model is not None and asked not in (model, f"{fact(span, names.PROVIDER_ID)}/{model}"):
        return "canonical" if catalog.find(str(asked).partition("/")[2]) or catalog.find(str(asked)) else "alias"
    return "own_name" if asked == model else "id"


def why(span: Span) -> str:
    """The same in a sentence; empty where there is nothing to say."""
    asked, provider = fact(span, names.ASKED_FOR), fact(span, names.PROVIDER_ID)
    match named_by(span):
        case "id" if str(asked).startswith(f"{provider}/"):
            return f"The name `{asked}` is of this provider alone."
        case "alias":
            return f"`{asked}` is another name for it, by the run config or the command line."
        case "configured":
            return f"`{asked}` is this provider's by the run config."
        case "registered":
            return f"`{asked}` was registered with this provider."
        case "own_name":
            return f"`{asked}` is what this provider calls it, and no other had one of that name."
        case "canonical" if str(asked).startswith(f"{provider}/"):
            return f"`{asked}` is of this provider alone, and what Llama calls the model."
        case "canonical":
            return f"`{asked}` is what Llama calls the model, and no other provider had one of that name."
    return ""


def others(span: Span, now: Offered) -> list[Other]:
    """Where else the same resource is now, by the providers' order."""
    api, provider = str(fact(span, names.API)), fact(span, names.PROVIDER_ID)
    if fact(span, names.ASKED_FOR) is None:
        return []
    there = now.resources.get(api, [])
    this = _this(span, there)
    found: dict[tuple[str, str], Other] = {}
    for one in there:
        if this is not None and one.provider_id != provider and _is_same(one, this):
            state = now.states.get((api, one.provider_id))
            found.setdefault(
                (one.provider_id, one.own_name),
                Other(
                    id=one.id,
                    provider=one.provider_id,
                    state=state.status if state else "unknown",
                    message=state.message if state else None,
                ),
            )
    return [*found.values(), *(_off(this, now) if this is not None and api == "inference" else ())]


def _this(span: Span, there: list[Resource]) -> Resource | None:
    """What was asked for, as it is listed; by what its span says where it is not any more."""
    provider, ours, model = (fact(span, name) for name in (names.PROVIDER_ID, names.RESOURCE_ID, names.REQUEST_MODEL))
    for one in there:
        if one.provider_id == provider and (one.own_name == model if model is not None else one.id == ours):
            return one
    if model is None:
        return None
    vendor = str(fact(span, names.PROVIDER_TYPE)).rpartition("::")[2]
    known = catalog.meant_at(vendor, str(model))
    return Resource(
        id=str(ours), provider_id=str(provider), own_name=str(model), canonical=known.model_id if known else ""
    )


def _is_same(one: Resource, other: Resource) -> bool:
    if one.kind and other.kind and one.kind != other.kind:
        return False
    if one.canonical and other.canonical:
        return one.canonical == other.canonical
    return bool(one.own_name) and one.own_name == other.own_name


def _off(this: Resource, now: Offered) -> Iterator[Other]:
    """The vendors that are off and have the model, as far as the catalogue knows."""
    for one in now.off if this.canonical else ():
        vendor = one.provider_type.rpartition("::")[2]
        if one.variables and catalog.called_at(vendor, this.canonical) is not None:
            named = " and ".join(f"`{name}`" for name in one.variables)
            yield Other(id=None, provider=vendor, state="off", message=f"set {named}, and start the server anew")


def told(found: list[Other]) -> str:
    """In sentences; empty where there is none."""
    said = []
    for one in found:
        if one.state == "off":
            said.append(f"`{one.provider}` has it too and is turned off: {one.message}.")
        elif one.state in ("ok", "unknown", "not_implemented"):
            said.append(f"`{one.provider}` has it too and was not asked for: that would be `{one.id}`.")
        else:
            ways = {"loading": "is still starting", "needs_key": "serves only who brings a key"}
            how = ways.get(one.state, "does not work")
            because = f" ({' '.join(one.message.split()).rstrip('.')})" if one.message else ""
            said.append(f"`{one.provider}` has it too, as `{one.id}`, was not asked for and {how} now{because}.")
    return f"As of now, {' '.join(said)}" if said else ""
