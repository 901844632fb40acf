"""Files in a bucket of a real S3 server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.files.service import over_service
from runtime.conformance.files.subject import LIMIT_BYTES, Subject
from tests.support.s3 import BUCKET, KEY, SECRET, S3Server


def entry(server: S3Server, **more: Any) -> dict[str, Any]:
    """A provider of the run config."""
    config = {
        "bucket_name": BUCKET,
        "key_prefix": server.prefix(),
        "endpoint_url": server.url,
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "max_file_bytes": LIMIT_BYTES,
        **more,
    }
    return {"provider_id": "files", "provider_type": "remote::s3", "config": config}


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    server: S3Server = request.getfixturevalue("s3_server")
    provider = entry(server)

    async def kept() -> list[str]:
        return server.objects(provider["config"]["key_prefix"])

    yield over_service(provider, kept)
