"""What a guest reports, frame by frame, held against the only order that is allowed."""

import base64
import json

from services.sandbox_executor.file_path import is_inside
from services.sandbox_executor.frames import BrokenFrame, Frame
from services.sandbox_executor.job import File, Raised, Result, Returned

_MESSAGE_CHARACTERS = 2048
_TRACEBACK_CHARACTERS = 4096
_NAME_CHARACTERS = 200
_FILES = 128
_FILE_BYTES = 3 << 20  # together


class Transcript:
    """loaded, one result per call, or raised; then the files, if any were asked for; end.

    `results` has a place for each call, None until it is reported. `exception` is set where the
    source itself raised, or the files could not be collected. `ended` once the last frame has come.
    """

    def __init__(self, calls: int, *, collects: bool) -> None:
        self.results: list[Result] = [None] * calls
        self.files: list[File] = []
        self._collects = collects
        self.exception: Raised | None = None
        self.loaded = False
        self.ended = False
        self._reported = 0

    def add(self, frame: Frame) -> None:
        """Takes the next frame. Raises BrokenFrame where it cannot come next."""
        kind = frame.get("kind")
        if self.ended:
            raise BrokenFrame("a frame came after the last one")
        if kind == "end" and self._complete:
            self.ended = True
        elif kind == "loaded" and not self.loaded and self.exception is None:
            self.loaded = True
        elif kind == "raised" and not self.loaded and self.exception is None:
            self.exception = _raised(frame)
        elif kind in ("value", "raised") and self.loaded and not self._complete:
            self.results[self._reported] = _result(frame)
            self._reported += 1
        elif kind == "file" and self._complete and self._collects:
            self._add_file(_file(frame))
        elif kind == "raised" and self._complete and self._collects and not self.exception:
            self.exception = _raised(frame)
        else:
            raise BrokenFrame("a frame came out of order")

    def _add_file(self, file: File) -> None:
        self.files.append(file)
        size = sum(len(each.content) for each in self.files)
        if len(self.files) > _FILES or size > _FILE_BYTES:
            raise BrokenFrame("more files than any honest guest hands back")

    @property
    def _complete(self) -> bool:
        return self.exception is not None or (self.loaded and self._reported == len(self.results))

    @property
    def failures(self) -> list[Raised]:
        """Every exception reported so far."""
        raised = [result for result in self.results if isinstance(result, Raised)]
        return [self.exception, *raised] if self.exception else raised

    def where(self) -> str:
        """What was running when the reports stopped, for people."""
        if not self.loaded:
            return "while the source was being executed"
        if self._reported < len(self.results):
            return f"in call {self._reported + 1} of {len(self.results)}"
        return "after the last result"


def _result(frame: Frame) -> Result:
    if frame.get("kind") == "raised":
        return _raised(frame)
    if "value" not in frame:
        raise BrokenFrame("a value frame holds no value")
    # Written anew, so that what we pass on is well-formed whatever the guest wrote.
    try:
        return Returned(json.dumps(frame["value"]))
    except RecursionError:
        raise BrokenFrame("a value is nested too deeply") from None


def _file(frame: Frame) -> File:
    path, content = frame.get("path"), frame.get("content")
    if not isinstance(path, str) or not isinstance(content, str):
        raise BrokenFrame("a file has no path or no content")
    path = path.encode("utf-8", "replace").decode()
    if not is_inside(path):
        raise BrokenFrame("a file lies outside the working directory")
    try:
        return File(path, base64.b64decode(content, validate=True))
    except ValueError:
        raise BrokenFrame("a file is not base64") from None


def _raised(frame: Frame) -> Raised:
    line = frame.get("line")
    return Raised(
        type=_text(frame, "type", _NAME_CHARACTERS),
        message=_text(frame, "message", _MESSAGE_CHARACTERS),
        traceback=_text(frame, "traceback", _TRACEBACK_CHARACTERS),
        line=line if type(line) is int and 0 <= line < 1 << 31 else 0,
        source_line=_text(frame, "source_line", _MESSAGE_CHARACTERS),
    )


def _text(frame: Frame, key: str, characters: int) -> str:
    value = frame.get(key)
    if not isinstance(value, str):
        raise BrokenFrame(f"{key} is not text")
    # Lone surrogates are legal in JSON and in no other encoding.
    return value[:characters].encode("utf-8", "replace").decode()
