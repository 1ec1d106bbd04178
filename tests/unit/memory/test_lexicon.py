import numpy as np
import pytest

from services.memory import lexicon as module
from services.memory.lexicon import Lexicon


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon()


def test_words_are_numbered_once_in_any_case(lexicon: Lexicon) -> None:
    first, second = lexicon.ids("Cats sleep"), lexicon.ids("CATS, cats!")
    assert second.tolist() == [first[0], first[0]]


def test_forms_of_a_word_share_a_stem(lexicon: Lexicon) -> None:
    stems = lexicon.stems(lexicon.ids("adopt adopted adopting shelter"))
    assert len(set(stems[:3].tolist())) == 1
    assert stems[3] != stems[0]


def test_stop_words_do_not_speak(lexicon: Lexicon) -> None:
    ids = lexicon.ids("what did the cat do")
    assert lexicon.speaking(ids).tolist() == lexicon.ids("cat").tolist()


def test_like_words_have_like_vectors_of_length_1(lexicon: Lexicon) -> None:
    cat, kitten, tax = lexicon.vectors(lexicon.ids("cat kitten tax"))
    assert np.linalg.norm([cat, kitten, tax], axis=1) == pytest.approx(1.0, abs=1e-5)
    assert cat @ kitten > cat @ tax + 0.2


@pytest.mark.parametrize("text", ["", "?!", "\x00", "\ud7ff", "日本語の文", "a" * 100_000])
def test_any_text_has_words_or_none(lexicon: Lexicon, text: str) -> None:
    ids = lexicon.ids(text)
    assert lexicon.vectors(ids).shape == (len(ids), module.DIMENSION)


def test_words_past_the_bound_are_known_by_their_stem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GROWTH", 2)
    monkeypatch.setattr(module, "_VECTORS", 4)
    small = Lexicon()
    ids = small.ids("one two three four five six fives")
    assert np.any(small.vectors(ids[:4]), axis=1).all()
    assert not small.vectors(ids[4:]).any()
    assert small.stems(ids)[4] == small.stems(ids)[6]
