"""The differences between vendors with OpenAI's protocol, as data, and the function that makes a vendor's spec.

A vendor's file states what its documentation says, each difference with its reason. What is done to the fields of a
request is in `rules.py`. Imports nothing heavier than `runtime.spec`, since every listing loads the vendors' files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.providers.inference._openai_compatible.rules import Rule
from runtime.spec import Evidence, Instead, Moved, NoEffect, Spec, remote

ToolChoice = Literal["none", "auto", "required", "named"]
Format = Literal["text", "json_object", "json_schema"]


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Chat completions.

    rules: what is done to a request's fields, in order. tools: whether the vendor has tools. tool_choices: the forms of
    `tool_choice` that it honours; we do the others where the answer is the same, and refuse them elsewhere. formats:
    the kinds of `response_format` that it honours; likewise. format_style: how a schema is written, where that is not
    OpenAI's way. whole_formats: those that it honours only where it does not stream; we ask for the whole answer then,
    and stream that. remote_images: whether an image may be an address; otherwise only a `data:` URL.
    reasoning_field: its name for `reasoning_content` in answers. content_parts: whether the content of an answer may be
    parts instead of text. finish_reasons: its words for OpenAI's. usage: when a stream has token counts: as `asked`;
    `always`, also unasked or more than once, of which the last are right; `never`. custom_tools: whether the vendor
    itself, not another server at an address of the user's, has custom tools, and holds arguments to a strict schema.
    developers: whether it takes what a developer says; others, which refuse it or leave it out without a word, are told
    that a system says it.
    """

    path: str = "/chat/completions"
    rules: tuple[Rule, ...] = ()
    tools: bool = True
    tool_choices: frozenset[ToolChoice] = frozenset({"none", "auto", "required", "named"})
    formats: frozenset[Format] = frozenset({"text", "json_object", "json_schema"})
    format_style: Literal["openai", "tgi"] = "openai"
    whole_formats: frozenset[Format] = frozenset()
    remote_images: bool = True
    reasoning_field: str = "reasoning_content"
    content_parts: bool = False
    finish_reasons: Mapping[str, str] = field(default_factory=dict)
    usage: Literal["asked", "always", "never"] = "asked"
    custom_tools: bool = False
    developers: bool = False


@dataclass(frozen=True, kw_only=True)
class Completions:
    """Text completions. rules, finish_reasons, usage: as of `Chat`. takes_ids: whether a prompt may be token ids.
    takes_several: whether there may be several prompts.
    """

    path: str = "/completions"
    rules: tuple[Rule, ...] = ()
    takes_ids: bool = True
    takes_several: bool = True
    finish_reasons: Mapping[str, str] = field(default_factory=dict)
    usage: Literal["asked", "always", "never"] = "asked"


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """Embeddings. rules: as of `Chat`. takes_ids: whether the input may be token ids. packed: the numbers in a vector
    that is sent as base64.
    """

    path: str = "/embeddings"
    rules: tuple[Rule, ...] = ()
    takes_ids: bool = True
    packed: Literal["float32", "int8"] = "float32"


