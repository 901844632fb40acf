"""The providers of one API: finds an adapter's method, or the reason why it cannot be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runtime.errors import NotFound, NotSupported, RequestError, StackError, TooLarge, Unavailable
from runtime.outage import Outage
from runtime.provider import LimitsUploads
from runtime.similar import hint_for_provider, hint_if_off

Method = Callable[[Any], Any]


class Adapters:
    """The providers of one API. adapters: by provider id. down: for a provider that does not run, why and since
    when. Both change while the stack runs. off: how to turn on each that is off, for messages.
    """

    def __init__(
        self, api: str, adapters: Mapping[str, Any], down: Mapping[str, Outage], off: Mapping[str, str]
    ) -> None:
        self._api = api
        self._adapters = adapters
        self._down = down
        self._off = off

    def method(self, provider_id: str, name: str, *, what: str = "") -> Method:
        """An adapter's method. what: the resource that the request names, for messages.

        Raises Unavailable with the reason and since when if the provider is down, NotFound if it is not configured,
        NotSupported if its adapter does not have the method.
        """
        adapter = self._adapters.get(provider_id)
        if adapter is None:
            raise self._missing(provider_id, what)
        method: Method | None = getattr(adapter, name, None)
        if method is None:
            raise NotSupported(f"Provider `{provider_id}` of the API {self._api} does not offer `{name}`")
        return method

    def only(self, key: str | None = None) -> str:
        """The id of the API's only provider. key: the request's field that can choose a provider, for messages.

        Raises RequestError if there are several, Unavailable if there is none.
        """
        ids = dict.fromkeys([*self._adapters, *self._down])
        if len(ids) == 1:
            return next(iter(ids))
        if not ids:
            raise Unavailable(f"The API {self._api} is not available: no provider is configured")
        raise RequestError(
            f"Several providers could answer this, but the request names none: {', '.join(f'`{one}`' for one in ids)}",
            hint=f"give `{key}`" if key else None,
            param=key,
        )

    def first_with(self, name: str) -> str:
        """The id of the first provider that has a method. Raises Unavailable where only one that does not run may have
        it, NotSupported where none has it.
        """
        for provider_id, adapter in self._adapters.items():
            if getattr(adapter, name, None) is not None:
                return provider_id
        if self._down:
            whys = "; ".join(f"`{provider_id}`: {outage}" for provider_id, outage in self._down.items())
            raise Unavailable(f"No provider of the API {self._api} that runs offers `{name}`: {whys}")
        raise NotSupported(f"No provider of the API {self._api} offers `{name}`")

    def check_upload(self, name: str, size_bytes: int) -> None:
        """Raises TooLarge if no provider takes a file of this size in a call of the method `name`."""
        refusal: TooLarge | None = None
        for adapter in self._adapters.values():
            if not isinstance(adapter, LimitsUploads):
                return
            try:
                adapter.check_upload(name, size_bytes)
            except TooLarge as error:
                refusal = error
            else:
                return
        if refusal is not None:
            raise refusal

    def _missing(self, provider_id: str, what: str) -> StackError:
        if (outage := self._down.get(provider_id)) is not None:
            subject = what or f"The API {self._api}"
            return Unavailable(f"{subject} is not available: {outage}", code="provider_unavailable")
        if what:
            return NotFound(
                f"{what} belongs to provider `{provider_id}`, which does not run here",
                hint=hint_if_off(provider_id, self._off),
                code="provider_not_found",
            )
        return NotFound(
            f"No provider of the API {self._api} has the id `{provider_id}`",
            hint=hint_for_provider(provider_id, self._adapters, self._off),
            param="provider_id",
            code="provider_not_found",
        )
