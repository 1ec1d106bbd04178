import pytest

from shared.promotion import PromotionPolicy, Scores, improvement_lower_bound, judge

POLICY = PromotionPolicy(minimum_heldout=8, regression_tolerance=0.05)
KEPT = Scores([1.0] * 40, [1.0] * 40)


def test_a_clear_gain_is_promoted():
    verdict = judge(Scores([0.0] * 12, [1.0] * 9 + [0.0] * 3), KEPT, True, POLICY)
    assert verdict.promoted
    assert verdict.reasons == ()
    assert 0.3 < verdict.improvement_lower_bound < 0.75


def test_noise_is_no_gain():
    before, after = [1.0, 0.0] * 6, [0.0, 1.0] * 6
    verdict = judge(Scores(before, after), KEPT, True, POLICY)
    assert not verdict.promoted
    assert "lower bound" in verdict.reasons[0]


def test_forgetting_is_refused_with_its_figures():
    verdict = judge(
        Scores([0.0] * 12, [1.0] * 12), Scores([1.0] * 40, [1.0] * 37 + [0.0] * 3), True, POLICY
    )
    assert not verdict.promoted
    assert "1.000 to 0.925" in verdict.reasons[0]


def test_too_few_examples_and_a_foreign_template_are_refused_together():
    verdict = judge(Scores([0.0] * 3, [1.0] * 3), KEPT, False, POLICY)
    assert len(verdict.reasons) == 2


def test_nothing_held_out_proves_nothing():
    assert not judge(Scores([], []), Scores([], []), True, PromotionPolicy(0)).promoted


def test_unpaired_scores_are_a_defect():
    with pytest.raises(ValueError, match="paired"):
        Scores([1.0], [])


def test_both_sides_compute_the_same_bound():
    scores = Scores([0.1, 0.4, 0.0, 1.0], [0.9, 0.3, 0.6, 1.0])
    assert improvement_lower_bound(scores) == improvement_lower_bound(scores)
