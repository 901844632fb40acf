"""`llama stack eval`: what a server is told, what is printed, and which exit code tells how a run has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llama_cli.exits import ExitCode, Failure
from tests.support.evaluation_server import AT, Evaluations, row
from tests.support.schemas import conform

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

SUITE = """
name: capitals
model: small
scoring_functions: [basic::equality]
cases:
  - {id: france, category: europe, input: Of France?, expected: Paris}
  - {id: peru, category: america, input: Of Peru?, expected: Lima}
  - {id: cuba, category: america, input: Of Cuba?, expected: Havana}
"""
GOOD = [
    row(0, id="france", category="europe"),
    row(1, id="peru", category="america"),
    row(2, id="cuba", category="america"),
]


@pytest.fixture
def suite(tmp_path: Path) -> str:
    file = tmp_path / "capitals.yaml"
    file.write_text(SUITE)
    return str(file)


def with_wrong(*wrong: int, count: int = 20) -> list[dict[str, object]]:
    """Rows of which these are wrong."""
    return [row(index, float(index not in wrong), id=f"case-{index}") for index in range(count)]


@pytest.mark.parametrize("words", [["stack", "eval", "run"], ["stack", "eval"]])
def test_a_suite_is_put_to_a_model(cli: Cli, server: Evaluations, suite: str, words: list[str]) -> None:
    server.upcoming = GOOD
    ended = cli(*words, suite, "--model", "large", "--json")
    conform(ended.json(), "stack-eval-run")
    found = ended.json()
    assert (ended.code, found["status"], found["model"], found["passed"]) == (0, "completed", "large", True)
    assert [figure["category"] for figure in found["figures"]] == [None, "america", "europe"]
    assert [one["row"]["id"] for one in found["rows"]] == ["france", "peru", "cuba"]
    [dataset, benchmark, job] = server.seen
    assert dataset[0] == "POST /v1beta/datasets" and len(dataset[1]["source"]["rows"]) == 3
    assert benchmark == (
        f"POST {AT}",
        {"benchmark_id": "eval-capitals", "dataset_id": "eval-capitals", "scoring_functions": ["basic::equality"]},
    )
    assert job[0] == f"POST {AT}/eval-capitals/jobs"
    assert job[1]["benchmark_config"]["eval_candidate"]["model"] == "large"


def test_a_pipe_gets_a_row_a_figure_and_quiet_the_id(cli: Cli, server: Evaluations, suite: str) -> None:
    server.upcoming = GOOD
    ended = cli("stack", "eval", "run", suite)
    assert ended.out == (
        "basic::equality\tall cases\t1.000\t0.439 to 1.000\t3\t\n"
        "basic::equality\tamerica\t1.000\t0.342 to 1.000\t2\t\n"
        "basic::equality\teurope\t1.000\t0.207 to 1.000\t1\t\n"
    )
    assert ended.err.startswith("`evaljob-1`: 3 cases of `capitals` to `small`, scored by `basic::equality`\n")
    assert cli("stack", "eval", "run", suite, "-q") == (0, "evaljob-2\n", "")


def test_a_case_without_a_score_lets_no_run_through(cli: Cli, server: Evaluations, suite: str) -> None:
    unscored = row(2, None, error="the judge said `dunno`", id="cuba")
    server.upcoming = [*GOOD[:1], row(1, answer=None, error="overloaded", id="peru"), unscored]
    ended = cli("stack", "eval", "run", suite, "--threshold", "equality=1", "-q")
    said = '2 of 3 cases could not be answered or scored, the first because "overloaded": `peru`, `cuba`'
    assert ended.code == 9 and said in ended.err
    found = cli("stack", "eval", "show", "last", "--json").json()
    [all_cases, *_] = found["figures"]
    assert (all_cases["mean"], all_cases["errors"], all_cases["rows"]) == (1.0, 2, 3), "an error is no 0"


def test_a_mean_below_its_threshold_names_the_cases(cli: Cli, server: Evaluations, suite: str) -> None:
    server.upcoming = with_wrong(3, 5, 6)
    missed = cli("stack", "eval", "run", suite, "--threshold", "basic::equality=0.9", "-q")
    said = "`basic::equality` is 0.850, below 0.900: `case-3`, `case-5`, `case-6`"
    assert missed.code == 9 and said in missed.err
    assert cli("stack", "eval", "run", suite, "--threshold", "equality=0.85", "-q").code == 0


def test_a_suite_has_thresholds_of_its_own(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    file = tmp_path / "strict.yaml"
    file.write_text(f"{SUITE}thresholds: {{basic::equality: 0.9}}\n")
    server.upcoming = with_wrong(3, 5, 6)
    assert cli("stack", "eval", "run", str(file)).code == 9
    assert cli("stack", "eval", "run", str(file), "--threshold", "equality=0.5").code == 0, "options come first"


def test_a_real_loss_fails_and_chance_does_not(cli: Cli, server: Evaluations, suite: str) -> None:
    before = server.run(*with_wrong(0))
    server.upcoming = with_wrong(0, 1, 2)
    by_chance = cli("stack", "eval", "run", suite, "--baseline", before)
    assert by_chance.code == 0
    assert "`basic::equality` went from 0.950 to 0.850 (p = 0.500, which chance explains)" in by_chance.err
    assert cli("stack", "eval", "run", suite, "--baseline", before, "--strict").code == 9
    server.upcoming = with_wrong(*range(8))
    real = cli("stack", "eval", "run", suite, "--baseline", before, "--json")
    conform(real.json(), "stack-eval-run")
    [difference] = real.json()["comparison"]["functions"]
    assert (real.code, difference["test"], difference["worse"]) == (
        9,
        "mcnemar",
        [f"case-{index}" for index in range(1, 8)],
    )


def test_a_baseline_of_other_cases_is_said_to_compare_nothing(cli: Cli, server: Evaluations, suite: str) -> None:
    before = server.run(row(0, 1.0, question="Another?"), version="sha256:another", benchmark="eval-other")
    server.upcoming = GOOD
    ended = cli("stack", "eval", "run", suite, "--baseline", before)
    said = f"nothing is compared with the baseline `{before}`: no function gives numbers to cases that both have"
    assert ended.code == 0 and said in ended.err
    assert cli("stack", "eval", "run", suite, "--baseline", before, "--strict").code == 9


def test_the_last_run_is_the_one_before_of_the_same_suite(cli: Cli, server: Evaluations, suite: str) -> None:
    server.run(*with_wrong(), benchmark="eval-other")
    server.upcoming = with_wrong()
    first = cli("stack", "eval", "run", suite, "--baseline", "last")
    assert first.code == 0 and "there is no run yet to compare with" in first.err
    server.upcoming = with_wrong(*range(10))
    second = cli("stack", "eval", "run", suite, "--baseline", "last", "--json")
    assert (second.code, second.json()["comparison"]["baseline"]) == (9, "evaljob-2")


def test_a_saved_run_can_be_compared_with(cli: Cli, server: Evaluations, suite: str, tmp_path: Path) -> None:
    server.run(*with_wrong())
    kept = tmp_path / "run.json"
    kept.write_text(cli("stack", "eval", "show", "last", "--json").out)
    server.jobs.clear()
    server.version = "sha256:another"
    server.upcoming = list(reversed(with_wrong(*range(10))))
    ended = cli("stack", "eval", "run", suite, "--baseline", str(kept), "--json")
    [difference] = ended.json()["comparison"]["functions"]
    assert (ended.code, difference["cases"], len(difference["worse"])) == (9, 20, 10), "equal cases, at any place"


@pytest.mark.parametrize(("outcome", "code"), [("failed", 1), ("cancelled", 1), ("completed", 0)])
def test_the_exit_code_tells_how_it_has_ended(
    cli: Cli, server: Evaluations, suite: str, outcome: str, code: int
) -> None:
    server.upcoming, server.outcome = GOOD, outcome
    ended = cli("stack", "eval", "run", suite)
    assert ended.code == code
    assert ("`evaljob-1` is failed: it could not go on" in ended.err) == (outcome == "failed")


def test_a_run_that_takes_too_long_goes_on(cli: Cli, server: Evaluations, suite: str) -> None:
    server.upcoming = GOOD
    ended = cli("stack", "eval", "run", suite, "--timeout", "0s")
    assert ended.code == 8 and "llama stack eval show evaljob-1" in ended.err


def test_a_run_goes_on_when_its_server_is_there_again(
    cli: Cli, server: Evaluations, suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object, **__: object) -> None:
        raise Failure("nothing answers", code=ExitCode.UNHEALTHY)

    monkeypatch.setattr("llama_cli.asking.evaluations.ended", ended)
    left = cli("stack", "eval", "run", suite)
    assert left.code == ExitCode.UNHEALTHY
    assert "the run goes on when the server is there again: `llama stack eval show evaljob-1` shows it" in left.err


def test_a_dry_run_asks_nobody(cli: Cli, suite: str) -> None:
    ended = cli("stack", "eval", "run", suite, "--dry-run")
    assert ended == (0, "", "would put 3 cases of `capitals` to `small`, scored by `basic::equality`\n")
    planned = cli("stack", "eval", "run", suite, "--dry-run", "--json")
    conform(planned.json(), "stack-eval-run")
    assert (planned.json()["dry_run"], [one["row"]["id"] for one in planned.json()["rows"]]) == (
        True,
        ["france", "peru", "cuba"],
    )
    piped = cli("stack", "eval", "run", "-", "--dry-run", "--name", "other", stdin=SUITE)
    assert (piped.code, "cases of `other`" in piped.err) == (0, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threshold", "equality"], "`--threshold`: `equality` is not `NAME=NUMBER`"),
        (["--threshold", "equality=nan"], "is not `NAME=NUMBER`"),
        (["--threshold", "equalty=1"], "hint: did you mean `basic::equality`"),
        (["--name", "a/b"], "`--name`: `a/b` is no name"),
        (["--metadata", "a=b"], "`--metadata`: nothing is looked for"),
        (["--from-completions"], "has cases of its own"),
        (["--markdown", "-", "--junit", "-"], "`--markdown` and `--junit` want standard output"),
        (["--markdown", "/nowhere/report.md"], "`--markdown`: there is no folder `/nowhere`"),
    ],
)
def test_wrong_options_are_usage_before_anything_is_asked(
    cli: Cli, server: Evaluations, suite: str, options: list[str], said: str
) -> None:
    ended = cli("stack", "eval", "run", suite, *options)
    assert (ended.code, ended.out, server.seen) == (2, "", [])
    assert said in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cases: [{input: x}]\nscoring_functions: [a]\n", "name one with `--model`"),
        ("cases: [{input: x}]\nmodel: m\n", "name one with `--score`"),
        ("model: m\nscoring_functions: [a]\n", "has no cases"),
    ],
)
def test_what_a_suite_lacks_is_said(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    ended = cli("stack", "eval", str(file), "--dry-run")
    assert ended.code == 2 and said in ended.err


def test_a_benchmark_of_the_server_is_run_by_its_id(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    server.benchmarks["capitals-of-all"] = {"scoring_functions": ["basic::equality"]}
    server.upcoming = with_wrong(3, count=4)
    options = ["--model", "large", "--limit", "4", "--threshold", "equality=0.9", "--by", "question"]
    ended = cli("stack", "eval", "capitals-of-all", *options)
    assert ended.code == 9 and "`basic::equality` is 0.750, below 0.900: `case-3`" in ended.err
    said = "the first 4 cases of `capitals-of-all` to `large`, scored by `basic::equality`"
    assert said in ended.err
    [(path, body)] = server.seen
    assert path == f"POST {AT}/capitals-of-all/jobs", "nothing is registered"
    assert (body["benchmark_config"]["num_examples"], body["benchmark_config"]["scoring_params"]) == (4, {})
    file = tmp_path / "suite.yaml"
    file.write_text("benchmark: capitals-of-all\nmodel: small\nsystem: Be brief.\nthresholds: {basic::equality: 0.7}\n")
    assert cli("stack", "eval", str(file)).code == 0
    candidate = server.seen[-1][1]["benchmark_config"]["eval_candidate"]
    assert candidate["system_message"] == {"role": "system", "content": "Be brief."}
    planned = cli("stack", "eval", "capitals-of-all", "-m", "large", "--dry-run", "--json")
    conform(planned.json(), "stack-eval-run")
    assert (len(server.seen), planned.json()["scoring_functions"]) == (2, ["basic::equality"])


def test_a_suite_that_was_put_to_a_model_is_a_benchmark_too(cli: Cli, server: Evaluations) -> None:
    server.run(*GOOD)
    server.upcoming = GOOD
    assert cli("stack", "eval", "capitals", "-m", "large", "-q") == (0, "evaljob-2\n", "")
    assert [path for path, _ in server.seen] == [f"POST {AT}/eval-capitals/jobs"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["capitols", "-m", "small"], "hint: did you mean `eval-capitals`"),
        (["capitals.yml", "-m", "small"], "there is no file `capitals.yml`"),
        (["suites/capitals", "-m", "small"], "there is no file `suites/capitals`"),
        (["capitals"], "name one with `--model`"),
        (["capitals", "-m", "small", "--score", "basic::equality"], "`--score`"),
        (["capitals", "-m", "small", "--from-completions"], "`--from-completions`"),
        (["capitals", "-m", "small", "--threshold", "subset_of=1"], "`--threshold`"),
        (["capitals", "-m", "small", "--by", "categry"], "did you mean `category`"),
        (["other.yaml"], "`basic::subset_of` is none of the functions of the benchmark `eval-capitals`"),
    ],
)
def test_what_a_benchmark_has_not_is_usage_before_anything_is_asked(
    cli: Cli, server: Evaluations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.yaml").write_text("benchmark: capitals\nmodel: m\nthresholds: {basic::subset_of: 1}\n")
    server.run(*GOOD)
    server.upcoming = GOOD
    ended = cli("stack", "eval", *words)
    assert (ended.code, server.seen) == (2, []), ended
    assert said in ended.err


def test_only_the_first_cases_of_a_suite_are_asked(cli: Cli, server: Evaluations, suite: str) -> None:
    server.upcoming = GOOD[:2]
    ended = cli("stack", "eval", suite, "--limit", "2")
    assert ended.code == 0 and "`evaljob-1`: 2 cases of `capitals`" in ended.err
    assert server.seen[-1][1]["benchmark_config"]["num_examples"] == 2
    assert len(server.seen[0][1]["source"]["rows"]) == 3, "no version of the dataset of their own"


def test_an_agent_is_put_to_the_cases(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(f"{SUITE}system: Look it up.\nsampling: {{max_tokens: 9}}\nagent: {{toolgroups: [builtin::rag]}}\n")
    server.upcoming = GOOD
    report = tmp_path / "report.md"
    ended = cli("stack", "eval", str(file), "-m", "large", "--markdown", str(report))
    assert "3 cases of `capitals` to an agent with `large`" in ended.err
    [*_, (_, body)] = server.seen
    assert body["benchmark_config"]["eval_candidate"] == {
        "type": "agent",
        "config": {
            "model": "large",
            "instructions": "Look it up.",
            "sampling_params": {"strategy": {"type": "greedy"}, "max_tokens": 9},
            "toolgroups": ["builtin::rag"],
        },
    }
    assert "- asked: an agent with `builtin::rag`\n- told before each case: Look it up." in report.read_text()


def test_a_threshold_stays_with_its_function(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    """Whoever names it without its provider means the same; whoever names another one is told."""
    file = tmp_path / "strict.yaml"
    file.write_text(f"{SUITE}thresholds: {{basic::equality: 0.9}}\n")
    server.upcoming = [row(at, 0.0, function="equality") for at in range(3)]
    ended = cli("stack", "eval", str(file), "--score", "equality")
    assert ended.code == 9 and "`equality` is 0.000, below 0.900" in ended.err
    server.upcoming = [row(at, 0.0, function="basic::subset_of") for at in range(3)]
    ended = cli("stack", "eval", str(file), "--score", "basic::subset_of")
    assert ended.code == 0 and "`--score` leaves out what has a threshold: `basic::equality`" in ended.err


def test_a_column_that_no_case_has_is_no_category(cli: Cli, server: Evaluations, suite: str) -> None:
    ended = cli("stack", "eval", suite, "--by", "continent")
    assert (ended.code, server.seen) == (2, [])
    assert "`--by`: no case has the column `continent`" in ended.err
    server.run(*GOOD)
    ended = cli("stack", "eval", "show", "--by", "categry")
    assert ended.code == 2 and "did you mean `category`" in ended.err


def test_what_the_server_does_not_know_is_an_unknown_name(cli: Cli, server: Evaluations, suite: str) -> None:
    server.refuses = {AT: (404, {"message": "no such function", "param": "scoring_functions"})}
    ended = cli("stack", "eval", "run", suite)
    assert ended.code == 2 and "no such function" in ended.err
    server.refuses = {"/v1beta/datasets": (404, {"message": "no route"})}
    ended = cli("stack", "eval", "run", suite)
    assert ended.code == 1 and "the APIs `datasetio`, `scoring` and `eval`" in ended.err


def test_a_run_is_shown(cli: Cli, server: Evaluations) -> None:
    run = server.run(*GOOD)
    for name in (run, "last"):
        ended = cli("stack", "eval", "show", name, "--json")
        conform(ended.json(), "stack-eval-show")
        assert (ended.code, ended.json()["id"]) == (0, run)
    assert cli("stack", "eval", "show", "-q").out == f"{run}\n"


def test_a_run_that_is_not_there_is_usage(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    for name in ("evaljob-7", "last"):
        ended = cli("stack", "eval", "show", name)
        assert ended.code == 2 and "`llama stack eval ls`" in ended.err
    other = tmp_path / "other.json"
    for text in ("[]", "{}", "{", json.dumps({"id": 1, "created_at": "x"})):
        other.write_text(text)
        ended = cli("stack", "eval", "show", str(other))
        assert ended.code == 2 and "is no run as `--json` prints it" in ended.err


def test_runs_are_listed(cli: Cli, server: Evaluations) -> None:
    server.run(*GOOD)
    server.run(*GOOD, benchmark="other")
    ended = cli("stack", "eval", "ls", "--json")
    conform(ended.json(), "stack-eval-ls")
    assert [one["id"] for one in ended.json()] == ["evaljob-2", "evaljob-1"], "the newest first"
    assert cli("stack", "eval", "ls", "capitals", "-q").out == "evaljob-1\n"
    unknown = cli("stack", "eval", "ls", "capital")
    assert unknown.code == 2 and "did you mean `eval-capitals`" in unknown.err


def test_runs_are_compared(cli: Cli, server: Evaluations) -> None:
    server.run(*with_wrong())
    server.run(*with_wrong(*range(10)))
    ended = cli("stack", "eval", "compare", "last", "last", "--json")
    conform(ended.json(), "stack-eval-compare")
    assert (ended.code, ended.json()["id"], ended.json()["baseline"]) == (0, "evaljob-2", "evaljob-1")
    shown = cli("stack", "eval", "compare", "evaljob-2", "evaljob-1", "--exit-code")
    assert shown.code == 9
    assert shown.out.startswith("basic::equality\t1.000\t0.500\t-0.500\t-0.750 to -0.250\t0.002\t0\t10\tworse\n")
    assert cli("stack", "eval", "compare", "evaljob-1", "evaljob-2", "--exit-code", "-q") == (0, "", "")
    server.jobs.pop("evaljob-1")
    alone = cli("stack", "eval", "compare", "last", "last")
    assert alone.code == 2 and "has no other run that is complete" in alone.err


def test_a_run_is_cancelled(cli: Cli, server: Evaluations) -> None:
    run = server.run(*GOOD, status="in_progress", ended_at=None)
    server.polls = 100
    would = cli("stack", "eval", "cancel", run, "--dry-run")
    assert would.err == f"would cancel `{run}`, which is in_progress: 1 of 3 cases are answered\n"
    ended = cli("stack", "eval", "cancel", run, "--json")
    conform(ended.json(), "stack-eval-cancel")
    assert (ended.json()["status"], ended.json()["dry_run"]) == ("cancelled", False)
    assert server.seen[-1][0] == f"DELETE {AT}/eval-capitals/jobs/{run}"
