"""The command line of `build.py` and its help texts."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, override

from builder import ROOT

DESCRIPTION: Final = """\
Builds, runs and tests Takeback. Start with

  python3 build.py serve     run it: the page and the registry on this computer
  python3 build.py test      test it: everything, real browsers included

Nothing is installed outside this folder, except the browsers that `test` needs, and downloads, which stay in your
cache folder for the next clone. Each command first makes what it needs and skips what is up to date.
"""

HELP: Final = {
    "setup": """Sets up the environment: installs the Python packages into .venv and the JavaScript packages into
        node_modules, both checked against the hashes in their lock files, and compiles the hashing kernel and the index
        for this computer. Every other command does as much of this as it needs; run it on its own to prepare for
        working offline.""",
    "build": """Builds everything that is served into dist/: the page, the sealed worker and the Python that runs in
        it, each file also compressed, and manifest.json with the sha256 of every file. The same sources always give
        the same bytes.""",
    "serve": """Runs Takeback on this computer: sets up, builds, creates a registry and a demo platform in var/, and
        serves the page. Prints the page's address and three commands to try the platform's side. Ctrl-C stops it; what
        was sent stays in var/ for the next time.""",
    "dev": """Like serve, for working on the page: whatever is edited in web/ is built again at once, and open tabs show
        it, styles without losing what was done on the page. Scripts carry source maps, and tracebacks of
        Python in the worker line numbers. It leaves dist/ alone, makes no demo platform, and takes up edits of Python
        only when it is started again.""",
    "test": """Runs all tests, the fast ones first and those in real browsers last; installs missing browsers.
        Further arguments are passed to pytest.""",
    "check": """Checks the code without running it: ruff and mypy for Python, tsc and prettier for JavaScript, and the
        import rules. --fix formats the code and repairs what can be repaired automatically.""",
    "audit": """Asks the advisory services whether any package in the lock files has a known vulnerability, for Python
        and for JavaScript. Needs a network. The exit status is 1 if there is one, or if a service did not answer.""",
    "bench": """Measures speed, and behaviour under hostile input. Runs the benchmarks named, or all of them; --list
        shows them with their options. Close other programs first. The exit status is 1 if a benchmark found a
        fault.""",
    "release": """Makes a release of the commit that is checked out, in build/release/: the wheel, the sdist, the page's
        archive, requirement lists with hashes, SBOMs (CycloneDX) and SHA256SUMS. The same commit always gives the
        same bytes. Refuses to run while files are not committed. Signs SHA256SUMS if TAKEBACK_SIGNING_KEY names the
        file of an SSH key, and prints how to verify the release.""",
    "reference": """Writes the reference of the public Python API, py/takeback/API.md, from the docstrings.""",
    "clean": """Removes what was made here: .venv, node_modules, dist, build and the tools' caches. Cases and keys in
        var/ are kept unless you add --all.""",
}

EXAMPLES: Final = {
    "setup": ["setup"],
    "build": ["build"],
    "serve": ["serve", "serve --port 8001", "serve --host 0.0.0.0 --data /srv/takeback"],
    "dev": ["dev", "dev --port 8001"],
    "test": ["test", "test tests/registry", "test -k withdraw"],
    "check": ["check", "check --fix"],
    "audit": ["audit"],
    "bench": ["bench", "bench --list", "bench hashing", "bench hostile --files 100000", "bench faults --kills 1000"],
    "release": ["release"],
    "reference": ["reference"],
    "clean": ["clean", "clean --all"],
}

BENCH_OPTIONS: Final = {
    "files": "number of files to generate and hash",
    "first": "number of the first file, to continue a run or to repeat one file",
    "kills": "number of times to kill a process",
}
"""Options that a benchmark may take: its `main` has parameters of these names."""


class Options(argparse.Namespace):
    """The parsed command line. Each command reads its own options."""

    command = ""
    host = "127.0.0.1"
    port = 8000
    data = ROOT / "var"
    pytest: Sequence[str] = ()
    """Everything after `test`, as typed."""
    fix = False
    names: Sequence[str] = ()
    list = False
    measure: dict[str, int]
    """The numbers given for benchmarks, by the names in `BENCH_OPTIONS`."""
    all = False


def parse(arguments: list[str]) -> Options:
    """Parses the command line. Exits with a message if it is invalid."""
    parser = argparse.ArgumentParser(
        prog="build.py",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    made = {name: _add(commands, name) for name in HELP}
    for serve in (made["serve"], made["dev"]):
        serve.add_argument("--host", default=Options.host, help="the address to listen on (%(default)s)")
        serve.add_argument("--port", type=_port, default=Options.port, help="the port to listen on (%(default)s)")
        serve.add_argument("--data", type=_folder, default=Options.data, help="the folder for cases and keys (var)")
    made["check"].add_argument("--fix", action="store_true", help="repair and format before checking")
    made["bench"].add_argument("names", nargs="*", metavar="NAME", help="a benchmark (all of them)")
    made["bench"].add_argument("--list", action="store_true", help="list the benchmarks and their options")
    for name, text in BENCH_OPTIONS.items():
        made["bench"].add_argument(f"--{name}", type=_count, default=argparse.SUPPRESS, metavar="N", help=text)
    made["clean"].add_argument("--all", action="store_true", help="also remove var/, with its cases and keys")
    made["test"].add_argument("pytest", nargs="*", metavar="ARGUMENT", help="passed to pytest")
    options, rest = parser.parse_known_args(arguments, Options())
    options.measure = {name: getattr(options, name) for name in BENCH_OPTIONS if hasattr(options, name)}
    if options.command == "test":
        options.pytest = arguments[arguments.index("test") + 1 :]
    elif rest:
        made[options.command].error(f"unknown: {' '.join(rest)}")
    return options


def _add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str) -> argparse.ArgumentParser:
    """Adds a command with its help and its examples."""
    text = " ".join(HELP[name].split())
    examples = "\n".join(f"  python3 build.py {example}" for example in EXAMPLES[name])
    return commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"examples:\n{examples}",
        formatter_class=_Paragraph,
        allow_abbrev=False,
    )


class _Paragraph(argparse.RawDescriptionHelpFormatter):
    """Wraps the paragraph that describes a command, and leaves its examples unchanged."""

    @override
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)  # noqa: SLF001 - argparse has no public way to wrap


def _port(text: str) -> int:
    """Parses a port number."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    """Parses a count of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _folder(text: str) -> Path:
    """Makes a folder's path absolute, because the command runs in another folder."""
    return Path(text).absolute()
