"""What only llama-stack's own client can ask: the stack about itself, names of one's own for models, kept chats in its
own form.

Where only newer or older versions have a call, the request behind it is made.
"""

from __future__ import annotations

import asyncio
from inspect import signature
from tempfile import mkdtemp
from typing import Any

from agent_turns import agent_classes, agents
from driver import PERSON_SCHEMA, SAY, failure, serve
from evaluations import evaluated_before, evaluations
from of_openai import LIBRARY, PACKAGE, SCENARIOS, client
from traced import traced

RAG_QUERY = {
    "max_tokens_in_context": 1000,
    "chunk_template": "{index}: {chunk.content}\n",
    "query_generator_config": {"type": "default", "separator": " "},
}


def described(url: str, model: str) -> Any:
    at = client(url)
    providers = [provider.to_dict() for provider in at.providers.list()]
    return {
        "models": [each.to_dict() for each in at.models.list()],
        "model": at.models.retrieve(model).to_dict(),
        "providers": providers,
        "provider": at.providers.retrieve(providers[0]["provider_id"]).to_dict(),
        "health": at.inspect.health().to_dict(),
        "version": at.inspect.version().to_dict(),
        "routes": [route.to_dict() for route in at.routes.list()],
    }


def registered(url: str, model: str, other: str) -> Any:
    """A name for a model, taken a second time for another one, used, and removed."""
    told = {
        "registered": _register(url, model),
        "chat": SCENARIOS["chat"](url, "own-name", max_tokens=2)["text"],
        "conflict": failure(lambda: _register(url, other)),
    }
    models = client(url).models
    if hasattr(models, "unregister"):
        models.unregister("own-name")
    else:
        client(url).delete("/v1/models/own-name", cast_to=object)
    return {**told, "not_found": failure(lambda: models.retrieve("own-name"))}


def kept(url: str, model: str, text: str) -> Any:
    """A chat completion that was kept, in a list and by its id."""
    completions = client(url).chat.completions
    made = completions.create(model=model, messages=[{"role": "user", "content": text}], max_tokens=2)
    return {
        "id": made.id,
        "listed": [each.to_dict() for each in completions.list(limit=3, order="desc").data],
        "read": completions.retrieve(made.id).to_dict(),
    }


def vector_dbs(url: str, model: str) -> Any:
    """What llama-stack 0.2 called vector databases, filled by chunks and by the tool for documents."""
    at = client(url)
    name = "animals"
    at.vector_dbs.register(vector_db_id=name, embedding_model=model, embedding_dimension=8)
    at.vector_io.insert(vector_db_id=name, chunks=[_chunk("A llama grazes.", "llama")])
    document = {"document_id": "guanaco", "content": "A guanaco is shy.", "mime_type": "text/plain", "metadata": {}}
    rag = at.tool_runtime.rag_tool
    rag.insert(vector_db_id=name, documents=[document], chunk_size_in_tokens=512)
    by_words = {"mode": "keyword", "max_chunks": 5}
    found = at.vector_io.query(vector_db_id=name, query="Who grazes?", params=by_words)
    asked = rag.query(vector_db_ids=[name], content="Who is shy?", query_config=RAG_QUERY | by_words)
    told = {
        "listed": [each.identifier for each in at.vector_dbs.list()],
        "read": at.vector_dbs.retrieve(name).embedding_model,
        "chunks": [[chunk.content, chunk.metadata["document_id"]] for chunk in found.chunks],
        "scores": [0 < score <= 1 for score in found.scores],
        "context": "".join(part.text for part in asked.content),
        "documents": asked.metadata["document_ids"],
    }
    at.vector_dbs.unregister(name)
    return {**told, "not_found": failure(lambda: at.vector_dbs.retrieve(name))}


