"""Compiles the C sources with the pinned zig: the kernel, natively and for WebAssembly, and the gate's index."""

import hashlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from builder import ROOT, BuildError


@dataclass(frozen=True, slots=True)
class Module:
    """C files, and the shared library that they are compiled to. Its name is the same on all systems."""

    source: Path
    """The file after which the library is named."""
    also: tuple[Path, ...] = ()
    """More sources, and the headers that they include."""
    processors: Mapping[str, str] = MappingProxyType({})
    """The processor to compile for, by machine, where the oldest one would be too slow."""

    @property
    def native(self) -> Path:
        """The path of the library for this machine."""
        return self.source.with_name(f"_{self.source.stem}.so")

    @property
    def inside(self) -> str:
        """Its path in a wheel."""
        return inside(self.native)


_HASHING: Final = ROOT / "py" / "takeback" / "hashing"
KERNEL: Final = Module(
    _HASHING / "kernel.c", tuple(_HASHING / name for name in ("lanczos.c", "patches.c", "cosines.h"))
)
_GATE_INDEX: Final = ROOT / "py" / "takeback" / "gate" / "index"
INDEX: Final = Module(
    _GATE_INDEX / "index.c",
    (_GATE_INDEX / "patch_index.c",),
    # a single instruction counts bits; all processors since 2009 have it
    processors=MappingProxyType({"x86_64": "x86_64_v2"}),
)
NODE_KERNEL: Final = ROOT / "py" / "takeback" / "integrations" / "node" / "takeback-kernel.wasm"
"""The kernel beside the client for Node: the same bytes that the page loads."""
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
"""Old enough for every machine that runs a supported Python."""
# Windows and macOS have names of their own for the same processors.
_MACHINES: Final = {"AMD64": "x86_64", "arm64": "aarch64"}
COMPILE_TIMEOUT_SECONDS: Final = 300
"""The first run of a fresh zig takes about ten."""


def native_target() -> str:
    """Returns zig's target for this machine with an old C library, so that the library runs on similar machines.

    Raises `BuildError` for an unsupported system.
    """
    pattern = _TARGETS.get(sys.platform)
    if pattern is None:
        raise BuildError(f"the kernel cannot be built for {sys.platform} yet; use Linux, macOS or Windows")
    return pattern.format(machine=native_machine())


def native_machine() -> str:
    """Returns the usual name of this machine's processor: `x86_64` or `aarch64`."""
    return _MACHINES.get(platform.machine(), platform.machine())


def build_native(module: Module, output: Path | None = None) -> Path:
    """Compiles a module for this machine, beside its source or into `output`. Raises `BuildError`.

    The file is replaced atomically, so that running processes keep the old one.
    """
    output = output or module.native
    made = output.with_suffix(".new")
    processor = module.processors.get(native_machine())
    tuned = [f"-mcpu={processor}"] if processor else []
    made.write_bytes(compile_module(module, ("-target", native_target(), *tuned)))
    made.replace(output)
    return output


def build_for_webassembly() -> bytes:
    """Returns the kernel as a WebAssembly side module for Pyodide's ctypes. Raises `BuildError`."""
    return compile_module(KERNEL, WEBASSEMBLY)


def build_for_node(output: Path = NODE_KERNEL) -> Path:
    """Compiles the kernel for the client for Node, beside it or into `output`. Raises `BuildError`."""
    made = output.with_suffix(".new")
    made.write_bytes(build_for_webassembly())
    made.replace(output)
    return output


def inside(path: Path) -> str:
    """Returns the path in a wheel of a file below `py/`."""
    return path.relative_to(ROOT / "py").as_posix()


def compile_module(module: Module, target: tuple[str, ...]) -> bytes:
    """Compiles a module, to the same bytes each time. Raises `BuildError` with the first error."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, module.native.name)
        sources = [path.name for path in (module.source, *module.also) if path.suffix == ".c"]
        command = [sys.executable, "-m", "ziglang", "cc", *target, *FLAGS, *sources, "-o", str(made)]
        try:
            done = subprocess.run(
                command,
                cwd=module.source.parent,
                capture_output=True,
                text=True,
                check=False,
                timeout=COMPILE_TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(
                f"the compiler did not finish within {COMPILE_TIMEOUT_SECONDS} seconds; run this again"
            ) from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it gave no reason"]
            first = next((line for line in lines if "error" in line), lines[-1])
            raise BuildError(f"{module.source.name} does not compile: {first}")
        return made.read_bytes()


def digest(module: Module = KERNEL) -> str:
    """Returns a digest of a module's sources and compiler options."""
    way = repr((FLAGS, WEBASSEMBLY, dict(module.processors)))
    sources = b"".join(path.read_bytes() for path in (module.source, *module.also))
    return hashlib.sha256(sources + way.encode()).hexdigest()
