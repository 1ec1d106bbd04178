import pytest

from services.sandbox_executor.file_path import is_inside, is_pattern_inside


@pytest.mark.parametrize("path", ["a", "a/b.txt", "größe", " ", "-rf", "a\nb", "...", "a/...b"])
def test_names_of_files(path: str) -> None:
    assert is_inside(path)


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "..", "/", "//", "/a", "a/", "a//b", "./a", "a/.", "a/../b", "../a", "a\0"),
        "a" * 513,
        "/".join("a" * 33),
    ],
)
def test_names_of_nothing_inside(path: str) -> None:
    assert not is_inside(path)


@pytest.mark.parametrize("pattern", ["*", "**", "out/**", "a?[bc]", "**/*.txt"])
def test_patterns(pattern: str) -> None:
    assert is_pattern_inside(pattern)


@pytest.mark.parametrize("pattern", ["", "/*", "../*", "a/../*", "**/a/**", "*\0", "*" * 600])
def test_patterns_that_lead_out_or_never_end(pattern: str) -> None:
    assert not is_pattern_inside(pattern)
