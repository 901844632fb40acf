"""OpenAI, https://platform.openai.com/docs/api-reference/chat/create, which answers so to metadata without `store`."""

from __future__ import annotations

from functools import partial

from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import metadata_if_kept
from tests.support.upstream import Habits, Upstream

VENDOR = Vendor(make=partial(Upstream, Habits(check=metadata_if_kept)))
