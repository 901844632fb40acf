"""The URL of a database server. It has a password in it, so that no message quotes it, and none may be shown in parts
before it is known which part is which.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOSTS = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:,]*)(?::\d{1,5})?(?:,(?:\[[^\[\]]*\]|[^\[\]:,]*)(?::\d{1,5})?)*")

_RAW_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def host_of(url: str) -> str:
    """Hosts and ports of a URL that `check_url` has passed, as they stand there: without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def check_url(url: str, *, called: str) -> None:
    """Raises ValueError, which does not quote it, for a URL that drivers would read in different ways, or of whose
    password they would take a part for a host or a database. called: the name of the setting.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket, or a character that stands for others; the error's own words may quote a password
        parts = None
    is_clear = parts is not None and url.count("@") == ("@" in parts.netloc) and "#" not in url
    if not is_clear or _RAW_PERCENT.search(url) or not _HOSTS.fullmatch(host_of(url)):
        raise ValueError(
            f"`{called}` cannot be told apart into user, password, server and database: percent-encode what has a"
            " meaning of its own in a URL, `/` as `%2F`, `?` as `%3F`, `#` as `%23`, `%` as `%25`, `@` as `%40`, `:` as"
            " `%3A`"
        )
