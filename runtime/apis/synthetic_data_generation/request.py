"""What is asked for: which rows to make up, how many, and which of them are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runtime.apis._earlier.messages import EarlierMessage
from runtime.apis._json_schema import JsonSchema
from runtime.apis._names import NamedResource
from runtime.apis._request import AT_ONCE, Request, example
from runtime.apis.datasets.protocol import Purpose, Row
from runtime.apis.scoring.params import ScoringParams

FilteringFunction = Literal["none", "random", "top_k", "top_p", "top_k_top_p", "sigmoid"]
MOST_SAMPLES, MOST_ASKS = 1000, 5000
MOST_SEED_ROWS, MOST_EXAMPLES = 1000, 20


class Diversity(Request):
    """How much rows have to differ."""

    max_similarity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="A row that is more alike to an earlier one than this, from 0 to 1, is left out. It is the Jaccard"
        " similarity of the three-character pieces of their values, or the cosine of their vectors. Copies are always"
        " left out. Default: 0.8 of pieces, 0.95 of vectors; 1 leaves out copies alone.",
    )
    embedding_model: NamedResource | None = Field(
        None, description="The model whose vectors are compared. Default: none, pieces of text are."
    )


class GenerateRequest(Request):
    """Rows to make up."""

    model_config = example(
        dialogs=[{"role": "user", "content": "Ask something about the sea, and answer it."}],
        filtering_function="none",
        row_schema={
            "type": "object",
            "properties": {
                "question": {"type": "string", "maxLength": 80},
                "answer": {"type": "string", "maxLength": 80},
            },
            "required": ["question", "answer"],
        },
        num_samples=2,
    )

    dialogs: Annotated[list[EarlierMessage], AT_ONCE] = Field(
        default_factory=list,
        description="A conversation. Its model's next answer is made up again and again, with `prompt` and `response`;"
        " with a schema or seed rows, it says what rows are wanted. Default: none, where one of these is given.",
    )
    filtering_function: FilteringFunction = Field(
        "none",
        description="Which rows are kept, of those that differ and reach the `threshold`. `none`: all. `random`: a"
        " half, drawn. `top_k`: the `top_k` with the best scores. `top_p`: the fewest with the best scores whose share"
        " of the softmax of all scores is `top_p`. `top_k_top_p`: `top_k`, and of those `top_p`. `sigmoid`: each with"
        " the probability 1 / (1 + exp(-score)), drawn. They stay in the order in which they were made. The default is"
        " `none`.",
    )
    model: NamedResource | None = Field(
        None, description="The model that makes them up. Default: the first chat model that is listed."
    )
    row_schema: JsonSchema | None = Field(
        None,
        description="The JSON Schema of a row, an object: the answer is constrained by it where the model's provider"
        " can, and what does not fit is left out. Default: the columns and types of the seed rows; without any, the"
        " model answers in its own words.",
    )
    seed_rows: Annotated[list[Row], AT_ONCE] = Field(
        default_factory=list,
        max_length=MOST_SEED_ROWS,
        description="Rows like those that are wanted; none of them is made up again. Default: none.",
    )
    seed_dataset_id: NamedResource | None = Field(
        None,
        description=f"A dataset, or `ID@DIGEST`, whose first {MOST_SEED_ROWS} rows are seed rows too. Default: none.",
    )
    num_examples: int = Field(
        3,
        ge=0,
        le=MOST_EXAMPLES,
        description="How many seed rows the model is shown each time, drawn anew. The default is 3.",
    )
    num_samples: int = Field(
        10,
        ge=1,
        le=MOST_SAMPLES,
        description="How many rows to make up that fit and differ; filters may leave fewer. The default is 10.",
    )
    max_attempts: int | None = Field(
        None,
        ge=1,
        le=MOST_ASKS,
        description="How often the model is asked at most. Default: three times as often as `num_samples` says.",
    )
    temperature: float = Field(
        1,
        ge=0,
        le=2,
        description="How freely tokens are drawn; small models need more than 1 to make few copies, and 0 makes one"
        " row. The default is 1.",
    )
    max_tokens: int = Field(
        1024, ge=1, le=1_000_000, description="The longest answer, in tokens; one that is cut is no row. Default 1024."
    )
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**53,
        description="Of everything that is drawn, also by the model: the same seed and request give the same rows,"
        " where the model can. Default: a new one, which the statistics tell.",
    )
    diversity: Diversity = Field(
        default_factory=Diversity, description="How much rows have to differ. The default is as its fields say."
    )
    scoring_function: NamedResource | None = Field(
        None,
        description="The function that scores each row. It reads the row's columns and, where the row has no such"
        " ones, `input_query` (what was asked for) and `generated_answer` (the answer, or the row as JSON). Default:"
        " none; where a filter needs scores, a row's is the mean log-probability of its tokens.",
    )
    scoring_params: ScoringParams | None = Field(
        None, description="What the function is told. Default: what it was registered with."
    )
    threshold: float | None = Field(
        None, description="Rows with a lower score are left out before the filter. Default: none."
    )
    top_k: int | None = Field(
        None, ge=1, le=MOST_SAMPLES, description="How many `top_k` keeps. Default: half of the rows."
    )
    top_p: float = Field(0.9, gt=0, le=1, description="The share of the softmax that `top_p` keeps. Default 0.9.")
    dataset_id: NamedResource | None = Field(
        None,
        description="The dataset that the rows become: a new one, or a new version of yours. Default: none is made.",
    )
    dataset_purpose: Purpose = Field(
        "eval/question-answer", description="What it is for. The default is `eval/question-answer`."
    )
    dataset_provider_id: NamedResource | None = Field(
        None, description="The provider of `datasetio` that has it. Default: the only one."
    )
