"""Weaviate as it is now, at wire level."""

from tests.conformance.vector_io.vendors.weaviate import Weaviate
from tests.conformance.vector_io.wire import KEY, wire

KIND = wire(
    "remote::weaviate", lambda: Weaviate("1.39.4"), lambda url: {"weaviate_cluster_url": url, "weaviate_api_key": KEY}
)