def earlier_inference(url: str, model: str, embedding: str) -> Any:
    """The inference API that llama-stack had before OpenAI's."""
    ask = client(url).inference
    messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
    city = {"city": {"param_type": "string", "description": "Where.", "required": True}}
    asked = {"model_id": model, "messages": messages}
    whole = ask.chat_completion(**asked)
    *events, last = [chunk.event for chunk in ask.chat_completion(**asked, stream=True)]
    tools = [{"tool_name": "get_weather", "description": "The weather.", "parameters": city}]
    [call] = ask.chat_completion(**asked, tools=tools).completion_message.tool_calls
    streamed = [chunk.event.delta for chunk in ask.chat_completion(**asked, tools=tools, stream=True)]
    [ended] = [delta for delta in streamed if getattr(delta, "parse_status", None) == "succeeded"]
    result = {"role": "tool", "call_id": call.call_id, "content": "sun in Oslo"}
    called = {"role": "assistant", "content": "", "stop_reason": "end_of_message", "tool_calls": [call.to_dict()]}
    text = {"model_id": model, "content": "Once", "sampling_params": {"strategy": {"type": "greedy"}, "max_tokens": 3}}
    return {
        "text": whole.completion_message.content,
        "counted": {metric.metric: metric.value for metric in whole.metrics},
        "kinds": [event.event_type for event in events[:1]] + [last.event_type, last.stop_reason],
        "streamed": "".join(event.delta.text for event in events),
        "call": [call.tool_name, list(call.arguments)],
        "streamed_call": [ended.tool_call.tool_name, ended.tool_call.arguments == call.arguments],
        "used": ask.chat_completion(model_id=model, messages=[*messages, called, result]).completion_message.content,
        "completed": ask.completion(**text).content,
        "completed_streamed": "".join(chunk.delta for chunk in ask.completion(**text, stream=True)),
        "vectors": ask.embeddings(model_id=embedding, contents=["a", "b"]).embeddings,
        "batch": [one.completion_message.content for one in ask.batch_chat_completion(
            model_id=model, messages_batch=[messages, messages]).batch],
        "batched": [one.content for one in ask.batch_completion(model_id=model, content_batch=["Once", "Then"]).batch],
        "not_found": failure(lambda: ask.chat_completion(model_id="none", messages=messages)),
        "refused": failure(lambda: ask.chat_completion(**asked, tool_config={"tool_choice": "required"})),
    }  # fmt: skip


def synthetic_data(url: str, model: str) -> Any:
    """Rows that a model makes up: of a dialog, as this client has it, and of a schema, which is sent beside that."""
    generate = client(url).synthetic_data_generation.generate
    asked = {"dialogs": [{"role": "user", "content": SAY}], "model": model}
    more = {"num_samples": 4, "seed": 1}
    people = {"row_schema": PERSON_SCHEMA, "num_samples": 2}
    best = generate(**asked, filtering_function="top_k", extra_body=more)
    return {
        "whole": generate(**asked, filtering_function="none").synthetic_data,
        "best": best.synthetic_data,
        "statistics": best.statistics,
        "people": generate(dialogs=[], filtering_function="none", extra_body=people).synthetic_data,
        "not_found": failure(lambda: generate(**asked | {"model": "none"}, filtering_function="none")),
        "refused": failure(lambda: generate(**asked, filtering_function="best")),
    }


def tool_groups(url: str, query: str) -> Any:
    """Groups of tools, what is in them, and a call of one."""
    at = client(url)
    at.toolgroups.register(toolgroup_id="mine::search", provider_id="search", args={"note": "x"})
    told = {
        "groups": sorted(each.identifier for each in at.toolgroups.list()),
        "group": at.toolgroups.get("mine::search").to_dict(),
        "tools": [_named(each) for each in at.tools.list(toolgroup_id="mine::search")],
        "listed": [_named(each) for each in at.tool_runtime.list_tools(tool_group_id="mine::search")],
        "tool": _named(at.tools.get("mine::search/web_search")),
        "of_server": failure(lambda: at.tool_runtime.list_tools(mcp_endpoint={"uri": "https://nowhere.test/mcp"})),
        "ambiguous": failure(lambda: at.tool_runtime.invoke_tool(tool_name="web_search", kwargs={"query": query})),
        "called": at.tool_runtime.invoke_tool(
            tool_name="mine::search/web_search",
            kwargs={"query": query},
            extra_headers={"x-llamastack-provider-data": '{"search_api_key": "of-the-caller"}'},
        ).to_dict(),
        "unknown": failure(lambda: at.tool_runtime.invoke_tool(tool_name="web_serch", kwargs={})),
    }
    at.toolgroups.unregister("mine::search")
    return {**told, "not_found": failure(lambda: at.toolgroups.get("mine::search"))}


