"""The guest: waits for a request on stdin, runs it, reports on descriptor 3, and waits again.

boot.py hands over to it inside the sandbox, with the standard library alone and, in sys.argv, the
modules that it is to import ahead. One request is all that most guests ever see: they
are ended after it. Only in a session more of them follow, and share the namespace of `__main__`.
Nothing in here is a secret or a defence: user code shares this interpreter and may do to it what it
likes. What keeps the host safe lies outside; what is reported is read there as hostile input.

Frames, both ways: four bytes of length (big endian), then that many bytes of UTF-8 JSON.
In:  {source, calls: [{function, arguments}], stdin (base64), argv, limits: {resource: number},
      files: [{path, content (base64)}], environment: {name: value}, collect: [pattern],
      cell (number from 1 in a session, else 0)}
Out: {kind: ready} once; then {kind: loaded} once the source has run, per call {kind: value, value}
     or {kind: raised, ...}, per collected file {kind: file, path, content (base64)}, {kind: end}.
     A source that raises gives {kind: raised} in place of {kind: loaded}, and no calls are made.
     {kind: raised} in place of a file says why files cannot be handed back.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import os
import resource
import stat
import sys
import types

TYPE_CHECKING = False  # each import takes milliseconds of every boot
if TYPE_CHECKING:
    from typing import Any

REQUESTS = 0
REPORTS = 3
FILE_NAME = "main.py"
WORK = os.getcwd()  # noqa: PTH109
PACKAGES = "/python/packages"
FILE_COUNT_LIMIT = 128
FILE_BYTES_LIMIT = 3 << 20
VALUE_LIMIT_BYTES = 1 << 20
MESSAGE_LIMIT = 2048
TRACEBACK_LIMIT = 4096
SOURCE_LINE_LIMIT = 400

_guest_pid = os.getpid()
_sources: set[str] = set()


def main() -> None:
    """Serves requests until the host hangs up; most often it ends us after the first."""
    preload(sys.argv[1:])
    rehearse()
    line = os.dup(REQUESTS)
    report({"kind": "ready"})
    module = types.ModuleType("__main__")
    while (request := read_request(line)) is not None:
        try:
            prepare(request)
        except OSError as error:
            report(describe(error))
        else:
            serve(request, module)
        flush()
        report({"kind": "end"})
    os._exit(0)


def preload(modules: list[str]) -> None:
    """Imports what will be used while nobody waits; a cold import costs milliseconds here."""
    if os.path.isdir(PACKAGES):  # noqa: PTH112 - pathlib is slow to import
        sys.path.append(PACKAGES)
    for name in modules:
        __import__(name)


def rehearse() -> None:
    """Goes once through what every run does: the first time, each page of code is a fault."""
    request = json.loads('{"source": "for i in [1]: str(i) + repr({})", "limits": {"a": 1.5}}')
    source = io.TextIOWrapper(io.BytesIO(request["source"].encode()), encoding="utf-8").read()
    exec(compile(source, FILE_NAME, "exec", dont_inherit=True), {})  # noqa: S102
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.close(os.open(os.devnull, os.O_RDONLY))
    json.dumps({"kind": [1]}, allow_nan=False).encode()


def report(message: dict[str, Any]) -> None:
    """Writes one frame."""
    send(json.dumps(message, allow_nan=False))


def send(text: str) -> None:
    """Writes one frame of JSON text. A forked child of user code has nothing to report."""
    if os.getpid() != _guest_pid:
        os._exit(1)
    body = text.encode()
    data = memoryview(len(body).to_bytes(4, "big") + body)
    while data:
        data = data[os.write(REPORTS, data) :]


def read_request(line: int) -> dict[str, Any] | None:
    """The next request, or None where the host has hung up."""
    head = read_exactly(line, 4)
    if head is None:
        return None
    body = read_exactly(line, int.from_bytes(head, "big"))
    request: dict[str, Any] | None = None if body is None else json.loads(body)
    return request


def read_exactly(line: int, size: int) -> bytes | None:
    """`size` bytes from the host, or None where it hung up."""
    data = bytearray()
    while len(data) < size:
        chunk = os.read(line, size - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def prepare(request: dict[str, Any]) -> None:
    """Lowers the limits for good, and gives user code its stdin, argv, environment and files."""
    for name, value in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, REQUESTS)
    os.close(null)
    stdin = io.BytesIO(decoded(request["stdin"]))
    sys.stdin = io.TextIOWrapper(stdin, encoding="utf-8")
    sys.argv = [FILE_NAME, *request["argv"]]
    os.environ.update(request["environment"])
    if request["files"] and WORK not in sys.path:
        sys.path.append(WORK)  # last, so that no file stands in for what the guest itself imports
    for file in request["files"]:
        path = os.path.join(WORK, file["path"])  # noqa: PTH118
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as target:  # noqa: PTH123
            target.write(decoded(file["content"]))


def decoded(text: str) -> bytes:
    """The bytes of base64 text, which is most often empty."""
    if not text:
        return b""
    import binascii

    return binascii.a2b_base64(text)


def serve(request: dict[str, Any], module: types.ModuleType) -> None:
    """Runs the source as `__main__`, then each call in order, then collects files."""
    sys.modules["__main__"] = module
    if load(request, module):
        for call in request["calls"]:
            make_call(module, call["function"], call["arguments"])
    try:
        for path in collected(request["collect"]):
            send_file(path)
    except BaseException as error:
        report(describe(error))


def load(request: dict[str, Any], module: types.ModuleType) -> bool:
    """Executes the source; False where it raised. A script may leave by sys.exit(0)."""
    source, cell = request["source"], request["cell"]
    name = f"cell{cell}.py" if cell else FILE_NAME
    _sources.add(name)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    script = not request["calls"]
    try:
        execute(source, name, module, show=bool(cell))
        if script and not cell:
            join_threads()
    except BaseException as error:
        if not (script and isinstance(error, SystemExit) and error.code in (None, 0)):
            report(describe(error))
            return False
    flush()
    report({"kind": "loaded"})
    return True


def execute(source: str, name: str, module: types.ModuleType, *, show: bool) -> None:
    """Runs the source; to `show` is to print the value of an expression at its end."""
    if not show:
        exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        return
    import ast

    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    if isinstance(last, ast.Expr):
        shown = compile(ast.Expression(last.value), name, "eval", dont_inherit=True)
        value = eval(shown, module.__dict__)  # noqa: S307
        if value is not None:
            print(repr(value))  # noqa: T201


def collected(patterns: list[str]) -> list[str]:
    """Relative paths of the regular files that match; no link is followed on the way."""
    if not patterns:
        return []
    import glob

    found = {
        path
        for pattern in patterns
        for path in glob.iglob(pattern, root_dir=WORK, recursive=True, include_hidden=True)  # noqa: PTH207
        if is_plain(path)
    }
    if len(found) > FILE_COUNT_LIMIT:
        raise OSError(f"{len(found)} files match; at most {FILE_COUNT_LIMIT} go out")
    size = sum(os.stat(os.path.join(WORK, path)).st_size for path in found)  # noqa: PTH116, PTH118
    if size > FILE_BYTES_LIMIT:
        raise OSError(f"the files are {size} bytes; at most {FILE_BYTES_LIMIT} go out")
    return sorted(found)


def is_plain(path: str) -> bool:
    """Whether it is a regular file below the working directory, and no link leads there."""
    whole = os.path.join(WORK, path)  # noqa: PTH118
    return os.path.realpath(whole) == os.path.normpath(whole) and stat.S_ISREG(
        os.lstat(whole).st_mode
    )


def send_file(path: str) -> None:
    """Reports one file."""
    import binascii

    descriptor = os.open(os.path.join(WORK, path), os.O_RDONLY | os.O_NOFOLLOW)  # noqa: PTH118
    with open(descriptor, "rb") as file:  # noqa: PTH123
        content = binascii.b2a_base64(file.read(FILE_BYTES_LIMIT + 1), newline=False).decode()
    report({"kind": "file", "path": os.path.normpath(path), "content": content})


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
    file = frames[-1][2] if frames else FILE_NAME
    if isinstance(error, SyntaxError) and error.filename in _sources:
        line, file = error.lineno or 0, error.filename
    lines = [
        f'  File "{source}", line {number}, in {name}\n    {source_line(source, number)}\n'
        for number, name, source in frames
    ]
    return {
        "kind": "raised",
        "type": type(error).__name__,
        "message": message_of(error),
        "traceback": "".join(lines)[-TRACEBACK_LIMIT:],
        "line": line,
        "source_line": source_line(file, line),
    }


def user_frames(error: BaseException) -> list[tuple[int, str, str]]:
    """(line, function, file) of the frames that lie in the user's sources, outermost first."""
    frames = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename in _sources:
            frames.append((step.tb_lineno, code.co_name, code.co_filename))
        step = step.tb_next
    # Endless recursion has a thousand frames; its two ends tell the story.
    return frames if len(frames) <= 20 else frames[:10] + frames[-10:]


def source_line(file: str, number: int) -> str:
    """A line of a source of the user's, stripped; empty where there is none."""
    return linecache.getline(file, number).strip()[:SOURCE_LINE_LIMIT]


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
