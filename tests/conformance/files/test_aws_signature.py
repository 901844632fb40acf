"""The signature of AWS's other services at a real server, which checks it: that of the files in a bucket."""

from __future__ import annotations

import hashlib

import pytest

from runtime.clock import utc_now
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.providers._vendors.aws.credentials import Credentials
from runtime.providers._vendors.aws.signature import signed
from tests.support.s3 import BUCKET, KEY, SECRET, S3Server


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), ("not-the-secret", 403)])
async def test_a_real_server_accepts_it_with_the_right_secret_only(
    s3_server: S3Server, secret: str, status: int
) -> None:
    digest = hashlib.sha256(b"").hexdigest()  # S3 wants it in a header
    request = Outgoing(
        method="GET",
        url=f"{s3_server.url}/{BUCKET}?list-type=2&prefix=a%20b&delimiter=",
        headers={"x-amz-content-sha256": digest},
    )
    credentials = Credentials(access_key_id=KEY, secret_access_key=secret)
    http = HttpClient("s3")
    try:
        sent = signed(request, credentials, region="us-east-1", service="s3", at=utc_now())
        exchange = await http.exchange(sent)
        await exchange.close()
        assert exchange.status == status
    finally:
        await http.close()
