"""A Weaviate that has only GraphQL, at wire level."""

from tests.conformance.vector_io.vendors.weaviate import Weaviate
from tests.conformance.vector_io.wire import KEY, wire

KIND = wire(
    "remote::weaviate", lambda: Weaviate("1.30.0"), lambda url: {"weaviate_cluster_url": url, "weaviate_api_key": KEY}
)
