"""The guest: waits for one request on stdin, runs it, reports on descriptor 3, and stops.

It runs inside the sandbox as `python -I -S -c <this text>`, with the standard library alone.
Nothing in here is a secret or a defence: user code shares this interpreter and may do to it what it
likes. What keeps the host safe lies outside; what is reported is read there as hostile input.

Frames, both ways: four bytes of length (big endian), then that many bytes of UTF-8 JSON.
In:  {source, calls: [{function, arguments}], stdin (base64), argv, limits: {resource: number}}
Out: {kind: ready}, then {kind: loaded} once the source has run, then per call {kind: value, value}
     or {kind: raised, ...}, then {kind: end}. A source that raises gives {kind: raised} in place of
     {kind: loaded}, and no calls are made.
"""

import base64
import contextlib
import io
import json
import linecache
import os
import resource
import struct
import sys
import types
from typing import Any

REQUESTS = 0
REPORTS = 3
FILE_NAME = "main.py"
VALUE_LIMIT_BYTES = 1 << 20
MESSAGE_LIMIT = 2048
TRACEBACK_LIMIT = 4096
SOURCE_LINE_LIMIT = 400

_guest_pid = os.getpid()


def main() -> None:
    """Serves one request; ends without a word where stdin closes before there is one."""
    preload()
    report({"kind": "ready"})
    request = read_request()
    if request is not None:
        line = os.dup(REQUESTS)
        prepare(request)
        serve(request)
        flush()
        report({"kind": "end"})
        # The host looks once more at what this run left going, then ends us; or it hangs up.
        os.read(line, 1)
    os._exit(0)


def preload() -> None:
    """Imports what tools use most while nobody waits; a cold import costs milliseconds here."""
    for name in ("collections", "dataclasses", "datetime", "itertools", "math", "random", "string"):
        __import__(name)


def report(message: dict[str, Any]) -> None:
    """Writes one frame."""
    send(json.dumps(message, allow_nan=False))


def send(text: str) -> None:
    """Writes one frame of JSON text. A forked child of user code has nothing to report."""
    if os.getpid() != _guest_pid:
        os._exit(1)
    body = text.encode()
    data = memoryview(struct.pack(">I", len(body)) + body)
    while data:
        data = data[os.write(REPORTS, data) :]


def read_request() -> dict[str, Any] | None:
    """The one request, or None at the end of stdin."""
    head = read_exactly(4)
    if head is None:
        return None
    body = read_exactly(struct.unpack(">I", head)[0])
    request: dict[str, Any] | None = None if body is None else json.loads(body)
    return request


def read_exactly(size: int) -> bytes | None:
    """`size` bytes from the host, or None where it hung up."""
    data = bytearray()
    while len(data) < size:
        chunk = os.read(REQUESTS, size - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def prepare(request: dict[str, Any]) -> None:
    """Lowers the limits for good, and gives user code its own stdin and argv."""
    for name, value in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, REQUESTS)
    os.close(null)
    stdin = io.BytesIO(base64.b64decode(request["stdin"]))
    sys.stdin = io.TextIOWrapper(stdin, encoding="utf-8")
    sys.argv = [FILE_NAME, *request["argv"]]


def serve(request: dict[str, Any]) -> None:
    """Runs the source once as `__main__`, then each call in order."""
    source = request["source"]
    linecache.cache[FILE_NAME] = (len(source), None, source.splitlines(True), FILE_NAME)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    if not load(source, module, script=not request["calls"]):
        return
    for call in request["calls"]:
        make_call(module, call["function"], call["arguments"])


def load(source: str, module: types.ModuleType, *, script: bool) -> bool:
    """Executes the source; False where it raised. A script may leave by sys.exit(0)."""
    try:
        code = compile(source, FILE_NAME, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - this process exists to do just that
        if script:
            join_threads()
    except BaseException as error:
        if not (script and isinstance(error, SystemExit) and error.code in (None, 0)):
            report(describe(error))
            return False
    flush()
    report({"kind": "loaded"})
    return True


def make_call(module: types.ModuleType, name: str, arguments: dict[str, Any]) -> None:
    """One call with keyword arguments; what it printed is out before its result is."""
    try:
        if name not in module.__dict__:
            raise NameError(f"the source defines no {name!r}")
        text = as_json(module.__dict__[name](**arguments))
        flush()
        send(f'{{"kind": "value", "value": {text}}}')
    except BaseException as error:
        flush()
        report(describe(error))


def as_json(value: object) -> str:
    """The value as JSON, refusing what JSON would change or cannot say."""
    text = json.dumps(value, allow_nan=False)
    require_text_keys(value)
    if len(text) > VALUE_LIMIT_BYTES:
        raise ValueError(f"the returned value is {len(text)} bytes of JSON; at most 1 MiB goes out")
    return text


def require_text_keys(value: object) -> None:
    """JSON would turn the key 1 into "1" without a word; a caller must hear of it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"a returned dict has the key {key!r} of type {type(key).__name__}; "
                    "keys must be str to be JSON"
                )
            require_text_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            require_text_keys(inner)


def describe(error: BaseException) -> dict[str, Any]:
    """The exception as a report: only the lines of the user's own source."""
    frames = user_frames(error)
    line = frames[-1][0] if frames else 0
    if isinstance(error, SyntaxError) and error.filename == FILE_NAME:
        line = error.lineno or 0
    lines = [
        f'  File "{FILE_NAME}", line {number}, in {name}\n    {source_line(number)}\n'
        for number, name in frames
    ]
    return {
        "kind": "raised",
        "type": type(error).__name__,
        "message": message_of(error),
        "traceback": "".join(lines)[-TRACEBACK_LIMIT:],
        "line": line,
        "source_line": source_line(line),
    }


def user_frames(error: BaseException) -> list[tuple[int, str]]:
    """(line, function) of the frames that lie in the user's source, outermost first."""
    frames = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILE_NAME:
            frames.append((step.tb_lineno, step.tb_frame.f_code.co_name))
        step = step.tb_next
    # Endless recursion has a thousand frames; its two ends tell the story.
    return frames if len(frames) <= 20 else frames[:10] + frames[-10:]


def source_line(number: int) -> str:
    """A line of the user's source, stripped; empty where there is none."""
    return linecache.getline(FILE_NAME, number).strip()[:SOURCE_LINE_LIMIT]


def message_of(error: BaseException) -> str:
    """str() of an exception whose __str__ may itself be broken."""
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        return str(text)[:MESSAGE_LIMIT]
    except BaseException as broken:
        return f"<str() of it raised {type(broken).__name__}>"


def join_threads() -> None:
    """A script ends when its threads do, as it would from a shell."""
    threading = sys.modules.get("threading")
    if threading is None:
        return
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def flush() -> None:
    """Sends on what user code printed; it may have closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()


main()
