"""One collection of a MongoDB server: connected to at first use, and again by the driver once it can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from runtime.errors import TooLarge
from runtime.storage.mongodb.config import MongoKeyValueConfig
from runtime.storage.unavailable import server_unavailable

T = TypeVar("T")
Document = dict[str, Any]
_CONNECT_MS, _ANSWER_MS = 5_000, 30_000
_DURABLE = WriteConcern(w="majority", j=True)
EXPIRES_AT = "expires_at"
Duplicate = DuplicateKeyError
"""What an insert raises where the key is there already."""


class Collection:
    """The collection that `config` names, with an index by which the server removes what has expired.

    Raises Unavailable for settings that the driver refuses.
    """

    def __init__(self, config: MongoKeyValueConfig) -> None:
        self.place = config.place()
        try:
            self._client: AsyncMongoClient[Document] = AsyncMongoClient(**_options(config))
        except (PyMongoError, ValueError, OSError) as error:  # such as a `%` in a password that encodes nothing
            raise server_unavailable(self.place, "opened", error) from error
        database = self._client[config.db]
        self._documents = database.get_collection(config.collection_name, write_concern=_DURABLE)
        self._preparing = asyncio.Lock()
        self._is_ready = self._has_transactions = False

    async def ask(self, verb: str, ask: Callable[[AsyncCollection[Document]], Awaitable[T]]) -> T:
        """The result of `ask`. verb: for the message, `read` or `written`. Raises Unavailable; TooLarge for a value
        that is; Duplicate.
        """
        try:
            if not self._is_ready:
                await self._prepare()
            return await ask(self._documents)
        except Duplicate:
            raise
        except DocumentTooLarge as error:
            raise TooLarge("a value is too large for MongoDB, which takes 16 MB") from error
        except (PyMongoError, OSError) as error:
            reason = RuntimeError(str(error).split(", Timeout:")[0].split(" (configured timeouts")[0])
            raise server_unavailable(self.place, verb, reason) from error

    async def together(self, work: Callable[[AsyncCollection[Document], AsyncClientSession], Awaitable[T]]) -> T:
        """The result of `work`, all of whose changes are kept or none; what it raises undoes them. It may be done
        several times, where it collides with others. Raises as `ask`.
        """

        async def in_session(documents: AsyncCollection[Document]) -> T:
            async with self._client.start_session() as session:
                return await session.with_transaction(
                    lambda started: work(documents, started),
                    read_concern=ReadConcern("snapshot"),
                    write_concern=_DURABLE,
                )

        return await self.ask("written", in_session)

    async def has_transactions(self) -> bool:
        """Whether several documents can change together. Raises Unavailable."""
        if not self._is_ready:
            await self.ask("read", _nothing)
        return self._has_transactions

    async def close(self) -> None:
        await self._client.close()

    async def _prepare(self) -> None:
        async with self._preparing:
            if self._is_ready:
                return
            hello = await self._client.admin.command("hello")
            self._has_transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
            await self._documents.create_index(EXPIRES_AT, expireAfterSeconds=0)
            self._is_ready = True


def _options(config: MongoKeyValueConfig) -> dict[str, Any]:
    options: dict[str, Any] = {
        "serverSelectionTimeoutMS": _CONNECT_MS,
        "connectTimeoutMS": _CONNECT_MS,
        "socketTimeoutMS": _ANSWER_MS,
        "tz_aware": True,
    }
    if config.ca_cert_path:
        options["tlsCAFile"] = config.ca_cert_path
    if config.url is not None:
        return {**options, "host": config.url.get_secret_value()}
    if config.user is not None:
        password = config.password.get_secret_value() if config.password else None
        options |= {"username": config.user, "password": password}
    return {**options, "host": config.host, "port": config.port, "tls": config.tls}


async def _nothing(_: object) -> None:
    """Only to have it prepared."""
