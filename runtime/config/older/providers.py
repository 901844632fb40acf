"""Moves settings of providers of older run configs to where they are today, or says why they have no effect."""

from __future__ import annotations

from runtime.config.document import Node
from runtime.config.reading import Reading

_MOVED: dict[tuple[str, str], tuple[str, ...]] = {
    ("remote::vllm", "tls_verify"): ("network", "tls", "verify"),  # until 1.5
    ("remote::infinispan", "verify_tls"): ("network", "tls", "verify"),
    ("remote::hf::serverless", "huggingface_repo"): ("allowed_models",),  # until 0.6
}
_NO_GRAPH = "vectors have no relations: each is found for itself"
_IN_VECTOR_STORES = "what holds for searches in vector stores is in the section `vector_stores`"
_WITHOUT_EFFECT = {
    ("remote::ollama", "raise_on_connect_error"): "a provider that cannot be reached is degraded, and the stack runs",
    ("remote::nvidia", "append_api_version"): "an address without a path gets `/v1`",  # until 0.3
    ("remote::qdrant", "grpc_port"): "it is asked over HTTP",
    ("remote::qdrant", "prefer_grpc"): "it is asked over HTTP",
    ("remote::pgvector", "distance_metric"): "vectors have length 1, and are compared by their cosine",
    ("remote::pgvector", "command_timeout"): "a statement may take 60 s",
    ("remote::oci", "consistency_level"): "what is committed is seen at once",
    ("remote::neo4j", "graph_retrieval_enabled"): _NO_GRAPH,  # 1.5, as those below
    ("remote::neo4j", "graph_expansion_depth"): _NO_GRAPH,
    ("remote::neo4j", "graph_max_neighbors"): _NO_GRAPH,
    ("remote::neo4j", "graph_expansion_weight"): _NO_GRAPH,
    ("remote::neo4j", "graph_relationship_types"): _NO_GRAPH,
    ("inline::rag-runtime", "vector_stores_config"): _IN_VECTOR_STORES,  # 0.4 to 0.6
    ("inline::file-search", "vector_stores_config"): _IN_VECTOR_STORES,  # 0.7 to 1.5
    ("remote::deepseek", "anthropic_base_url"): "requests go to the endpoint in OpenAI's form, `base_url`",  # 1.5
}
_KEPT_ABOVE = "what is known about vector stores is kept in `storage.stores`, and vectors by the database itself"
_WITHOUT_EFFECT_OF_API = {
    ("vector_io", "kvstore"): _KEPT_ABOVE,  # until 0.2
    ("vector_io", "persistence"): _KEPT_ABOVE,
    ("vector_io", "metadata_store"): _KEPT_ABOVE,
}
"""Settings that every provider of an API once had."""
_LISTS = {"allowed_models"}


def upgrade(reading: Reading) -> None:
    """Change the tree: every older setting of a provider that is on is moved or removed, with a warning."""
    providers = reading.top.get("providers")
    for api, entries in (providers.mapping or {}).items() if providers else ():
        for entry in entries.items or []:
            config, kind = entry.get("config"), entry.get("provider_type")
            if config is None or config.mapping is None or kind is None or reading.is_off(entry.get("provider_id")):
                continue
            for name in [*config.mapping]:
                _upgrade_setting(reading, config, (str(kind.value), name), api=api)
            _need_the_address(reading, config, str(kind.value))


def _upgrade_setting(reading: Reading, config: Node, setting: tuple[str, str], *, api: str) -> None:
    settings, name = config.mapping, setting[1]
    if settings is None:
        return
    reason = _WITHOUT_EFFECT.get(setting) or _WITHOUT_EFFECT_OF_API.get((api, name))
    if reason is not None:
        reading.warn(f"has no effect: {reason}", settings.pop(name))
    elif (place := _MOVED.get(setting)) is not None:
        node = settings.pop(name)
        if reading.is_empty(node):
            return
        reading.warn(f"this is now `{'.'.join(place)}`", node)
        _put(config, place, Node([node], node.path, node.line) if place[-1] in _LISTS else node)


def _put(config: Node, place: tuple[str, ...], node: Node) -> None:
    """Set what `place` leads to below `config`, unless it is there."""
    for key in place[:-1]:
        if config.mapping is None:  # otherwise the model reports it
            return
        config = config.mapping.setdefault(key, Node({}, node.path, node.line))
        config.value = {} if config.value is None else config.value
    if config.mapping is not None:
        config.mapping.setdefault(place[-1], node)


def _need_the_address(reading: Reading, config: Node, kind: str) -> None:
    """Until 0.6, an endpoint of Hugging Face was found by its name."""
    name = config.mapping.pop("endpoint_name", None) if config.mapping and kind == "remote::hf::endpoint" else None
    if name is not None and reading.is_empty(config.get("base_url")):
        hint = "set `base_url` to the endpoint's address with `/v1`, which its page shows"
        reading.problem("an endpoint is found by its address, not by its name", name, hint=hint)
