import pytest

from services.memory.words import indexable, without, words_of


@pytest.mark.parametrize(
    ("text", "indexed"),
    [
        ("My dog is called Rex.", "My dog is called Rex."),
        ("我喜欢苹果", " 我喜 喜欢 欢苹 苹果 "),
        ("I like 苹果!", "I like  苹果 !"),
        ("猫", " 猫 "),
        ("", ""),
    ],
)
def test_unspaced_scripts_become_pairs(text: str, indexed: str) -> None:
    assert indexable(text) == indexed


def test_a_query_for_part_of_a_run_shares_its_pairs() -> None:
    assert "苹果" in indexable("我喜欢吃苹果和香蕉").split()


def test_names_are_taken_out_whatever_their_case() -> None:
    assert words_of(without("Where does CAROLINE live?", frozenset({"caroline"}))) == {
        "where",
        "does",
        "live",
    }


def test_a_query_of_names_alone_stays() -> None:
    assert without("Caroline?", frozenset({"caroline"})) == "Caroline?"
