"""A shield that finds abuse and swearing in English text, with the weights of the package alt-profanity-check: a linear
model over single words. No key, no network. https://github.com/dimitrismistriotis/alt-profanity-check

The weights are read and used without scikit-learn: its import takes 1.5 seconds, 125 MB of memory and, with SciPy, 175
MB of disk, for what is a sum over the words of a text.
"""

from runtime.spec import inline, live

SPEC = inline(
    "profanity-check",
    summary="Abuse and swearing in English, by the words of a text; a small classifier that runs here",
    adapter=".adapter:ProfanityCheckSafety",
    config=".config:ProfanityCheckConfig",
    packages=("alt-profanity-check==1.9.1 --no-deps",),  # its weights; scikit-learn is not needed
    serves=("profanity",),
    evidence=live("the package's weights, whose scores are compared with scikit-learn's own"),
)