def shields(url: str, model: str, other: str, texts: list[str]) -> Any:
    """A shield of one's own: registered, run on each text as the user's and as an answer, and removed."""
    at = client(url)
    settings = {"excluded_categories": ["S10"]}
    own = {"shield_id": "mine", "provider_id": "guard", "provider_shield_id": model, "params": settings}
    made = at.shields.register(**own)
    told = {
        "made": made.to_dict(),
        "listed": sorted(each.identifier for each in at.shields.list()),
        "read": at.shields.retrieve("mine").to_dict() == made.to_dict(),
        "found": [_violation(at, "mine", {"role": "user", "content": text}) for text in texts],
        "answered": [_violation(at, "mine", {"role": "user", "content": "Go on."}, _answered(text)) for text in texts],
        "conflict": failure(lambda: at.shields.register(**{**own, "provider_shield_id": other})),
        "unknown": failure(lambda: _violation(at, "mein", {"role": "user", "content": texts[0]})),
    }
    if hasattr(at.shields, "delete"):
        at.shields.delete("mine")
    else:
        at.delete("/v1/shields/mine", cast_to=object)
    return {**told, "not_found": failure(lambda: at.shields.retrieve("mine"))}


def scoring(url: str, rows: list[dict[str, Any]]) -> Any:
    """A scoring function of one's own: registered, and rows and a dataset of them scored by it and by another one."""
    at = client(url)
    dataset = {"purpose": "eval/question-answer", "source": {"type": "rows", "rows": rows}, "dataset_id": "answered"}
    at.post("/v1beta/datasets", cast_to=object, body=dataset)
    params = {"type": "basic", "aggregation_functions": ["accuracy"], "options": {"ignore_case": True}}
    at.scoring_functions.register(
        scoring_fn_id="mine",
        description="In any case",
        return_type={"type": "number"},
        provider_id="basic",
        provider_scoring_fn_id="equality",
        params=params,
    )
    functions: Any = {"mine": None, "basic::equality": None}
    scored = at.scoring.score(input_rows=rows, scoring_functions=functions).results
    of_dataset = at.scoring.score_batch(
        dataset_id="answered", scoring_functions=functions, save_results_dataset=False
    ).results
    unknown: Any = {"basic::equalty": None}
    told = {
        "listed": sorted(each.identifier for each in at.scoring_functions.list()),
        "read": at.scoring_functions.retrieve("mine").to_dict(),
        "scores": {name: [row["score"] for row in result.score_rows] for name, result in scored.items()},
        "accuracy": scored["mine"].aggregated_results["accuracy"]["accuracy"],
        "batch": {name: [row["score"] for row in result.score_rows] for name, result in of_dataset.items()},
        "unknown": failure(lambda: at.scoring.score(input_rows=rows, scoring_functions=unknown)),
        "column": failure(lambda: at.scoring.score(input_rows=[{"answer": "a"}], scoring_functions=functions)),
    }
    at.delete("/v1/scoring-functions/mine", cast_to=object)
    return {**told, "not_found": failure(lambda: at.scoring_functions.retrieve("mine"))}


