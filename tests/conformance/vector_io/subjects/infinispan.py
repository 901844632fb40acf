"""Infinispan, at wire level."""

from tests.conformance.vector_io.vendors.infinispan import USER, Infinispan
from tests.conformance.vector_io.wire import KEY, wire

KIND = wire("remote::infinispan", Infinispan, lambda url: {"url": url, "username": USER, "password": KEY})
