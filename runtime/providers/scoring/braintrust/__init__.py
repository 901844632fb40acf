"""The scorers of autoevals, Braintrust's library, over models of this stack. https://github.com/braintrustdata/autoevals

Nothing is sent to Braintrust: the library is given a client of ours, and its tracing comes with a package of its own,
`braintrust`, that is not asked for.
"""

from runtime.spec import NoEffect, inline, live

SPEC = inline(
    "braintrust",
    summary="Scorers of the library autoevals: facts, similarity, context; no key, and nothing is sent to Braintrust",
    adapter=".adapter:BraintrustScoring",
    config=".config:BraintrustConfig",
    packages=("autoevals[scipy]>=0.4.1,<0.5",),  # with SciPy for context-entity-recall, which pairs entities by it
    needs=("inference", "models"),
    older={"openai_api_key": NoEffect("its judge is a model of this stack, whose provider has the key")},
    evidence=live("the library itself, over a local server that has been told what to answer"),
)
