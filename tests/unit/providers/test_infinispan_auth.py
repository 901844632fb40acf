"""How Infinispan's users are proven. The examples are those of RFC 7616, 3.9.1."""

from __future__ import annotations

import pytest

from runtime.http.transport import Outgoing
from runtime.providers.vector_io.infinispan.auth import Basic, answer_to, challenge_in

_CHALLENGES = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",'
    ' Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
_RESPONSES = {
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
}


@pytest.mark.parametrize("algorithm", _RESPONSES)
def test_a_challenge_is_answered_as_the_standard_has_it(algorithm: str) -> None:
    challenge = challenge_in(_CHALLENGES)
    assert challenge is not None
    answer = answer_to(
        {**challenge, "algorithm": algorithm},
        username="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        count=1,
        own_nonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert answer == (
        'Digest username="Mufasa", realm="http-auth@example.org",'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html",'
        f' response="{_RESPONSES[algorithm]}", cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",'
        f" algorithm={algorithm}, qop=auth, nc=00000001"
    )


def test_the_first_challenge_that_can_be_answered_is_taken() -> None:
    header = 'Basic realm="x", Digest realm="a", nonce="1", algorithm=SHA-512-256, qop="auth", ' + _CHALLENGES
    found = challenge_in(header)
    assert found is not None
    assert (found["algorithm"], found["realm"]) == ("SHA-256", "http-auth@example.org")


@pytest.mark.parametrize(
    "header", ["", 'Basic realm="x"', 'Digest realm="a", qop="auth"', 'Digest realm="a", nonce="1", qop="auth-int"']
)
def test_what_is_no_digest_challenge_is_not_answered(header: str) -> None:
    assert challenge_in(header) is None


async def test_a_basic_proof_is_the_pair_in_base64() -> None:
    sent = await Basic("Aladdin", "open sesame").apply(Outgoing(method="GET", url="http://127.0.0.1/"))
    assert sent.headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617, 2
