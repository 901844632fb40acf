"""The command line in a Llama home of its own, empty or with something in it to show; and what does not hold yet."""

import pytest

from tests.support.command_runner import cli
from tests.support.command_world import world
from tests.unit.cli.contract.calls import GAPS

__all__ = ["cli", "world"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is missing is expected to fail, until it holds."""
    for item in items:
        node = getattr(getattr(item, "callspec", None), "params", {}).get("node")
        reason = GAPS.get((getattr(item, "originalname", ""), getattr(node, "path", "")))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=f"{reason}; once it holds, it leaves GAPS", strict=True))
