"""Whether a file can be a batch: all of its lines are looked at once, before there is a batch.

What OpenAI does when the batch has begun is done while it is created, so that who made the mistake is told at once. A
line for another endpoint, or one too many, is taken for the wrong file; any other malformed line is left out alone.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field

from runtime.apis.batches.batch import CreateBatchRequest
from runtime.apis.batches.limits import MAX_INPUT_BYTES, MAX_LINES
from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.errors import RequestError, TooLarge
from runtime.providers.batches._shared.input_lines import Line, Malformed, raw_lines, read_line

_SHOWN = 100


@dataclass(kw_only=True)
class Checked:
    """total: lines. models: that they name. malformed: those that cannot be asked, by number."""

    total: int = 0
    models: set[str] = field(default_factory=set)
    malformed: dict[int, Malformed] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model of all lines; None where they name several, or none."""
        return next(iter(self.models)) or None if len(self.models) == 1 else None


async def checked(files: Files, request: CreateBatchRequest) -> Checked:
    """Raises NotFound for an unknown file; RequestError for one of another purpose, without lines, with too many, with
    one that is too long or for another endpoint; TooLarge; and what reading the file raises.
    """
    file = await files.get_file(FileRequest(file_id=request.input_file_id))
    if file.purpose != "batch":
        raise _refused(
            f"The file `{file.id}` has the purpose `{file.purpose}`",
            "upload it with the purpose `batch`",
            "file_purpose",
        )
    if file.bytes > MAX_INPUT_BYTES:
        raise TooLarge(
            f"The file `{file.id}` has {file.bytes} bytes; a batch may have {MAX_INPUT_BYTES}",
            hint="split it into several files",
            param="input_file_id",
        )
    found, ids = Checked(), dict[str, int]()
    async with aclosing(raw_lines(files, file.id)) as lines:
        async for number, raw in lines:
            found.total += 1
            if found.total > MAX_LINES:
                raise _refused(
                    f"Line {number} of the file is one too many; a batch may have {MAX_LINES}",
                    "split it into several files",
                    "too_many_lines",
                )
            line = _once(read_line(number, raw), ids)
            if isinstance(line, Malformed):
                found.malformed[number] = line
            elif line.url != request.endpoint:
                raise _refused(
                    f"Line {number} of the file asks `{line.url[:_SHOWN]}`, but the endpoint of the batch is"
                    f" `{request.endpoint}`",
                    "all lines of a batch ask one endpoint",
                    "mismatched_endpoint",
                )
            else:
                found.models.add(line.model)
    if not found.total:
        raise _refused(f"The file `{file.id}` has no lines", "write a request on each line", "empty_file")
    return found


def _once(line: Line | Malformed, ids: dict[str, int]) -> Line | Malformed:
    """The line, unless an earlier one has its `custom_id`. ids: the number of the first line with each."""
    if isinstance(line, Malformed):
        return line
    first = ids.setdefault(line.custom_id, line.number)
    if first == line.number:
        return line
    message = f"`custom_id` is also that of line {first}"
    return Malformed(line.number, line.custom_id, "duplicate_custom_id", message, "custom_id")


def _refused(message: str, hint: str, code: str) -> RequestError:
    return RequestError(message, hint=hint, param="input_file_id", code=code)
