"""Compiles the hashing kernel by the pinned zig: for this machine, and for WebAssembly."""

import hashlib
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from builder import ROOT, BuildError

SOURCE: Final = ROOT / "py" / "takeback" / "hashing" / "kernel.c"
NATIVE: Final = SOURCE.with_name("_kernel.so")
"""The same name everywhere; what is inside differs."""
FLAGS: Final = (
    "-O3",
    "-g0",
    "-s",
    "-std=c11",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",  # a fused multiply-add would change bits
    "-fno-sanitize=undefined",
    "-Wall",
    "-Wextra",
    "-Werror",
)
WEBASSEMBLY: Final = ("-target", "wasm32-freestanding", "-msimd128", "-nostdlib")
_TARGETS: Final = {"linux": "{machine}-linux-gnu.2.17", "darwin": "{machine}-macos", "win32": "{machine}-windows-gnu"}
"""Old enough for any machine that runs a Python we support."""
_MACHINES: Final = {"AMD64": "x86_64", "arm64": "aarch64"}
COMPILE_TIMEOUT: Final = 300
"""Seconds; the first run of a fresh zig takes about ten."""


def native_target() -> str:
    """Zig's name for this machine with an old C library, so that the module runs on others of its kind as well."""
    pattern = _TARGETS.get(sys.platform)
    if pattern is None:
        raise BuildError(f"the kernel cannot be built for {sys.platform} yet; use Linux, macOS or Windows")
    return pattern.format(machine=native_machine())


def native_machine() -> str:
    """The processor of this machine by its usual name: `x86_64`, `aarch64`."""
    return _MACHINES.get(platform.machine(), platform.machine())


def build_native(output: Path = NATIVE) -> Path:
    """Compiles the kernel for this machine into `output`; a process that runs the old one goes on with it."""
    made = output.with_suffix(".new")
    made.write_bytes(compile_kernel(("-target", native_target())))
    made.replace(output)
    return output


def build_for_webassembly() -> bytes:
    """The kernel as a WebAssembly side module that Pyodide loads through ctypes."""
    return compile_kernel(WEBASSEMBLY)


def compile_kernel(target: tuple[str, ...]) -> bytes:
    """What the compiler makes of kernel.c; the same bytes each time. Raises `BuildError` with its first complaint."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "_kernel.so")
        command = [sys.executable, "-m", "ziglang", "cc", *target, *FLAGS, SOURCE.name, "-o", str(made)]
        try:
            done = subprocess.run(
                command, cwd=SOURCE.parent, capture_output=True, text=True, check=False, timeout=COMPILE_TIMEOUT
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"the compiler did not end within {COMPILE_TIMEOUT} seconds; run this again") from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it gave no reason"]
            raise BuildError(f"{SOURCE.name} does not compile: {next((s for s in lines if 'error' in s), lines[-1])}")
        return made.read_bytes()


def digest() -> str:
    """Changes when the kernel's source or the way it is compiled does."""
    return hashlib.sha256(SOURCE.read_bytes() + repr((FLAGS, WEBASSEMBLY)).encode()).hexdigest()
