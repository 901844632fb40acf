"""The stack as a library: the same application as the server's, in the caller's process and without a socket."""

from runtime.client.clients import AsyncLlamaStackAsLibraryClient, LlamaStackAsLibraryClient

__all__ = ["AsyncLlamaStackAsLibraryClient", "LlamaStackAsLibraryClient"]
