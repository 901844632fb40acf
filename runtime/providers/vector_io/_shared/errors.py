"""What goes wrong with a vector database, in the same words for each of them."""

from __future__ import annotations

from runtime.errors import Conflict, NotFound, RequestError, Unavailable, UpstreamError

FLOAT_BYTES = 4


def no_collection(name: str) -> NotFound:
    return NotFound(f"There is no collection `{name}`", code="collection_not_found")


def other_dimension(name: str, *, has: int, asked: int) -> Conflict:
    return Conflict(f"The collection `{name}` has vectors of {has} numbers, not of {asked}", code="other_dimension")


def unavailable(provider_id: str, error: BaseException, *, hint: str) -> Unavailable:
    """error: what the database or its library says; its first line is the reason."""
    words = (isinstance(error, OSError) and error.strerror) or str(error)
    reason = next(iter(words.strip().splitlines()), type(error).__name__)
    ours = Unavailable(
        f"The vector database `{provider_id}` cannot be used: {reason}",
        hint=hint,
        code="vectors_unavailable",
    )
    ours.__cause__ = error
    return ours


def senseless(provider_id: str, error: BaseException, *, place: str) -> UpstreamError:
    """error: what its answer led to."""
    return UpstreamError(
        f"The vector database `{provider_id}` gave an answer that makes no sense ({type(error).__name__})",
        provider_id=provider_id,
        hint=f"check that {place} is what the provider's config names, and in a version that is known to work",
        code="senseless_answer",
    )


def check_dimension(name: str, vectors: bytes, *, count: int, dimension: int) -> None:
    """Raises RequestError if these are not `count` vectors of `dimension` numbers."""
    if len(vectors) != count * dimension * FLOAT_BYTES:
        each = f"{len(vectors) / (count * FLOAT_BYTES):g}" if count else "some"
        raise RequestError(
            f"The collection `{name}` has vectors of {dimension} numbers, not of {each}",
            param="vectors",
            code="wrong_dimension",
        )


def check_dimensions(dimension: int, *, least: int = 1, most: int) -> None:
    """Raises RequestError for vectors that are shorter or longer than a database takes."""
    if not least <= dimension <= most:
        raise RequestError(
            f"This vector database takes vectors of {least} to {most} numbers, not of {dimension}",
            hint="use another one, or an embedding model whose vectors have so many",
            param="dimension",
            code="too_many_dimensions" if dimension > most else "too_few_dimensions",
        )
