"""The differences between vendors with OpenAI's protocol, as data, and the function that makes a vendor's spec.

Imports nothing heavier than `runtime.spec`, since every listing loads the vendors' files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from runtime.spec import Spec, remote


@dataclass(frozen=True, kw_only=True)
class OpenAICompatible:
    """The differences between vendors with OpenAI's protocol. Each field is here because two vendors need it.

    base_url: the address of the API; None if only the user knows it. version_path: added to a configured address
    without a path (`http://localhost:11434`). key_required: without a configured key, each request must bring one.
    model_types: `(part of a model id, type)` pairs, which recognize models that are not for chat.
    lists_models: whether `GET /models` exists.
    """

    base_url: str | None
    key_required: bool
    version_path: str = "/v1"
    lists_models: bool = True
    model_types: tuple[tuple[str, str], ...] = (("embed", "embedding"), ("rerank", "rerank"))


def openai_compatible(
    name: str,
    *,
    summary: str,
    base_url: str | None = None,
    api_key_env: str | None = None,
    base_url_env: str | None = None,
    enabled_by: str | None = None,
    key_required: bool | None = None,
    lists_models: bool = True,
    model_types: tuple[tuple[str, str], ...] | None = None,
    **spec: Any,
) -> Spec:
    """A vendor that speaks OpenAI's protocol: ten lines of data behind one adapter.

    base_url: with its version path, such as `https://api.openai.com/v1`. api_key_env, base_url_env: the variables in
    templates. enabled_by: the variable that turns it on in a template; by default the key's, or else the address's.
    key_required: by default, whether there is a key variable and a fixed address.
    """
    sample: dict[str, Any] = {}
    if base_url or base_url_env:
        variable = base_url_env or f"{name.upper().replace('-', '_')}_BASE_URL"
        sample["base_url"] = f"${{env.{variable}:={base_url or ''}}}"
    if api_key_env:
        sample["api_key"] = f"${{env.{api_key_env}:=}}"
    needs_key = bool(api_key_env and base_url) if key_required is None else key_required
    facts = OpenAICompatible(base_url=base_url, key_required=needs_key, lists_models=lists_models)
    if model_types is not None:
        facts = replace(facts, model_types=model_types)
    return remote(
        name,
        summary=summary,
        adapter="runtime.providers.inference._openai_compatible.adapter:OpenAICompatibleInference",
        config="runtime.providers.inference._openai_compatible.config:OpenAICompatibleConfig",
        enabled_by=enabled_by or (api_key_env if needs_key else base_url_env) or api_key_env,
        key_env=api_key_env if needs_key else None,
        sample_config=sample,
        facts=facts,
        **spec,
    )
