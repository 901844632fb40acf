"""Names for pages of tokens and for their beginnings, by what is on them and everything before them. Knows token ids;
no pages, no pool.

A page's key is a digest of the key before it and of its own tokens, so equal keys mean equal prefixes: a chain of
hashes in place of a tree (vLLM's prefix caching; a radix tree at page granularity finds the same: Zheng et al. 2024,
SGLang, section 3). 128 bits of BLAKE2b: nobody finds two prefixes with one key, by accident or on purpose.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b

_KEY_BYTES = 16
_PARTS = 4
"""Of a page: so many beginnings of it have a key, the whole page among them."""


def extend_keys(keys: list[bytes], tokens: Sequence[int], page_size: int, salt: str = "") -> None:
    """Add to `keys`, which belong to the first pages of `tokens`, those of the full pages after them.

    salt: prefixes with different salts have different keys, whatever their tokens are.
    """
    parent = keys[-1] if keys else _beginning(salt)
    for start in range(len(keys) * page_size, len(tokens) - page_size + 1, page_size):
        page = array("q", tokens[start : start + page_size])
        parent = blake2b(parent + page.tobytes(), digest_size=_KEY_BYTES).digest()
        keys.append(parent)


def part_tokens(page_size: int) -> int:
    """Tokens of the smallest beginning of a page that has a key; the others are multiples of it."""
    return max(1, page_size // _PARTS)


def part_keys(
    keys: Sequence[bytes], tokens: Sequence[int], page: int, end: int, *, page_size: int, salt: str
) -> list[bytes]:
    """The keys of the beginnings of a page, a number counted from 0, of which `end` tokens in all are known: of its
    first `part_tokens`, twice as many, and so on, without the whole page. keys: of the pages before it, at least.
    """
    part, start = part_tokens(page_size), page * page_size
    key = keys[page - 1] if page else _beginning(salt)
    found = []
    for stop in range(start + part, min(end, start + page_size - 1) + 1, part):
        added = array("q", tokens[stop - part : stop])
        key = blake2b(key + added.tobytes(), digest_size=_KEY_BYTES, person=b"part").digest()
        found.append(key)
    return found


def _beginning(salt: str) -> bytes:
    """What stands for all before the first page. Hashed in another way than pages are, so that no salt, which a caller
    chooses, is the same as the key of a page.
    """
    return blake2b(salt.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES, person=b"salt").digest()
