"""A provider's key for the request being served: the caller's own, else the configured one."""

from __future__ import annotations

from runtime.context import current
from runtime.errors import AuthenticationError, Unavailable
from runtime.http.transport import Key


class ProviderKeys:
    """names: the fields of a caller's provider data that hold a key, the usual one first. configured: of the provider's
    config. hint: how to configure one: `set ACME_API_KEY`.
    """

    def __init__(self, provider_id: str, names: tuple[str, ...], *, configured: str | None, hint: str) -> None:
        self.provider_id = provider_id
        self._names = names
        self._configured = (configured or "").strip()
        self._own = Key(value=self._configured) if self._configured and _is_key(self._configured) else None
        self.how_to_give = f"{hint}, or send `{names[0]}` in X-LlamaStack-Provider-Data"

    def get(self) -> Key | None:
        """The key; None where nobody gave one.

        Raises AuthenticationError for a caller's key that no header can hold, Unavailable for such a configured one.
        """
        if brought := current().provider_data:
            for name in self._names:
                if value := brought.get(name):
                    if not _is_key(value):
                        raise AuthenticationError(f"`{name}` in X-LlamaStack-Provider-Data holds what no key holds")
                    return Key(value=value, is_callers=True)
        return self._own or self.configured()

    def needed(self) -> Key:
        """The key. Raises as `get`, and AuthenticationError where nobody gave one."""
        key = self.get()
        if key is None:
            raise AuthenticationError(f"provider `{self.provider_id}` has no key", hint=self.how_to_give)
        return key

    def configured(self) -> Key | None:
        """The configured key alone. Raises Unavailable for one that no header can hold."""
        if self._own is None and self._configured:
            raise Unavailable(
                f"the key of provider `{self.provider_id}` holds what no key holds, such as a line break",
                hint=self.how_to_give,
            )
        return self._own


def _is_key(value: object) -> bool:
    """Whether a header can hold it."""
    return isinstance(value, str) and value.isascii() and value.isprintable()
