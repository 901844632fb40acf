"""The operations of the API `batches`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis.batches.batch import Batch, BatchList, BatchRequest, CreateBatchRequest, ListBatchesRequest
from runtime.errors import Conflict, NotSupported, Unavailable


class Batches(Protocol):
    """A caller's own batches and those of users with whom the caller shares a group; any other is a 404."""

    @route(
        "POST",
        "/v1/batches",
        aliases=("/v1/openai/v1/batches",),
        raises=(Conflict, NotSupported, Unavailable),
    )
    async def create_batch(self, request: CreateBatchRequest) -> Batch:
        """Answer the requests of a file in the background; it goes on after a restart.

        400 for a file that is empty or too large, or has a line for another endpoint, which it names; other malformed
        lines are in `errors`. 404 for an unknown file, 409 for an `idempotency_key` of another request.
        """
        ...

    @route("GET", "/v1/batches", aliases=("/v1/openai/v1/batches",), raises=(Unavailable,))
    async def list_batches(self, request: ListBatchesRequest) -> BatchList:
        """The caller's batches, the newest first. 400 for a cursor that is no batch's id."""
        ...

    @route("GET", "/v1/batches/{batch_id}", aliases=("/v1/openai/v1/batches/{batch_id}",), raises=(Unavailable,))
    async def get_batch(self, request: BatchRequest) -> Batch:
        """How far a batch is. 404 for an unknown one."""
        ...

    @route(
        "POST",
        "/v1/batches/{batch_id}/cancel",
        aliases=("/v1/openai/v1/batches/{batch_id}/cancel",),
        raises=(Conflict, Unavailable),
    )
    async def cancel_batch(self, request: BatchRequest) -> Batch:
        """Give a batch up, and keep what is answered by then. 404 for an unknown one, 409 for one that has ended."""
        ...
