"""Programs that want out: to the host, to the kernel, to other sandboxes."""

import pytest
from batos.sandbox.v1 import sandbox_pb2 as pb

from tests.integration.sandbox_executor.executor_process import DOCKER, ROOT, ExecutorProcess
from tests.integration.sandbox_executor.sandbox_caller import SandboxCaller, values


async def test_privileges_cannot_be_had(sandbox: SandboxCaller) -> None:
    source = """
import ctypes, os
def attempts():
    libc = ctypes.CDLL(None, use_errno=True)
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
    return {
        "uid": os.getuid(),
        "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
        "setuid": libc.setuid(0),
        "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "chroot": libc.chroot(b"/tmp"),
    }
"""
    response = await sandbox.execute(source, ("attempts", {}))
    assert values(response) == [
        {"uid": 65534, "capabilities": 0, "setuid": -1, "mount": -1, "chroot": -1}
    ]


PROBE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) >= 0:
        return "done"
    return errno.errorcode[ctypes.get_errno()]
def see(path):
    try:
        with open(path, "rb") as file:
            return len(file.read(4096))
    except OSError as error:
        return errno.errorcode[error.errno]
def make(path):
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o777)
    except OSError as error:
        return errno.errorcode[error.errno]
    try:
        return os.write(fd, b"1")
    except OSError as error:
        return errno.errorcode[error.errno]
def listed(path):
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return errno.errorcode[error.errno]
"""
REFUSED = {
    "EPERM",
    "EACCES",
    "ENOSYS",
    "EINVAL",
    "EFAULT",
    "ENOENT",
    "EROFS",
    "EBADF",
    "ENODEV",
    "ENOTSUP",
}


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (165, [0, 0, 0, 0, 0]),
        (166, [0, 0]),
        (308, [0, 0]),
        (246, [0, 0, 0, 0]),
        (175, [0, 0, 0]),
        (313, [0, 0, 0]),
        (321, [0, 0, 0]),
        (298, [0, 0, 0, 0, 0]),
        (169, [0xFEE1DEAD, 672274793, 0x1234567, 0]),
        (155, [0, 0]),
        (304, [0, 0, 0]),
        (323, [0]),
        (425, [1, 0]),
    ],
    ids=(
        *("mount", "umount", "setns", "kexec_load", "init_module", "finit_module", "bpf"),
        *("perf_event_open", "reboot", "pivot_root", "open_by_handle_at", "userfaultfd"),
        "io_uring",
    ),
)
async def test_the_kernel_refuses(
    sandbox: SandboxCaller, number: int, arguments: list[int]
) -> None:
    """Numbers of x86-64. Whatever answers is gVisor's own kernel, not the host's."""
    source = PROBE + f"def f(): return call({number}, *{arguments})"
    response = await sandbox.execute(source, ("f", {}))
    assert response.outcome == pb.OUTCOME_OK, response
    assert values(response)[0] in REFUSED, values(response)


@pytest.mark.parametrize(
    "path",
    [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/sys/fs/cgroup/release_agent",
        "/sys/fs/cgroup/cgroup.procs",
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/self/mem/../../../etc/shadow",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/sda",
        "/run/batos/identity/identity.pem",
    ],
)
async def test_places_to_break_out_are_not_there(sandbox: SandboxCaller, path: str) -> None:
    source = PROBE + f"def f(): return [see({path!r}), make({path!r})]"
    response = await sandbox.execute(source, ("f", {}))
    assert response.outcome == pb.OUTCOME_OK, response
    seen, made = values(response)[0]
    assert seen in (0, *REFUSED, "ENOTDIR", "ENXIO"), seen
    assert made in (*REFUSED, "ENOTDIR", "ENXIO", "EISDIR"), made


async def test_process_one_is_the_guest_and_tells_nothing_of_the_host(
    sandbox: SandboxCaller, executor: ExecutorProcess
) -> None:
    source = PROBE + (
        "def f():\n"
        "    environ = open('/proc/1/environ', 'rb').read().decode()\n"
        "    return [environ, open('/proc/1/cmdline', 'rb').read(40).decode(), listed('/proc')]"
    )
    response = await sandbox.execute(source, ("f", {}))
    environ, command, processes = values(response)[0]
    assert command.startswith("/python/bin/python3")
    assert "BATOS" not in environ
    assert str(ROOT) not in environ
    numbers = [name for name in processes if name.isdigit()]
    assert len(numbers) <= 2


@pytest.mark.parametrize("request_number", [0, 16, 0x4206], ids=["traceme", "attach", "seize"])
async def test_tracing_stays_inside(sandbox: SandboxCaller, request_number: int) -> None:
    """There is nobody to trace but oneself; process 1 is the guest or our relay for it."""
    source = PROBE + f"def f(): return call(101, {request_number}, 999, 0, 0)"
    response = await sandbox.execute(source, ("f", {}), wall=5)
    assert response.outcome in (pb.OUTCOME_OK, pb.OUTCOME_TIMED_OUT, pb.OUTCOME_CRASHED), response
    if request_number:
        assert values(response) == ["ESRCH"]


async def test_new_namespaces_give_no_power(sandbox: SandboxCaller) -> None:
    """gVisor may grant a user namespace of its own; root in there is still nobody outside."""
    source = (
        PROBE
        + """
def f():
    made = call(272, 0x10000000)  # unshare(CLONE_NEWUSER)
    return [made, call(165, 0, 0, 0, 0, 0), make("/python/bin/python3"), make("/etc/passwd")]
"""
    )
    response = await sandbox.execute(source, ("f", {}))
    _, mounted, *written = values(response)[0]
    assert mounted in REFUSED
    assert set(written) <= REFUSED


async def test_setuid_programs_give_no_power(sandbox: SandboxCaller) -> None:
    source = """
import os, shutil
SHOW = "import os; os._exit(7 if os.geteuid() == 65534 else 8)"
def copied():
    os.makedirs("/tmp/p/bin")
    os.symlink("/python/lib", "/tmp/p/lib")
    shutil.copy("/python/bin/python3", "/tmp/p/bin/python3")
    os.chmod("/tmp/p/bin/python3", 0o6755)
    pid = os.fork()
    if pid == 0:
        try:
            os.execv("/tmp/p/bin/python3", ["python3", "-I", "-S", "-c", SHOW])
        except PermissionError:
            os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def asked():
    try:
        os.setresuid(0, 0, 0)
    except OSError as error:
        return error.errno
"""
    response = await sandbox.execute(source, ("copied", {}), ("asked", {}))
    assert response.outcome == pb.OUTCOME_OK, response
    # Docker mounts /tmp with noexec, so that there it does not even start.
    assert values(response) == [9 if DOCKER else 7, 1]
