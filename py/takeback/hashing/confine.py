"""Takes away what a decoder does not need: files, network, other processes, and unlimited memory.

Each restriction is applied where the system supports it; `confine` reports which are in force. gate/README.md explains
what they protect.
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
# From Linux's headers, prctl.h and sched.h: Python names none of them.
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
"""System calls that decoders, Python and the C library make once loaded; all others fail."""


def confine(memory: int, parent: int, life: int) -> list[str]:
    """Applies every restriction that this system supports, and returns the names of those in force.

    `memory` is in bytes, beyond what is loaded; `life` is in seconds of processor time, after which the process is
    killed. `parent` is the process id of the parent. Afterwards nothing can be opened or imported. The process must be
    single-threaded.
    """
    tried = (
        ("another user", _become_nobody),
        ("namespaces", _leave_namespaces),
        ("limits", lambda: _limit(memory, life)),
        ("ends with its parent", lambda: _end_with(parent)),
        ("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("system calls", _filter_calls),
    )
    # The order matters: only root can become nobody, and the filter of system calls, which forbids the others, is last.
    active = []
    for name, apply in tried:
        with suppress(OSError, AttributeError, ImportError, RuntimeError, ValueError):
            apply()
            active.append(name)
    return active


def _become_nobody() -> None:
    """Switches a process started by root to the user nobody, who can read none of the gate's files."""
    if os.geteuid() != 0:
        raise PermissionError(errno.EPERM, "not root")
    # In this order, because without root's user id the groups can no longer be changed.
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)


def _leave_namespaces() -> None:
    """Enters a user namespace without rights over other processes, and an empty network namespace (Linux)."""
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET | os.CLONE_NEWIPC)


def _limit(memory: int, life: int) -> None:
    """Forbids new descriptors (files, sockets), writes to files and core dumps; limits memory and processor time."""
    # Before the limits, because it opens a file.
    size = _address_space() + memory
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, life),
        (resource.RLIMIT_NOFILE, 0),
    ):
        with suppress(ValueError, OSError):  # already limited below this, or not supported here
            resource.setrlimit(kind, (most, most))


def _address_space() -> int:
    """Bytes mapped now, mostly code shared with other processes (Linux)."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib loads too slowly in browsers
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _end_with(parent: int) -> None:
    """Ends this process when the process `parent` ends (Linux; elsewhere it ends when its input does)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # the parent ended before prctl took effect


def _prctl(what: int, value: int) -> None:
    """Calls Linux's prctl. Raises `OSError`."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "prctl is Linux only")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(what, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _filter_calls() -> None:
    """Allows only the system calls in `_CALLS`, new threads and thread names (Linux with libseccomp)."""
    # ENOSYS, as on an old kernel, so that the C library falls back to a system call that is allowed.
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))
    for name in _CALLS:
        with suppress(OSError, ValueError):  # this architecture has no such call
            rules.add_rule(pyseccomp.ALLOW, name)
    # A filter sees clone's flags, but not those of clone3, which are in memory. So clone3 fails, and the C library
    # falls back to clone.
    rules.add_rule(pyseccomp.ALLOW, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD))
    rules.add_rule(pyseccomp.ALLOW, "prctl", pyseccomp.Arg(0, pyseccomp.EQ, _PR_SET_NAME))
    rules.load()
