"""Every error a caller can meet, with its HTTP status and OpenAI error type. Imports nothing else of ours.

    StackError                     500 server_error
    ├── RequestError               400 invalid_request_error
    │   ├── AuthenticationError    401 authentication_error
    │   ├── AccessDenied           403 permission_error
    │   ├── NotFound               404 invalid_request_error
    │   ├── MethodNotAllowed       405 invalid_request_error
    │   ├── RequestTimeout         408 invalid_request_error    the rest of the request did not come
    │   ├── Conflict               409 conflict_error
    │   ├── TooLarge               413 invalid_request_error
    │   │   └── HeadTooLarge       431 invalid_request_error
    │   ├── RangeNotSatisfiable    416 invalid_request_error
    │   ├── UnsupportedMedia       415 invalid_request_error    a body whose type or compression we cannot read
    │   └── RateLimited            429 rate_limit_error
    ├── NotSupported               501 not_supported_error      a field, tool or route that is not supported here
    ├── Unavailable                503 unavailable_error        a provider that is down, loading or has no key
    │   └── StorageFull            a database whose disk has no room
    ├── UpstreamError              502 upstream_error           the vendor failed, or its answer makes no sense
    │   ├── UpstreamRejected       the vendor's own 4xx         passed on with the vendor's message
    │   ├── UpstreamUnreachable    503 upstream_error           nothing of the request was sent
    │   └── UpstreamTimeout        504 upstream_error
    └── ConfigInvalid              every problem of a run config, template or command line choice at once

`ValueError` and `KeyError` are left to mean a bug of ours: they become a 500.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

_NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's clients repeat a request after a 409 or any 5xx, unless the answer has this header."""


class StackError(Exception):
    """An error with a message for the person who caused it or sees it.

    message: what happened, and to what. hint: what to do next. param: the wrong field of the request. code: a stable
    word for programs. headers: sent with the answer, such as `retry-after`, in addition to the class's `fixed_headers`.

    kept_as: the message as it may be kept, where it quotes a request, of which nothing is; None where it quotes none.
    """

    kept_as: str | None = None
    status = 500
    type = "server_error"
    code: str | None = None
    fixed_headers: ClassVar[Mapping[str, str]] = _NO_RETRY  # the work may have been done before it failed

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param
        self.code = code or type(self).code
        self.headers = {**self.fixed_headers, **(headers or {})}

    @property
    def words(self) -> str:
        """The message with its hint."""
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def saying(self, message: str, *, param: str | None) -> Self:
        """The same error in other words. This one stays as it is: it may have been raised for others too."""
        other = type(self).__new__(type(self), message)
        vars(other).update(vars(self), message=message, param=param)
        return other

    def for_another(self) -> Self:
        """The same error for somebody else. It keeps nothing of the functions that this one was raised in: their
        variables may hold much memory.
        """
        return self.saying(self.message, param=self.param)

    def body(self) -> dict[str, object]:
        """OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`; the hint is part of the message."""
        return {"error": {"message": self.words, "type": self.type, "param": self.param, "code": self.code}}


def unforeseen() -> StackError:
    """What is told in place of an exception that nobody expected, whose words may hold anything: they are logged."""
    return StackError("The server failed on this request; its log says why", code="internal_error")


class RequestError(StackError):
    """The caller's request is wrong and the same request will fail again, but for one that `may_pass`: as what it lacks
    is time, memory or a turn of this machine.
    """

    status = 400
    type = "invalid_request_error"
    may_pass: bool = False
    fixed_headers: ClassVar[Mapping[str, str]] = {}


class AuthenticationError(RequestError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class AccessDenied(RequestError):
    status = 403
    type = "permission_error"
    code = "access_denied"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"
    may_pass = True


class Conflict(RequestError):
    status = 409
    type = "conflict_error"
    code = "conflict"
    fixed_headers = _NO_RETRY


class TooLarge(RequestError):
    status = 413
    code = "request_too_large"


class HeadTooLarge(TooLarge):
    status = 431
    code = "request_head_too_large"


class UnsupportedMedia(RequestError):
    status = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(RequestError):
    status = 416
    code = "range_not_satisfiable"


class RateLimited(RequestError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    may_pass = True


class NotSupported(StackError):
    status = 501
    type = "not_supported_error"
    code = "not_supported"


class Unavailable(StackError):
    status = 503
    type = "unavailable_error"
    code = "unavailable"
    fixed_headers: ClassVar[Mapping[str, str]] = {}


class StorageFull(Unavailable):
    """A database whose disk has no room, which makes some if it is told what may go."""

    code = "storage_unavailable"


class UpstreamError(StackError):
    """A vendor's server failed. provider_id: whose; upstream_status: what it answered, if it did. type: the vendor's
    own; more: other members of the vendor's error object.
    """

    status = 502
    type = "upstream_error"
    code = "upstream_error"
    fixed_headers: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        message: str,
        *,
        provider_id: str,
        upstream_status: int | None = None,
        hint: str | None = None,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        more: Mapping[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, param=param, code=code, headers=headers)
        self.provider_id = provider_id
        self.upstream_status = upstream_status
        self.more = dict(more or {})
        if type:
            self.type = type

    def body(self) -> dict[str, object]:
        """OpenAI's shape, with the vendor's other members beside OpenAI's own."""
        body = super().body()
        error = body["error"]
        assert isinstance(error, dict)
        return {"error": {**self.more, **error}} if self.more else body


class UpstreamRejected(UpstreamError):
    """The vendor refused the request: its status, type, code and message are passed on."""

    def __init__(
        self, message: str, *, provider_id: str, upstream_status: int, type: str | None = None, **options: object
    ):
        ours = {error.status: error.type for error in (AuthenticationError, AccessDenied, RateLimited)}
        super().__init__(
            message,
            provider_id=provider_id,
            upstream_status=upstream_status,
            type=type or ours.get(upstream_status, RequestError.type),
            **options,  # type: ignore[arg-type]  # the same keywords
        )
        self.status = upstream_status


class UpstreamUnreachable(UpstreamError):
    """The vendor's server cannot be reached, so that nothing of the request was sent: it may be sent again."""

    status = 503
    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with a configuration. line counts from 1; path is a key path such as
    `providers.inference[0].config`.
    """

    message: str
    path: str = ""
    file: str | None = None
    line: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        return f"{text} ({self.hint})" if self.hint else text


class ConfigInvalid(StackError):
    """A configuration that cannot be used; `problems` has every problem that was found.

    sound: the parts that could be read, so that they can be checked for more problems.
    """

    code = "config_invalid"

    def __init__(
        self, problems: Sequence[Problem], *, what: str = "configuration", sound: object | None = None
    ) -> None:
        self.problems = tuple(problems)
        self.sound = sound
        count = len(self.problems)
        head = f"the {what} has {count} problem{'' if count == 1 else 's'}"
        super().__init__("\n  ".join([head, *map(str, self.problems)]))

    def of_options(self) -> tuple[str, str | None] | None:
        """Message and hint if all problems are in options of the command line; None if a file has one."""
        if not self.problems or not all(problem.path.startswith("--") for problem in self.problems):
            return None
        if len(self.problems) == 1:
            [problem] = self.problems
            return f"`{problem.path}`: {problem.message}", problem.hint
        return ConfigInvalid(self.problems, what="command line").message, None
