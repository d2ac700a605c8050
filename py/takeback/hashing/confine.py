"""Takes away from this process what a decoder has no use for: files, network, other processes, endless memory.

Each seal is put on where the system has it, and `confine` says which hold. What they give: gate/README.md.
"""

import ctypes
import errno
import os
import signal
import sys
from contextlib import suppress
from typing import Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]
try:
    import pyseccomp
except (ImportError, RuntimeError):  # another system than Linux, or one without libseccomp
    pyseccomp = None

_NOBODY: Final = 65534
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_THREAD: Final = 0x10000
_PR_SET_NAME: Final = 15
_CALLS: Final = (
    *("read", "write", "readv", "writev", "close", "lseek", "fstat", "newfstatat"),
    *("brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "membarrier"),
    *("futex", "set_robust_list", "rseq", "exit", "exit_group", "restart_syscall", "tgkill"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "setitimer"),
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "times"),
    *("getpid", "gettid", "getrusage", "getrandom", "getcpu", "uname", "sysinfo"),
    *("sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler"),
)
"""System calls that decoders, Python and the C library make after they are loaded; all others fail."""


def confine(memory: int, parent: int, life: int) -> list[str]:
    """Puts on every seal that this system has, and names those that hold.

    `memory` in bytes, beyond what is loaded; `life` in seconds of processor time, at whose end the process is killed.
    Afterwards nothing can be opened or imported. The process must have no second thread.
    """
    tried = (
        ("another user", _become_nobody),
        ("namespaces", _leave_namespaces),
        ("limits", lambda: _limit(memory, life)),
        ("ends with its parent", lambda: _end_with(parent)),
        ("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("system calls", _filter_calls),
    )
    held = []
    for name, put_on in tried:
        with suppress(OSError, AttributeError, ImportError, RuntimeError, ValueError):
            put_on()
            held.append(name)
    return held


def _become_nobody() -> None:
    """A process that root started goes on as nobody, who can read no file of the gate's."""
    if os.geteuid() != 0:
        raise PermissionError(errno.EPERM, "not root")
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)


def _leave_namespaces() -> None:
    """A user without rights over others' processes, and a network without any interface (Linux)."""
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET | os.CLONE_NEWIPC)


def _limit(memory: int, life: int) -> None:
    """No new descriptor, so neither files nor sockets; no byte written to a file; no core; so much memory and time."""
    size = _address_space() + memory
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, life),
        (resource.RLIMIT_NOFILE, 0),
    ):
        with suppress(ValueError, OSError):  # of what is limited already, or cannot be on this system
            resource.setrlimit(kind, (most, most))


def _address_space() -> int:
    """Bytes that are mapped now, most of them code that is shared with others (Linux)."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib loads too slowly in browsers
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _end_with(parent: int) -> None:
    """However the process `parent` ends, this one does too (Linux; elsewhere it ends when its input does)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it has ended before


def _prctl(what: int, value: int) -> None:
    """Linux's call of that name. Raises `OSError`."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "there is no prctl here")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(what, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _filter_calls() -> None:
    """No system call but `_CALLS`, threads of its own and their names (Linux with libseccomp)."""
    # As if the kernel did not know it: what the C library has another way for, it does that way.
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))
    for name in _CALLS:
        with suppress(OSError, ValueError):  # a name that this machine's kind does not have
            rules.add_rule(pyseccomp.ALLOW, name)
    rules.add_rule(pyseccomp.ALLOW, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD))
    rules.add_rule(pyseccomp.ALLOW, "prctl", pyseccomp.Arg(0, pyseccomp.EQ, _PR_SET_NAME))
    rules.load()
