"""Files in an S3 bucket, as objects that are named by their ids.

obstore talks to the bucket: Rust, without threads of ours, a tenth of boto3's memory, and it stops a multipart upload
that is not finished. What it lacks, to see whether the bucket is there and to make it, are requests that it signs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from runtime.addresses import place_of
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.files._shared.backend import NewFile
from runtime.providers.files._shared.batches import batches
from runtime.providers.files._shared.service import FileService
from runtime.providers.files.s3.client import client_options, retry_config
from runtime.providers.files.s3.config import S3FilesConfig

if TYPE_CHECKING:
    from obstore.store import S3Config

_PART_BYTES = 5 * 1024**2
"""The least that S3 takes as a part of several: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""
_WRITE_BYTES = 1024**2
_READ_BYTES = 4 * 1024**2
_AT_ONCE = 2
_SIGNED_FOR = timedelta(minutes=1)
_REASON = re.compile(r"<Code>([^<]*)</Code>.*?<Message>([^<]*)</Message>", re.DOTALL)


def s3_files(config: S3FilesConfig, context: ProviderContext) -> FileService:
    """The files of a provider. Raises Unavailable if its state folder cannot be written."""
    return FileService(config, context, Bucket(config, context.http, name=context.provider_id))


class Bucket:
    """Implements `FileBackend`. http: for what obstore does not do. name: the provider's, for messages."""

    new_file = "file-"
    is_local = False

    def __init__(self, config: S3FilesConfig, http: HttpClient, *, name: str) -> None:
        self._config = config
        self._http = http
        self._name = name
        self._store = S3Store(
            config.bucket_name,
            config=_settings(config),
            client_options=client_options(config),
            retry_config=retry_config(config.network),
        )

    async def check(self) -> None:
        """Raises Unavailable or UpstreamError if the bucket cannot be used; it is made if the config says so."""
        status, region = await self._asked("HEAD")
        if status == 404 and self._config.auto_create_bucket:
            status, region = await self._asked("PUT", _location(self._config))
        if status < 300:
            return
        bucket = self._config.bucket_name
        if region and region != self._config.region:
            raise self._unavailable(f"the bucket is in the region `{region}`, not `{self._config.region}`")
        if status == 404:
            raise self._unavailable(f"there is no bucket `{bucket}`", hint="make it, or set `auto_create_bucket`")
        raise self._unavailable(f"it answered {status}", hint="are the key and its rights those of the bucket?")

    async def put(self, new: NewFile, content: AsyncIterable[bytes]) -> str:
        """Raises Unavailable, and what `content` raises; then the bucket has nothing of it."""
        with self._translated():
            writer = obstore.open_writer_async(
                self._store, self._key(new.id), buffer_size=_PART_BYTES, max_concurrency=_AT_ONCE
            )
            async with writer as object_:
                async for chunks in batches(content, _WRITE_BYTES):
                    await object_.write(b"".join(chunks))
        return new.id

    async def read(self, file_id: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """Raises Unavailable. One request for every few megabytes, so that each has a time limit and is retried."""
        while begin < end:
            upto = min(end, begin + _READ_BYTES)
            with self._translated():
                data = await obstore.get_range_async(self._store, self._key(file_id), start=begin, end=upto)
            yield data.to_bytes()
            begin = upto

    async def remove(self, file_id: str) -> None:
        """Raises Unavailable."""
        with self._translated():
            await obstore.delete_async(self._store, self._key(file_id))

    def _key(self, file_id: str) -> str:
        return self._config.key_prefix + file_id

    async def _asked(self, method: Literal["HEAD", "PUT"], body: bytes = b"") -> tuple[int, str]:
        """The status of a request about the bucket, and the region that the answer tells."""
        with self._translated():
            url = await obstore.sign_async(self._store, method, "", _SIGNED_FOR)
        sent = body if method == "PUT" else None
        exchange = await self._http.exchange(Outgoing(method=method, url=url, body=sent))
        try:
            return exchange.status, exchange.headers.get("x-amz-bucket-region", "")
        finally:
            await exchange.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises Unavailable for obstore's errors."""
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._unavailable(_reason(str(error))) from error

    def _unavailable(self, reason: str, *, hint: str | None = None) -> Unavailable:
        place = self._config.endpoint_url or "Amazon S3"
        return Unavailable(
            f"files of `{self._name}` in the bucket `{self._config.bucket_name}` ({place_of(place)}): {reason}",
            hint=hint,
            code="storage_unavailable",
        )


def _settings(config: S3FilesConfig) -> S3Config:
    """Without a key, obstore asks the environment and the machine for one."""
    settings: S3Config = {
        "region": config.region,
        "virtual_hosted_style_request": config.endpoint_url is None and "." not in config.bucket_name,
    }
    if config.endpoint_url:
        settings["endpoint"] = config.endpoint_url
    if config.aws_access_key_id is not None:
        settings["access_key_id"] = config.aws_access_key_id.get_secret_value()
    if config.aws_secret_access_key is not None:
        settings["secret_access_key"] = config.aws_secret_access_key.get_secret_value()
    if config.aws_session_token is not None:
        settings["session_token"] = config.aws_session_token.get_secret_value()
    return settings


def _location(config: S3FilesConfig) -> bytes:
    """The body of the request that makes a bucket. Amazon wants its region named unless it is the first one."""
    if config.endpoint_url or config.region == "us-east-1":
        return b""
    text = f"<LocationConstraint>{config.region}</LocationConstraint>"
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<CreateBucketConfiguration xmlns="{space}">{text}</CreateBucketConfiguration>'.encode()


def _reason(words: str) -> str:
    """What went wrong, in the server's words if it said something, else the first line of obstore's."""
    found = _REASON.search(words)
    return f"{found[1]}: {found[2]}" if found else words.split("\n", 1)[0].strip()
