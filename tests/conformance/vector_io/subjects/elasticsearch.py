"""Elasticsearch, at wire level."""

from tests.conformance.vector_io.vendors.elasticsearch import Elasticsearch
from tests.conformance.vector_io.wire import KEY, wire

KIND = wire(
    "remote::elasticsearch", Elasticsearch, lambda url: {"elasticsearch_url": url, "elasticsearch_api_key": KEY}
)
