"""A worker: reads one document after another, and answers with chunks or the reason why there are none.

It is started by `worker.py` with a socket and nothing else: no variables with keys, no files, no output that is read.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import shutil
import socket
import traceback
import warnings
from typing import BinaryIO

import msgspec

from runtime.documents.chunking import cut
from runtime.documents.document import Document
from runtime.documents.tokens import cl100k
from runtime.errors import RequestError
from runtime.providers.file_processors._readers import images, read_before
from runtime.providers.file_processors._readers.reading import Reader, Reading
from runtime.providers.file_processors._readers.refusals import OVER_LIMIT, without_text
from runtime.providers.file_processors._worker import fence
from runtime.providers.file_processors._worker.answer import answer
from runtime.providers.file_processors._worker.messages import LENGTH_BYTES, NO_ANSWER, Outcome, Refusal, Task, framed


def main(descriptor: int) -> None:
    """Serve the socket with this descriptor until its other end closes."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # libraries quote documents in theirs
    found = (shutil.which(program) for program in (images.PROGRAM,))
    fence.close_fence(tuple(path for path in found if path is not None))
    with socket.socket(fileno=descriptor) as channel:
        channel.sendall(framed(Outcome()))  # ready
        while (received := _receive(channel)) is not None:
            task, file = received
            with file:
                outcome = _outcome(task, file)
            channel.sendall(framed(outcome))


def _receive(channel: socket.socket) -> tuple[Task, BinaryIO] | None:
    head, descriptors, _, _ = socket.recv_fds(channel, LENGTH_BYTES, 1)
    if not head:
        return None
    head += _exactly(channel, LENGTH_BYTES - len(head))
    task = msgspec.json.decode(_exactly(channel, int.from_bytes(head, "big")), type=Task)
    return task, os.fdopen(descriptors[0], "rb")


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _outcome(task: Task, file: BinaryIO) -> Outcome:
    refusal, missing, failure, found, is_spent = None, None, None, NO_ANSWER, False
    try:
        fence.limit_work(memory_bytes=task.limits.memory_bytes, cpu_s=task.limits.timeout_s)
        found = msgspec.Raw(_answer(task, file))
    except RequestError as error:
        refusal = Refusal(message=error.message, code=error.code, hint=error.hint)
    except MemoryError:
        is_spent = True
    except RecursionError:
        refusal = Refusal(message="The document is nested too deeply to be read", code=OVER_LIMIT, hint=None)
    except ModuleNotFoundError as error:
        missing = error.name or str(error)
    except Exception:
        failure = traceback.format_exc()
    if is_spent:
        fence.lift_memory_limit()
        gc.collect()
        words = f"Reading the document takes more than {task.limits.memory_bytes // 2**20} MiB of memory"
        refusal = Refusal(message=words, code=OVER_LIMIT, hint=None, may_pass=True)
    return Outcome(
        answer=found,
        refusal=refusal,
        missing=missing,
        failure=failure,
        memory_bytes=fence.memory_bytes(),
        is_spent=is_spent,
    )


def _answer(task: Task, file: BinaryIO) -> bytes:
    module, _, function = task.reader.partition(":")
    read: Reader = getattr(importlib.import_module(module), function)
    document = read(
        file,
        Reading(
            filename=task.filename,
            content_type=task.content_type,
            pages=None if task.pages is None else tuple(task.pages),
            max_pages=task.limits.max_pages,
            max_decompressed_bytes=task.limits.max_decompressed_bytes,
            settings=task.settings,
        ),
    ).storable()
    cleaned = document.cleaned() if task.clean_text or task.gives == "document" else document
    _check_length(cleaned, task.limits.max_text_bytes)
    if task.gives == "document":
        return read_before.written(document)  # not cleaned: that is up to whoever has it cut
    document = cleaned
    tokenizer = cl100k()
    chunks = cut(document, task.sizes, tokenizer)
    if not chunks:
        raise without_text(
            "The document has no text",
            hint="if its pages are images, they need a provider with OCR, such as `inline::docling`",
        )
    return answer(task, document, chunks, tokenizer)


def _check_length(document: Document, limit_bytes: int) -> None:
    length = sum(len(block.text.encode(errors="replace")) for block in document.blocks)
    if length > limit_bytes:
        raise RequestError(
            f"The document has {length} bytes of text, more than the {limit_bytes} that are read",
            code=OVER_LIMIT,
            hint="read it in parts with `page_range` in `options`" if document.page_count else None,
        )
