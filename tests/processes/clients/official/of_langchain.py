"""LangChain's models for OpenAI: chat, tools, structured output, embeddings; and a vector store as its retriever."""

from __future__ import annotations

from typing import Any

from animals import QUESTION, WILD, AnimalStore
from driver import PERSON, SAY, TEXTS, TOOLS, USE_TOOLS, failure, serve, use
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from openai import OpenAI as Client
from person import Person


@tool(args_schema=TOOLS["get_weather"])
def get_weather(**arguments: Any) -> str:
    """Tells the weather."""
    return use("get_weather", arguments)


@tool(args_schema=TOOLS["get_time"])
def get_time(**arguments: Any) -> str:
    """Tells the time."""
    return use("get_time", arguments)


_TOOLS = {each.name: each for each in (get_weather, get_time)}


def model_of(url: str, model: str, **fields: Any) -> ChatOpenAI:
    return ChatOpenAI(model=model, **_at(url), **fields)


def chat(url: str, model: str, **fields: Any) -> Any:
    answer = model_of(url, model, **fields).invoke(SAY)
    finish = answer.response_metadata["finish_reason"]
    return {"text": answer.content, "finish": finish, "usage": _usage(answer.usage_metadata)}


def stream(url: str, model: str, **fields: Any) -> Any:
    chunks = list(model_of(url, model, stream_usage=True, **fields).stream(SAY))
    whole = _sum(chunks)
    return {
        "text": whole.content,
        "parts": sum(bool(chunk.content) for chunk in chunks),
        "finish": whole.response_metadata["finish_reason"],
        "usage": _usage(whole.usage_metadata),
    }


def tools(url: str, model: str) -> Any:
    bound = model_of(url, model).bind_tools(list(_TOOLS.values()))
    asked = HumanMessage(USE_TOOLS)
    said = bound.invoke([asked])
    told = [ToolMessage(_TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]) for call in said.tool_calls]
    return {"calls": _calls(said), "answer": bound.invoke([asked, said, *told]).content}


def streamed_tools(url: str, model: str) -> Any:
    chunks = list(model_of(url, model).bind_tools(list(_TOOLS.values())).stream(USE_TOOLS))
    return _calls(_sum(chunks))


def structured(url: str, model: str) -> Any:
    told = {}
    for method in ("json_schema", "function_calling"):
        made = model_of(url, model).with_structured_output(Person, method=method).invoke(PERSON)
        told[method] = made.model_dump()
    return told


def responses(url: str, model: str) -> Any:
    at = _by_responses(url, model)
    whole, chunks = at.invoke(SAY), list(at.stream(SAY))
    streamed = _sum(chunks)
    parts = [chunk.text for chunk in chunks if chunk.text]
    return {
        "text": whole.text, "usage": _usage(whole.usage_metadata), "status": whole.response_metadata["status"],
        "streamed": streamed.text, "streamed_usage": _usage(streamed.usage_metadata), "parts": len(parts),
        "joined": "".join(parts),
    }  # fmt: skip


def response_tools(url: str, model: str, streams: bool) -> Any:
    bound = _by_responses(url, model, use_previous_response_id=True).bind_tools(list(_TOOLS.values()))

    def ask(messages: list[Any]) -> Any:
        return _sum(list(bound.stream(messages))) if streams else bound.invoke(messages)

    messages: list[Any] = [HumanMessage(USE_TOOLS)]
    calls = []
    while (said := ask(messages)).tool_calls:
        calls += _calls(said)
        told = [_TOOLS[call["name"]].invoke(call["args"]) for call in said.tool_calls]
        ids = [call["id"] for call in said.tool_calls]
        messages += [said, *(ToolMessage(text, tool_call_id=id) for text, id in zip(told, ids, strict=True))]
    again = ask([*messages, said, HumanMessage(SAY)])
    return {"calls": calls, "answer": said.text, "again": again.text}


def response_structured(url: str, model: str) -> Any:
    told = {}
    for method in ("json_schema", "function_calling"):
        made = _by_responses(url, model).with_structured_output(Person, method=method).invoke(PERSON)
        told[method] = made.model_dump()
    return told


def completion(url: str, model: str, **fields: Any) -> Any:
    completions = OpenAI(model=model, max_tokens=6, **_at(url), **fields)
    return {"whole": completions.invoke(SAY), "streamed": "".join(completions.stream(SAY))}


def embeddings(url: str, model: str) -> Any:
    """Without the check of the length, which counts tokens with a vocabulary that it would download."""
    model_at = OpenAIEmbeddings(model=model, check_embedding_ctx_length=False, **_at(url))
    return {"default": model_at.embed_documents(TEXTS), "single": [model_at.embed_query(text) for text in TEXTS]}


class StoreRetriever(BaseRetriever):
    """What a vector store finds, as LangChain's documents."""

    url: str
    store_id: str
    filters: dict[str, Any]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        hits = Client(**_at(self.url)).vector_stores.search(self.store_id, query=query, filters=self.filters)
        return [
            Document(hit.content[0].text, metadata={"filename": hit.filename, "attributes": hit.attributes})
            for hit in hits
        ]


def stores(url: str) -> Any:
    store = AnimalStore(Client(**_at(url)))
    found = StoreRetriever(url=url, store_id=store.id, filters=WILD).invoke(QUESTION)
    hits = [[each.metadata["filename"], each.metadata["attributes"], each.page_content] for each in found]
    return {"hits": hits, "deleted": store.remove()}


def not_found(url: str, model: str) -> Any:
    return failure(lambda: model_of(url, model).invoke(SAY))


def bad_request(url: str, model: str) -> Any:
    return failure(lambda: model_of(url, model, frequency_penalty=9).invoke(SAY))


def leave(url: str, model: str) -> Any:
    parts = model_of(url, model).stream(SAY)
    next(parts)
    parts.close()
    return 1


def broken(url: str, model: str) -> Any:
    return failure(lambda: list(model_of(url, model).stream(SAY)))


def _by_responses(url: str, model: str, **fields: Any) -> ChatOpenAI:
    return model_of(url, model, use_responses_api=True, output_version="responses/v1", **fields)


def _sum(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def _at(url: str) -> dict[str, Any]:
    return {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0, "timeout": 120}


def _usage(usage: Any) -> list[int]:
    return [usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]]


def _calls(message: Any) -> list[dict[str, Any]]:
    return [{"name": call["name"], "arguments": call["args"]} for call in message.tool_calls]


SCENARIOS = (
    chat, stream, tools, streamed_tools, structured, completion, embeddings, stores, not_found, bad_request, leave,
    broken, responses, response_tools, response_structured,
)  # fmt: skip

if __name__ == "__main__":
    serve("langchain-openai", {scenario.__name__: scenario for scenario in SCENARIOS})
