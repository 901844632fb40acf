"""Student's t distribution, by the regularized incomplete beta function and its continued fraction (8.17.22 of the NIST
Digital Library of Mathematical Functions, https://dlmf.nist.gov/8.17).
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log

_TINY = 1e-300
"""Instead of 0, by which nothing can be divided."""
_EXACT = 1e-15
_FARTHEST = 60.0
"""The logarithm of a distance beyond which a quantile is not looked for."""


def beyond(distance: float, freedom: float) -> float:
    """The chance of a value at least so far from 0, on both sides together. freedom: degrees of freedom, above 0."""
    return _incomplete_beta(freedom / (freedom + distance * distance), freedom / 2, 0.5)


@lru_cache(maxsize=4096)
def quantile(outside: float, freedom: float) -> float:
    """How far from 0 this share of values lies at least, on both sides together. outside: between 0 and 1."""
    near, far = -_FARTHEST, _FARTHEST
    while far - near > _EXACT * _FARTHEST and near < (middle := (near + far) / 2) < far:
        if beyond(exp(middle), freedom) > outside:
            near = middle
        else:
            far = middle
    return exp(far)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b). x: from 0 to 1."""
    if not 0 < x < 1:
        return min(max(x, 0.0), 1.0)
    front = exp(a * log(x) + b * log(1 - x) + lgamma(a + b) - lgamma(a) - lgamma(b))
    if x < (a + 1) / (a + b + 2):  # where the fraction ends soon
        return front / (a * _fraction(x, a, b))
    return 1 - front / (b * _fraction(1 - x, b, a))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)) of 8.17.22, from its beginning on, by Lentz's method."""
    whole, ratio, inverse = 1.0, 1.0, 0.0
    for step in range(1, 10_000):
        half, is_odd = divmod(step, 2)
        part = -(a + half) * (a + b + half) if is_odd else half * (b - half)
        part *= x / ((a + step - 1) * (a + step))
        inverse = 1 / (1 + part * inverse or _TINY)
        ratio = 1 + part / ratio or _TINY
        whole *= ratio * inverse
        if abs(ratio * inverse - 1) < _EXACT:
            break
    return whole
