"""A response in a conversation where no provider serves them: where responses are used by other providers alone."""

from __future__ import annotations

import pytest

from runtime.errors import NotSupported
from runtime.providers.responses.builtin.budget import Budget
from runtime.providers.responses.builtin.continuing import Continuing


async def test_a_conversation_is_refused_by_name_where_no_provider_serves_them() -> None:
    with pytest.raises(NotSupported, match="no provider serves `conversations`") as caught:
        await Continuing(None).read("conv_1", budget=Budget())
    assert (caught.value.status, caught.value.param) == (501, "conversation")
