"""A provider's key for the request being served: the caller's own, else the configured one."""

from __future__ import annotations

from runtime.context import current
from runtime.errors import AuthenticationError, Unavailable
from runtime.http.transport import Key


class ProviderKeys:
    """names: the fields of a caller's provider data that may have a key, the usual one first. configured: the key in
    the provider's config. hint: how to configure one: `set ACME_API_KEY`.
    """

    def __init__(self, provider_id: str, names: tuple[str, ...], *, configured: str | None, hint: str) -> None:
        self.provider_id = provider_id
        self._names = names
        self._configured = (configured or "").strip()
        self._own = Key(value=self._configured) if self._configured and _is_key(self._configured) else None
        self.how_to_give = f"{hint}, or send `{names[0]}` in X-LlamaStack-Provider-Data"

    def get(self) -> Key | None:
        """The key; None if there is none.

        Raises AuthenticationError for a caller's key that is not valid in a header, Unavailable for such a configured
        key.
        """
        if brought := current().provider_data:
            for name in self._names:
                value = brought.get(name)
                if isinstance(value, str):
                    value = value.strip()
                if value:
                    if not _is_key(value):
                        raise AuthenticationError(
                            f"`{name}` in X-LlamaStack-Provider-Data is not a valid key",
                            hint="a key is text of ASCII characters without line breaks",
                        )
                    return Key(value=value, is_callers=True)
        return self._own or self.configured()

    def needed(self) -> Key:
        """The key. Raises as `get` does, and AuthenticationError if there is none."""
        key = self.get()
        if key is None:
            raise AuthenticationError(f"provider `{self.provider_id}` has no key", hint=self.how_to_give)
        return key

    def configured(self) -> Key | None:
        """Only the configured key. Raises Unavailable if it is not valid in a header."""
        if self._own is None and self._configured:
            raise Unavailable(
                f"the key of provider `{self.provider_id}` is not valid: it contains a special character, such as "
                "a line break",
                hint=self.how_to_give,
            )
        return self._own


def _is_key(value: object) -> bool:
    """Whether a value is valid in a header."""
    return isinstance(value, str) and value.isascii() and value.isprintable()
