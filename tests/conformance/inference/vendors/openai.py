"""OpenAI, https://platform.openai.com/docs/api-reference/chat/create, which answers so to metadata without `store`."""

from __future__ import annotations

from functools import partial

from runtime.conformance.upstream import Habits, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import metadata_if_kept

VENDOR = Vendor(make=partial(Upstream, Habits(check=metadata_if_kept)))
