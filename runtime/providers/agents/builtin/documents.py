"""The documents of a session that its agent searches: they are kept in a vector store of the session's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.apis._earlier.content import EarlierUrl
from runtime.apis.agents.turn import AgentDocument
from runtime.apis.vector_stores.older import InsertDocumentsRequest, RegisterVectorDbRequest, VectorDbRequest
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.errors import Conflict, NotFound, NotSupported, RequestError
from runtime.ids import new_id
from runtime.sse import Json

SEARCH = "knowledge_search"
_GROUPS = ("builtin::rag", "builtin::file_search")
"""The groups that have it."""
_STORES, _OTHER_STORES = "vector_store_ids", "vector_db_ids"


def searches(tool: Json) -> bool:
    """Whether a tool of a response is, or has, the search."""
    allowed = tool.get("allowed_tools")
    return SEARCH in allowed if allowed is not None else tool["tool_group"] in _GROUPS


def store_of(session_id: str) -> str:
    """The id of a session's store."""
    return f"documents-of-{session_id}"


def with_store(tools: Iterable[Json], store_id: str) -> list[Json]:
    """The tools, where the search looks into this store too. Raises RequestError for stores that are no list."""
    return [_searching(tool, store_id) if searches(tool) else tool for tool in tools]


class Documents:
    """stores: None where no provider serves them."""

    def __init__(self, stores: VectorStores | None) -> None:
        self._stores = stores

    async def keep(self, documents: Sequence[AgentDocument], session_id: str) -> None:
        """Raises NotSupported where there are no vector stores, and what keeping documents raises."""
        store_id, stores = store_of(session_id), self._stores
        if stores is None:
            raise NotSupported(f"Documents for `{SEARCH}` need a provider of `vector_stores`", param="documents")
        try:
            await stores.get_vector_db(VectorDbRequest(vector_db_id=store_id))
        except NotFound:
            await self._begin(stores, store_id)
        given = [_document(document) for document in documents]
        await stores.insert_documents(
            InsertDocumentsRequest.model_validate({"documents": given, "vector_db_id": store_id})
        )

    async def forget(self, session_id: str) -> None:
        """Delete the session's store, if there is one."""
        if self._stores is not None:
            try:
                await self._stores.unregister_vector_db(VectorDbRequest(vector_db_id=store_of(session_id)))
            except NotFound:
                return

    async def _begin(self, stores: VectorStores, store_id: str) -> None:
        try:
            await stores.register_vector_db(RegisterVectorDbRequest(vector_db_id=store_id))
        except Conflict:  # another turn has begun it meanwhile
            return


def _searching(tool: Json, store_id: str) -> Json:
    given = tool.get("args") or {}
    args = {name: value for name, value in given.items() if name not in (_STORES, _OTHER_STORES)}
    named = given.get(_STORES) or given.get(_OTHER_STORES) or []
    if not isinstance(named, list):
        raise RequestError(
            f"`args` of the tool group `{tool['tool_group']}`: `{_STORES}` is no list",
            hint=f'give a list of ids, such as `"{_STORES}": ["vs_1"]`',
            param="toolgroups",
        )
    return {**tool, "args": {**args, _STORES: [*named, store_id]}}


def _document(document: AgentDocument) -> Json:
    content = document.content
    if isinstance(content, EarlierUrl):
        said: object = {"uri": content.uri}
    elif isinstance(content, list):
        said = [part.model_dump(mode="json") for part in content]
    else:
        said = content if isinstance(content, str) else content.model_dump(mode="json")
    return {"document_id": new_id("document-"), "content": said, "mime_type": document.mime_type, "metadata": {}}
