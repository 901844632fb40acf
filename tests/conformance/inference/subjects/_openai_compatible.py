"""Any vendor that speaks OpenAI's protocol, with a local server that answers as the vendor documents it."""

from __future__ import annotations

from dataclasses import replace

from runtime.conformance.inference.wire import wire
from runtime.conformance.subjects import Kind
from runtime.spec import Spec
from tests.conformance.inference.vendor import vendor_of

_UNKNOWN = "passes_unknown_fields"


def kind(spec: Spec) -> Kind:
    vendor = vendor_of(spec)
    found = wire(
        spec,
        make=vendor.make,
        has=vendor.has,
        config=vendor.settings,
        registered=vendor.registered,
        key=vendor.key,
    )
    return found if vendor.passes_unknown_fields else replace(found, abilities=found.abilities - {_UNKNOWN})
