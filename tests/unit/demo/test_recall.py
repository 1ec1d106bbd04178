"""What counts as an answer that holds the fact."""

from demo import facts
from demo.steps.recall import holds


def test_a_value_must_stand_alone():
    assert holds("Sure! The number of your plants is 23.", "23")
    assert not holds("Sure! The number of your plants is 230.", "23")
    assert holds("your spare key is Under The Stairs", "under the stairs")
    assert not holds("", "Momo")


def test_facts_differ_by_seed_and_hold_their_value():
    one, two = facts.draw(1), facts.draw(2)
    assert one == facts.draw(1)
    assert one != two
    assert all(holds(fact["statement"], fact["value"]) for fact in one + two)
    assert len({fact["question"] for fact in one}) == facts.COUNT
