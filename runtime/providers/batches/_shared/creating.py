"""What is kept of a batch when it is created."""

from __future__ import annotations

from hashlib import sha256

from runtime.access import Caller, User
from runtime.apis.batches.batch import CreateBatchRequest
from runtime.ids import new_position, ordered_id
from runtime.providers.batches._shared.asking import malformed
from runtime.providers.batches._shared.checking import Checked
from runtime.providers.batches._shared.input_lines import Malformed
from runtime.providers.batches._shared.kept_lines import inserts
from runtime.providers.batches._shared.tables import BATCHES, TOKENS
from runtime.sse import Json
from runtime.storage.sql import Insert

WINDOW_S = 24 * 3600
_PREFIX, _DIGITS = "batch_", 32
_SHOWN = 100


def identity(request: CreateBatchRequest, user: Caller) -> tuple[str, int]:
    """The id of a new batch, and its place among others. With an `idempotency_key` the id is the same each time, of
    one user.
    """
    position = new_position()
    if request.idempotency_key is None:
        return ordered_id(_PREFIX, position), position
    whose = f"user {user.principal}" if isinstance(user, User) else "nobody"
    digest = sha256(f"{len(whose)} {whose} {request.idempotency_key}".encode()).hexdigest()
    return _PREFIX + digest[:_DIGITS], position


def said(request: CreateBatchRequest) -> Json:
    """What is kept of the request, and compared with that of another one with its key."""
    return request.model_dump(mode="json", exclude={"idempotency_key"}, exclude_none=True)


def new_rows(batch_id: str, position: int, request: CreateBatchRequest, found: Checked) -> list[Insert]:
    """The statements that keep a new batch with its malformed lines, which are the first to have ended."""
    wrong = found.malformed.values()
    created = position // 1_000_000
    row = {
        "id": batch_id,
        "position": position,
        "created": created,
        "expires": created + WINDOW_S,
        "status": "validating",
        "request": said(request),
        "model": found.model,
        "errors": [_error(line) for line in [*wrong][:_SHOWN]] or None,
        "total": found.total,
        "completed": 0,
        "failed": len(wrong),
        **dict.fromkeys(TOKENS, 0),
    }
    return [Insert(BATCHES, row), *inserts(batch_id, map(malformed, wrong))]


def _error(line: Malformed) -> Json:
    return {"code": line.code, "message": line.message, "param": line.param, "line": line.number}