def datasets(url: str, rows: list[dict[str, Any]]) -> Any:
    """A dataset: registered, listed, appended to and read page by page, also as it was before."""
    at = client(url)
    of = at.datasets if hasattr(at, "datasets") else at.beta.datasets
    source: Any = {"type": "rows", "rows": rows[:-1]}
    facts: Any = {"purpose": "eval/question-answer", "source": source, "dataset_id": "capitals"}
    if hasattr(of, "register"):
        of.register(**facts)
    else:
        at.post("/v1beta/datasets", cast_to=object, body=facts)
    before = of.iterrows("capitals").to_dict()
    if hasattr(of, "appendrows"):
        of.appendrows("capitals", rows=rows[-1:])
    else:
        at.post("/v1/datasetio/append-rows/capitals", cast_to=object, body={"rows": rows[-1:]})
    told = {
        "listed": [each.identifier for each in of.list()],
        "read": of.retrieve("capitals").to_dict(),
        "before": before,
        "page": of.iterrows("capitals", start_index=1, limit=1).to_dict(),
        "all": of.iterrows("capitals").to_dict(),
        "again": of.iterrows("capitals", extra_query={"version": before["version"]}).to_dict(),
    }
    at.delete("/v1beta/datasets/capitals", cast_to=object)
    return {**told, "not_found": failure(lambda: of.iterrows("capitals"))}


def coroutines(url: str, model: str) -> Any:
    """A stack as a library on the event loop of its caller: made in each way, asked whole and streamed."""
    from runtime.client import AsyncLlamaStackAsLibraryClient

    config, asked = url.removeprefix(LIBRARY), {"model": model, "messages": [{"role": "user", "content": SAY}]}

    async def use() -> Any:
        async with AsyncLlamaStackAsLibraryClient(config, state_dir=mkdtemp(), max_retries=0) as at:
            whole = await at.chat.completions.create(**asked)
            parts = await at.chat.completions.create(**asked, stream=True)
            texts = [part.choices[0].delta.content or "" async for part in parts if part.choices]
        at = await AsyncLlamaStackAsLibraryClient.create(config, state_dir=mkdtemp(), max_retries=0)
        try:
            await at.chat.completions.create(**asked | {"model": "none"})
        except Exception as error:
            refused = type(error).__name__
        providers = await at.with_options(timeout=60).providers.list()
        await at.aclose()
        return {
            "text": whole.choices[0].message.content,
            "streamed": "".join(texts),
            "refused": refused,
            "providers": [each.provider_id for each in providers],
        }

    return asyncio.run(use())


def _named(tool: Any) -> list[Any]:
    """Its name, and the names of its parameters as this version has them."""
    fields = tool.to_dict()
    schema = fields.get("input_schema") or {}
    names = [each["name"] for each in fields.get("parameters") or []] or list(schema.get("properties", {}))
    return [fields.get("name") or fields["identifier"], names]


def _answered(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "stop_reason": "end_of_turn"}


def _violation(at: Any, shield: str, *messages: dict[str, Any]) -> Any:
    """What a shield finds; its second field is required in older versions, and newer ones have none."""
    run = at.safety.run_shield
    params: dict[str, Any] = {"params": {}} if "params" in signature(run).parameters else {}
    found = run(shield_id=shield, messages=list(messages), **params).violation
    return found and [found.violation_level, found.user_message, found.metadata["violation_type"]]


def _chunk(text: str, document: str) -> dict[str, Any]:
    return {"content": text, "metadata": {"document_id": document}}


def _register(url: str, model: str) -> Any:
    provider_id, _, provider_model_id = model.partition("/")
    body = {"model_id": "own-name", "provider_id": provider_id, "provider_model_id": provider_model_id}
    if hasattr(client(url).models, "register"):
        return client(url).models.register(**body).to_dict()
    return client(url).post("/v1/models", body=body, cast_to=object)


if __name__ == "__main__":
    serve(
        PACKAGE,
        {
            **SCENARIOS,
            "described": described,
            "registered": registered,
            "kept": kept,
            "vector_dbs": vector_dbs,
            "earlier_inference": earlier_inference,
            "synthetic_data": synthetic_data,
            "tool_groups": tool_groups,
            "shields": shields,
            "scoring": scoring,
            "datasets": datasets,
            "agents": agents,
            "agent_classes": agent_classes,
            "coroutines": coroutines,
            "evaluations": evaluations,
            "evaluated_before": evaluated_before,
            "traced": traced,
        },
    )
