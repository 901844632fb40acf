"""Names for full pages of tokens, by what is on them and everything before them. Knows token ids; no pages, no pool.

A page's key is a digest of the key before it and of its own tokens, so equal keys mean equal prefixes: a chain of
hashes in place of a tree (vLLM's prefix caching; a radix tree at page granularity finds the same: Zheng et al. 2024,
SGLang, section 3). 128 bits of BLAKE2b: nobody finds two prefixes with one key, by accident or on purpose.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b

_KEY_BYTES = 16


def extend_keys(keys: list[bytes], tokens: Sequence[int], page_size: int, salt: str = "") -> None:
    """Add to `keys`, which belong to the first pages of `tokens`, those of the full pages after them.

    salt: prefixes with different salts have different keys, whatever their tokens are.
    """
    parent = keys[-1] if keys else _beginning(salt)
    for start in range(len(keys) * page_size, len(tokens) - page_size + 1, page_size):
        page = array("q", tokens[start : start + page_size])
        parent = blake2b(parent + page.tobytes(), digest_size=_KEY_BYTES).digest()
        keys.append(parent)


def _beginning(salt: str) -> bytes:
    """What stands for all before the first page. Hashed in another way than pages are, so that no salt, which a caller
    chooses, is the same as the key of a page.
    """
    return blake2b(salt.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES, person=b"salt").digest()
