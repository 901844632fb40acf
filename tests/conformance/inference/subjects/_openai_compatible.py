"""Any vendor that speaks OpenAI's protocol, with a local server that answers as the vendor documents it."""

from __future__ import annotations

from runtime.conformance.inference.wire import wire
from runtime.conformance.subjects import Kind
from runtime.spec import Spec
from tests.conformance.inference.vendor import vendor_of


def kind(spec: Spec) -> Kind:
    vendor = vendor_of(spec)
    return wire(
        spec,
        make=vendor.make,
        has=vendor.has,
        config=vendor.settings,
        registered=vendor.registered,
        key=vendor.key,
    )
