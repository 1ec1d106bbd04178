import pytest

from services.sandbox_executor.frames import BrokenFrame, Frame
from services.sandbox_executor.job import File, Raised, Returned
from services.sandbox_executor.transcript import Transcript

LOADED: Frame = {"kind": "loaded"}
END: Frame = {"kind": "end"}
RAISED: Frame = {
    "kind": "raised",
    "type": "ValueError",
    "message": "no",
    "traceback": "",
    "line": 3,
    "source_line": "raise ValueError('no')",
}


def value(content: object) -> Frame:
    return {"kind": "value", "value": content}


def file(path: object = "a", content: object = "eA==") -> Frame:
    return {"kind": "file", "path": path, "content": content}


def filled(calls: int, *frames: Frame, collects: bool = False) -> Transcript:
    transcript = Transcript(calls, collects=collects)
    for frame in frames:
        transcript.add(frame)
    return transcript


def test_a_whole_run() -> None:
    transcript = filled(2, LOADED, value({"é": [1, None]}), RAISED, END)
    assert transcript.ended
    assert transcript.results[0] == Returned('{"\\u00e9": [1, null]}')
    assert transcript.results[1] == Raised("ValueError", "no", "", 3, "raise ValueError('no')")
    assert transcript.failures == [transcript.results[1]]


def test_a_source_that_raises_ends_without_calls() -> None:
    transcript = filled(2, RAISED, END)
    assert transcript.ended
    assert transcript.results == [None, None]
    assert transcript.exception is not None
    assert transcript.exception.type == "ValueError"


@pytest.mark.parametrize(
    "frames",
    [
        [END],
        [LOADED, END],
        [LOADED, LOADED],
        [value(1)],
        [RAISED, LOADED],
        [RAISED, RAISED],
        [LOADED, value(1), value(2)],
        [LOADED, value(1), END, END],
        [LOADED, {"kind": "value"}],
        [LOADED, {"kind": "raised", "type": 7}],
        [{"kind": "ready"}],
        [{"kind": ["loaded"]}],
        [{}],
    ],
)
def test_any_other_order_is_broken(frames: list[Frame]) -> None:
    with pytest.raises(BrokenFrame):
        filled(1, *frames)


def test_hostile_text_is_cut_and_made_encodable() -> None:
    frame = RAISED | {"message": "\ud800" * 5000, "line": True, "traceback": "x" * 9000}
    raised = filled(0, frame).exception
    assert raised is not None
    assert raised.message == "?" * 2048
    assert len(raised.traceback) == 4096
    assert raised.line == 0


def test_it_tells_where_a_run_stopped() -> None:
    assert filled(2).where() == "while the source was being executed"
    assert filled(2, LOADED, value(1)).where() == "in call 2 of 2"
    assert filled(1, LOADED, value(1)).where() == "after the last result"


def test_files_come_after_the_results() -> None:
    transcript = filled(1, LOADED, value(1), file(), file("d/b", ""), END, collects=True)
    assert transcript.files == [File("a", b"x"), File("d/b", b"")]
    assert transcript.ended
    refused = filled(1, LOADED, value(1), RAISED, END, collects=True)
    assert refused.exception is not None


@pytest.mark.parametrize(
    "frames",
    [
        [file()],
        [LOADED, file()],
        [LOADED, value(1), END, file()],
        [LOADED, value(1), file("../a")],
        [LOADED, value(1), file("/a")],
        [LOADED, value(1), file("a\0b")],
        [LOADED, value(1), file(7)],
        [LOADED, value(1), file("a", "no base64!")],
        [LOADED, value(1), file("a", None)],
        [LOADED, value(1), *[file()] * 129],
    ],
)
def test_no_honest_guest_hands_files_back_like_that(frames: list[Frame]) -> None:
    with pytest.raises(BrokenFrame):
        filled(1, *frames, collects=True)


def test_files_that_nobody_asked_for_are_broken() -> None:
    with pytest.raises(BrokenFrame):
        filled(1, LOADED, value(1), file())
