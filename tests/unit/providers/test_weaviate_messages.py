"""Weaviate's gRPC messages, beside the bytes that its own client (weaviate-client 4.24) makes and reads."""

from __future__ import annotations

import struct

import pytest

from runtime.providers.vector_io.weaviate.graphql import text_of
from runtime.providers.vector_io.weaviate.grpc_web import hits_of, request_of, unframed
from runtime.providers.vector_io.weaviate.searching import Hit, Query, id_of

_VECTOR = struct.pack("<3f", 0.6, 0.8, 0)
_NEAR = (
    "0a0c4c6c616d61537461636b5f61a20100aa010408012801f001ac02c20223080c62120a10000000000000f03f0000000000009042a2010a"
    "0a08696e5f67726f7570da02124a101a0c9a99193fcdcc4c3f000000002001a00601a80601b00601"
)
_BY_ID = (
    "0a0c4c6c616d61537461636b5f61a20100aa010408011001f00102c20258080c4a4c0a2436633663363136642d363137332d383030302d30"
    "3030302d3030303030303030303030310a2436633663363136642d363137332d383030302d376666662d666666666666666666666666a201"
    "050a035f6964a00601a80601b00601"
)
_REPLY = (
    "0d0000003f12310a00122d0a2436633663363136642d363137332d383030302d303030302d3030303030303030303030373d0000803e4001"
    "123b12390a2436633663363136642d363137332d383030302d343030302d303030303030303030303030ba01101a0c9a99193fcdcc4c3f00"
    "0000002001123712350a2436633663363136642d363137332d383030302d303030302d3030303030303030303030309a010c9a99193fcdcc"
    "4c3f00000000"
)


def test_a_search_is_the_message_of_the_official_client() -> None:
    query = Query(limit=300, near=_VECTOR, groups=[1, 2**42])
    assert request_of("LlamaStack_a", query).hex() == _NEAR


def test_reading_is_the_message_of_the_official_client() -> None:
    query = Query(limit=2, numbers=[1, 2**63 - 1], has_vectors=True)
    assert request_of("LlamaStack_a", query).hex() == _BY_ID


def test_vectors_are_read_wherever_a_version_has_them() -> None:
    assert hits_of(bytes.fromhex(_REPLY)) == [
        Hit(number=7, distance=0.25),
        Hit(number=2**62, vector=_VECTOR),
        Hit(number=0, vector=_VECTOR),
    ]


@pytest.mark.parametrize("size", range(1, len(_REPLY) // 2))
def test_a_reply_that_is_cut_off_is_no_other_reply(size: int) -> None:
    whole = hits_of(bytes.fromhex(_REPLY))
    try:
        found = hits_of(bytes.fromhex(_REPLY)[:size])
    except ValueError:
        return
    assert found == whole[: len(found)]


@pytest.mark.parametrize("content", [b"<html>", b"\0\0\0\0\5four", b"\0\0\0"])
def test_what_has_no_frames_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        unframed(content)


def test_a_query_in_graphql() -> None:
    assert text_of("C", Query(limit=3, near=_VECTOR[:4], groups=[2**42])) == (
        "{Get{C(limit:3,nearVector:{vector:[0.6000000238418579]},"
        'where:{path:["in_group"],operator:ContainsAny,valueNumber:[4398046511104]}){_additional{id distance}}}}'
    )
    where = f'where:{{path:["id"],operator:ContainsAny,valueText:["{id_of(5)}"]}}'
    wanted = f"{{Get{{C(limit:1,{where}){{_additional{{id vector}}}}}}}}"
    assert text_of("C", Query(limit=1, numbers=[5], has_vectors=True)) == wanted
