"""A stack at a vendor that says what a test has written down. Each file has one."""

from tests.support.at_vendor import client, upstream

__all__ = ["client", "upstream"]
