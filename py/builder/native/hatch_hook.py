"""Puts the compiled modules into the wheel, so that installing Takeback needs no compiler.

`pip wheel .` makes a wheel for this machine. The wheel for browsers is made by `builder.runtime.browser_wheel`.

An older Python runs this file too when its pip asks which version is required, and only reports it if nothing fails
here.
"""

import platform
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NEEDED: Final = (3, 12)
# The build backend loads this file by its path, so `builder` is not importable yet.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


class KernelHook(BuildHookInterface[Any]):
    """Compiles the modules for the wheel that is being built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # type: ignore[explicit-override] # 3.12's
        """Adds the modules: beside their sources for an editable install, inside the archive for a wheel."""
        if sys.version_info < NEEDED:
            build_data["tag"] = "py2-none-any"  # pip reads the required version from this wheel and refuses it
            return
        from builder.native.kernel import INDEX, KERNEL, NODE_KERNEL, build_for_node, build_native, inside

        if version == "editable":
            build_native(KERNEL)
            build_native(INDEX)
            build_for_node()
            return
        folder = Path(tempfile.mkdtemp())
        for module in (KERNEL, INDEX):
            made = folder / module.native.name
            build_native(module, made)
            build_data["force_include"][str(made)] = module.inside
        made = build_for_node(folder / NODE_KERNEL.name)
        build_data["force_include"][str(made)] = inside(NODE_KERNEL)
        build_data["pure_python"] = False
        # The modules are loaded by ctypes and use no Python ABI: one wheel fits every Python 3.
        build_data["tag"] = f"py3-none-{native_platform()}"


def native_platform() -> str:
    """Returns the platform tag of this machine's wheel: the oldest system that the modules are compiled for."""
    from builder.native.kernel import native_machine

    machine = native_machine()
    if sys.platform == "darwin":
        return f"macosx_11_0_{'arm64' if machine == 'aarch64' else machine}"
    if sys.platform == "win32":
        return "win_amd64" if machine == "x86_64" else "win_arm64"
    if platform.libc_ver()[0] != "glibc":
        return f"linux_{machine}"
    # The glibc in `kernel._TARGETS`.
    return f"manylinux_2_17_{machine}"
