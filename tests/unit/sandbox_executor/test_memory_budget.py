from services.sandbox_executor.memory_budget import MemoryBudget


def test_whoever_uses_most_has_to_go() -> None:
    budget = MemoryBudget(100)
    assert not budget.is_over("a", 60)
    assert not budget.is_over("b", 30)
    assert not budget.is_over("b", 50)
    assert budget.is_over("a", 60)
    budget.forget("a")
    assert not budget.is_over("b", 50)


def test_one_alone_may_use_it_all() -> None:
    budget = MemoryBudget(100)
    assert not budget.is_over("a", 100)
    assert budget.is_over("a", 101)
    budget.forget("nobody")
