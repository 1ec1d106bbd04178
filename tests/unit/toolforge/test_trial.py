from services.toolforge.finding import Raised
from services.toolforge.sandbox import Outcome, Returned, Run
from services.toolforge.trial import judge
from tests.unit.toolforge.specs import spec

RAISED = Raised("KeyError", "'x'", 3, "return d['x']")


def run(*results: Returned | Raised | None, outcome: Outcome = Outcome.OK, error=None) -> Run:
    return Run(outcome, results, error, "", "box", 0.1)


def test_a_run_that_meets_every_example_passes() -> None:
    trial = judge(spec(), run(Returned("3"), Returned("10")))
    assert (trial.passed_count, trial.finding, trial.sandbox_id) == (2, None, "box")


def test_a_value_of_another_type_does_not_pass() -> None:
    trial = judge(spec(), run(Returned("3.0"), Returned("10")))
    assert trial.finding == "add(1, 2) returned 3.0 but must return 3"
    assert trial.passed_count == 1


def test_the_first_failing_example_is_the_finding() -> None:
    trial = judge(spec(), run(Returned("3"), RAISED, outcome=Outcome.FAILED))
    assert trial.finding == "add(5, 5) raised KeyError: 'x' at line 3: return d['x']"
    assert trial.passed_count == 1


def test_a_run_that_was_stopped_says_at_which_call() -> None:
    trial = judge(spec(), run(Returned("3"), None, outcome=Outcome.TIMED_OUT))
    assert trial.finding == "add(5, 5) timed out"


def test_source_that_raises_is_told_at_the_first_call() -> None:
    trial = judge(spec(), run(outcome=Outcome.FAILED, error=RAISED))
    assert trial.finding == "add(1, 2) raised KeyError: 'x' at line 3: return d['x']"
    assert trial.passed_count == 0


def test_right_values_from_a_crashed_sandbox_do_not_pass() -> None:
    trial = judge(spec(), run(Returned("3"), Returned("10"), outcome=Outcome.CRASHED))
    assert trial.finding == "add(5, 5) crashed"
    assert trial.passed_count == 0


def test_missing_results_do_not_pass_even_with_a_claimed_success() -> None:
    assert judge(spec(), run()).finding == "add(1, 2) gave no result"
    assert judge(spec(), run(Returned("3"))).passed_count == 1


def test_a_value_that_is_no_json_does_not_pass() -> None:
    for text in ("NaN", "", "[" * 100_000, "<html>"):
        assert "returned no JSON value" in str(judge(spec(), run(Returned(text))).finding)
