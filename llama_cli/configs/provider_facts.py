"""What is known of a provider, in words, for a terminal and for the pages of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from llama_cli.configs.llama_names import llama_names, with_remark

if TYPE_CHECKING:
    from runtime.spec import Spec


def provider_facts(spec: Spec, quoted: Callable[[str], str] = str) -> list[tuple[str, str]]:
    """How it is turned on and proven, what it is called in older configs, what it needs and serves: those of its facts
    that say something. quoted: how something that is typed is written.
    """

    def each(given: Iterable[str]) -> str:
        return ", ".join(map(quoted, given))

    facts = [
        ("turned on by", quoted(spec.enabled_by) if spec.enabled_by else ""),
        ("its key", quoted(spec.key_env) if spec.key_env else ""),
        ("can", ", ".join(sorted(spec.capabilities))),
        ("needs", ", ".join(spec.needs)),
        ("may use", ", ".join(spec.may_use)),
        ("packages", each(spec.packages)),
        ("brought by", spec.package),
        ("older types", each(spec.aliases)),
        ("evidence", ": ".join(filter(None, (spec.evidence.proof, spec.evidence.note)))),
    ]
    facts += [("serves", f"{quoted(one['model_id'])} as {with_remark(one, quoted)}") for one in llama_names(spec)]
    return [(name, value) for name, value in facts if value]
