"""The archive of the WordPress plugin."""

import io
import re
import zipfile

from builder.release.wordpress import CLIENT, plugin_archive
from takeback import __version__


def test_the_archive() -> None:
    """It holds one folder with the plugin, the client and the licence, and is the same every time."""
    made = plugin_archive(1_800_000_000)
    assert made == plugin_archive(1_800_000_000)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        names = archive.namelist()
        assert archive.read("takeback/client/takeback.php") == CLIENT.read_bytes()
        main, readme = (archive.read(f"takeback/{name}").decode() for name in ("takeback.php", "readme.txt"))
    assert {name.split("/")[0] for name in names} == {"takeback"}
    assert {"takeback/uninstall.php", "takeback/LICENSE", "takeback/includes/uploads.php"} <= set(names)
    assert {name.rsplit(".")[-1] for name in names} == {"php", "txt", "takeback/LICENSE"}
    assert re.search(rf"Version: {re.escape(__version__)}\n", main)
    assert f"Stable tag: {__version__}\n" in readme