@dataclass(frozen=True, kw_only=True)
class Rerank:
    """Reranking, for which every vendor has names of its own.

    path: below the base URL, beside it (`../rerank`, once for each segment), or a whole address; `{model}` in it is the
    model's name. query, documents, top_n: its names for the fields; without `top_n` we cut the answer. as_objects:
    query and documents are `{"text": ...}`; query_as_list: the query is a list of one. results: the answer's member
    with the list, empty where the answer is the list itself. score: an entry's member with the score; empty where the
    entries are the scores, in the documents' order. rules: as of `Chat`, on the vendor's own names.
    """

    path: str = "/rerank"
    query: str = "query"
    documents: str = "documents"
    top_n: str = "top_n"
    as_objects: bool = False
    query_as_list: bool = False
    results: str = "results"
    score: str = "relevance_score"
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenAICompatible:
    """A vendor with OpenAI's protocol. Each field is here because vendors differ in it.

    base_url: the address of the API; None if only the user knows it. base_url_env: the variable that has it in a
    template. version_path: added to a configured address without a path (`http://localhost:11434`); by default the path
    of `base_url`. key_required: without a configured key, each request must bring one.
    key_header: where the key goes; `authorization` is `Bearer KEY`, any other header has the key alone. headers: sent
    with every request. lists_models: whether there is a list of models; models_path: where, as `Rerank.path`;
    model_prefix: cut from the names in it. models: those that are served where there is no list, and the config says
    nothing. model_types: `(part of a model id, type)` pairs, which recognize models that
    are not for chat where the list does not say it. model_type: that of all others, None if unknown. chat, completions,
    embeddings, rerank: None for what the vendor does not have.
    closed: since when the vendor's own address no longer answers, and what to do, as the rest of a sentence.
    """

    base_url: str | None
    key_required: bool
    base_url_env: str | None = None
    version_path: str = "/v1"
    key_header: str = "authorization"
    headers: Mapping[str, str] | None = None
    lists_models: bool = True
    models_path: str = "/models"
    model_prefix: str = ""
    models: tuple[str, ...] = ()
    model_type: Literal["llm", "embedding", "rerank"] | None = None
    model_types: tuple[tuple[str, str], ...] = (("embed", "embedding"), ("rerank", "rerank"))
    chat: Chat | None = Chat()
    completions: Completions | None = Completions()
    embeddings: Embeddings | None = Embeddings()
    rerank: Rerank | None = None
    closed: str | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """What the vendor can do, for listings and the conformance suite."""
        chat = self.chat
        found = {
            "chat": chat is not None,
            "completions": self.completions is not None,
            "embeddings": self.embeddings is not None,
            "rerank": self.rerank is not None,
            "tools": chat is not None and chat.tools,
            "json_object": chat is not None and not chat.formats.isdisjoint({"json_object", "json_schema"}),
            "json_schema": chat is not None and "json_schema" in chat.formats,
        }
        return frozenset(name for name, has in found.items() if has)


def openai_compatible(
    name: str,
    *,
    summary: str,
    base_url: str | None = None,
    api_key_env: str | None = None,
    base_url_env: str | None = None,
    more_env: Mapping[str, str] | None = None,
    enabled_by: str | None = None,
    key_required: bool | None = None,
    adapter: str = "runtime.providers.inference._openai_compatible.adapter:OpenAICompatibleInference",
    config: str = "runtime.providers.inference._openai_compatible.config:OpenAICompatibleConfig",
    aliases: tuple[str, ...] = (),
    older: Mapping[str, Moved | NoEffect | Instead] | None = None,
    packages: tuple[str, ...] = (),
    evidence: Evidence = Spec.evidence,
    **differences: Any,
) -> Spec:
    """A vendor that speaks OpenAI's protocol: ten lines of data behind one adapter.

    base_url: with its version path, such as `https://api.openai.com/v1`. api_key_env, base_url_env: the variables in
    templates; more_env: those of other settings. enabled_by: the variable that turns it on in a template; by default
    the key's, or else the address's. key_required: by default, whether there is a key variable and a fixed address.
    differences: fields of `OpenAICompatible`.
    """
    sample: dict[str, Any] = {}
    variable: str | None = None
    if base_url or base_url_env:
        plain = name.upper().replace("::", "_").replace("-", "_")
        variable = base_url_env or f"{plain}_BASE_URL"
        sample["base_url"] = f"${{env.{variable}:={base_url or ''}}}"
    if api_key_env:
        sample["api_key"] = f"${{env.{api_key_env}:=}}"
    sample |= {setting: f"${{env.{variable}:=}}" for setting, variable in (more_env or {}).items()}
    needs_key = bool(api_key_env and base_url) if key_required is None else key_required
    if base_url:
        differences.setdefault("version_path", f"/{base_url.split('://')[1].partition('/')[2]}".rstrip("/"))
    facts = OpenAICompatible(base_url=base_url, base_url_env=variable, key_required=needs_key, **differences)
    return remote(
        name,
        summary=summary,
        adapter=adapter,
        config=config,
        aliases=aliases,
        older=older or {},
        packages=packages,
        enabled_by=enabled_by or (api_key_env if needs_key else base_url_env) or api_key_env,
        key_env=api_key_env if needs_key else None,
        sample_config=sample,
        capabilities=facts.capabilities,
        facts=facts,
        evidence=evidence,
    )
