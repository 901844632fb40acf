"""Suites that hold a provider of an API to what it promises, wherever the provider lives, and what they are made of.

For tests alone: nothing that serves imports it. `pip install llama-stack-toolchain[conformance]` brings what it needs.
"""

import pytest

_SUITES = ("datasetio", "eval", "files", "inference", "safety", "scoring", "tool_runtime", "vector_io")

pytest.register_assert_rewrite(*(f"{__name__}.{api}" for api in _SUITES))
