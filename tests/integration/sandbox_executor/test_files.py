"""Files and environment, into a sandbox and out of it."""

import grpc
import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from shared.errors import InvalidArgument
from shared.rpc_status import from_rpc_error
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller


def found(response: pb.ExecuteResponse) -> dict[str, bytes]:
    return {file.path: file.content for file in response.files}


async def test_files_go_in_and_come_out_as_bytes(sandbox: SandboxCaller) -> None:
    every_byte = bytes(range(256))
    response = await sandbox.execute(
        "data = open('in/raw.bin', 'rb').read()\n"
        "import os; os.makedirs('out/deep')\n"
        "open('out/deep/back.bin', 'wb').write(data[::-1])\n"
        "open('out/größe.txt', 'w').write(str(len(data)))",
        files={"in/raw.bin": every_byte},
        collect=("out/**",),
    )
    assert response.outcome == pb.OUTCOME_OK, response
    assert found(response) == {"out/deep/back.bin": every_byte[::-1], "out/größe.txt": b"256"}


async def test_collected_files_come_sorted_and_only_once(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(
        "for n in 'cab': open(n, 'w').write(n)", collect=("*", "a", "nothing*")
    )
    assert [file.path for file in response.files] == ["a", "b", "c"]


async def test_files_of_a_failed_run_come_out_too(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("open('log', 'w').write('x'); 1 / 0", collect=("log",))
    assert response.outcome == pb.OUTCOME_FAILED
    assert found(response) == {"log": b"x"}


async def test_links_and_folders_are_not_handed_back(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(
        "import os\n"
        "os.symlink('/python/bin/python3', 'python'); os.symlink('/proc/1/environ', 'environ')\n"
        "os.symlink('/', 'root'); os.mkdir('empty'); os.mkfifo('fifo'); open('real', 'w').close()",
        collect=("*", "root/python/bin/*", "environ"),
    )
    assert response.outcome == pb.OUTCOME_OK, response
    assert found(response) == {"real": b""}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("open('big', 'wb').write(b'x' * (4 << 20))", "bytes"),
        ("for n in range(200): open(str(n), 'w').close()", "files match"),
    ],
)
async def test_too_much_to_hand_back_is_a_failure(
    sandbox: SandboxCaller, source: str, words: str
) -> None:
    response = await sandbox.execute(source, collect=("*",))
    assert response.outcome == pb.OUTCOME_FAILED
    assert words in response.exception.message
    assert not response.files


async def test_the_environment_is_the_callers(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(
        "import os; print(os.environ['MODE'], 'BATOS_SANDBOX_LISTEN' in os.environ)",
        environment={"MODE": "größe=1"},
    )
    assert response.stdout.decode() == "größe=1 False\n"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"files": {"../x": b""}}, "files[0].path"),
        ({"files": {"/etc/passwd": b""}}, "files[0].path"),
        ({"files": {"a/../b": b""}}, "files[0].path"),
        ({"files": {"a//b": b""}}, "files[0].path"),
        ({"files": {"a\0b": b""}}, "files[0].path"),
        ({"files": {"": b""}}, "files[0].path"),
        ({"files": {".": b""}}, "files[0].path"),
        ({"files": {"/".join("a" * 60): b""}}, "files[0].path"),
        ({"files": {str(n): b"" for n in range(129)}}, "files"),
        ({"files": {"x": b"x" * 1000}, "file_size_limit_bytes": 999}, "files[0].content"),
        ({"environment": {"A=B": "1"}}, "environment"),
        ({"environment": {"A": "\0"}}, "environment"),
        ({"collect": ("../*",)}, "collect[0]"),
        ({"collect": ("/etc/*",)}, "collect[0]"),
        ({"collect": ("**/**/**",)}, "collect[0]"),
        ({"profile": "no-such"}, "profile"),
    ],
)
async def test_what_cannot_go_in_is_refused(sandbox: SandboxCaller, more: dict, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await sandbox.execute("x = 1", **more)
    error = from_rpc_error(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [field]


async def test_a_file_where_a_folder_should_be_is_told(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute("x = 1", files={"a": b"", "a/b": b""})
    assert response.outcome == pb.OUTCOME_FAILED
    assert response.exception.type in ("NotADirectoryError", "FileExistsError")


async def test_limits_on_files_are_those_asked_for(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(
        "open('x', 'wb', buffering=0).write(b'x' * 5000)", file_size_limit_bytes=4096
    )
    # The kernel writes what fits, and says so; the next byte is refused.
    assert response.outcome == pb.OUTCOME_OK
    response = await sandbox.execute(
        "f = open('x', 'wb', buffering=0)\nwhile True: f.write(b'x' * 4096)",
        file_size_limit_bytes=4096,
    )
    assert (response.outcome, response.exception.type) == (pb.OUTCOME_FAILED, "OSError")
    response = await sandbox.execute(
        "x = [open('/dev/null') for _ in range(20)]", open_file_limit=16
    )
    assert (response.outcome, response.exception.type) == (pb.OUTCOME_FAILED, "OSError")
    response = await sandbox.execute(
        "x = [open('/dev/null') for _ in range(200)]", open_file_limit=256
    )
    assert response.outcome == pb.OUTCOME_OK, response


async def test_sandboxes_share_no_random_state(sandbox: SandboxCaller) -> None:
    source = (
        "import os, random, uuid\n"
        "print(random.random(), os.urandom(8).hex(), uuid.uuid4(), hash('x'))"
    )
    printed = [(await sandbox.execute(source)).stdout.decode().split() for _ in range(3)]
    for values in zip(*printed, strict=True):
        assert len(set(values)) == 3, values


async def test_code_imports_the_files_that_came_with_it(sandbox: SandboxCaller) -> None:
    response = await sandbox.execute(
        "from kit import greet\nimport json\nprint(greet('you'), json.loads('1'))",
        files={
            "kit/__init__.py": b"from kit.words import greet\n",
            "kit/words.py": b"def greet(name):\n    return 'hello ' + name\n",
            "json.py": b"raise SystemExit('this is not the json that was meant')\n",
        },
    )
    assert response.stdout == b"hello you 1\n", response
