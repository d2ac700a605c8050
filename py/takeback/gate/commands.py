"""`takeback gate ...`: the gate's command line.

Exit status: 0 for success with every file allowed, 1 if a file is blocked, 2 for an error, 3 if a file needs a review.
If several apply, 1 takes precedence over 2, and 2 over 3.
"""

import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, override

import click

from takeback.errors import FeedBroken, GateError, PictureError, RegistryUnreachable, SettingsError, TakebackError
from takeback.gate import settings as settings_file
from takeback.gate.feed.client import Client
from takeback.gate.feed.follow import FeedPosition
from takeback.gate.feed.state import State
from takeback.gate.rules.decision import Decision
from takeback.gate.rules.policy import Action, as_toml
from takeback.gate.rules.policy import load as load_policy
from takeback.gate.scan.commands import backfill, scan
from takeback.gate.service import Gate
from takeback.gate.settings import HOME_VARIABLE, KEY_VARIABLE, GateSettings
from takeback.gate.watch import DEFAULT_INTERVAL_SECONDS, describe, sync_rounds
from takeback.gate.watch import watch as watch_feed
from takeback.protocol import MAX_WAIT_SECONDS, Verdict

EXIT_BLOCKED: Final = 1
EXIT_ERROR: Final = 2
EXIT_REVIEW: Final = 3
_MAX_KEY_FILE_BYTES: Final = 4096
_STDIN: Final = Path("-")


class _Failure(click.ClickException):
    """An error with exit status 2, because click's 1 would mean that a file is blocked."""

    exit_code = EXIT_ERROR


class _Gate(click.Group):
    """A command group that prints our errors as one line and exits with status 2."""

    @override
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TakebackError as error:
            raise _Failure(str(error)) from error


@click.group(cls=_Gate)
def gate() -> None:
    """Follow a registry's feed, and decide on uploads."""


_home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=HOME_VARIABLE,
    required=True,
    help=f"The gate's folder; also {HOME_VARIABLE}.",
)


@gate.command()
@_home
@click.option("--registry", required=True, metavar="URL", help="The registry's address, https://HOST[:PORT].")
@click.option(
    "--key-file", type=click.File("rb"), help=f"A file with the platform key, - for stdin; or {KEY_VARIABLE}."
)
@click.option("--feed-key", metavar="HEX", help="The key that signs the feed, if it does not follow the platform key.")
@click.option("--trust-first-feed-key", is_flag=True, help="Trust the key that signs the first answer.")
def init(
    home: Path, registry: str, key_file: BinaryIO | None, feed_key: str | None, trust_first_feed_key: bool
) -> None:
    """Set up a gate, or give it a new key.

    The registry's operator gives you both keys on one line, which `takeback platform add` printed.
    """
    key = (
        key_file.read(_MAX_KEY_FILE_BYTES).decode("ascii", "replace") if key_file else os.environ.get(KEY_VARIABLE, "")
    )
    if not key.strip():
        raise SettingsError(f"give the platform key with --key-file FILE, --key-file - or {KEY_VARIABLE}")
    key, behind = [*key.split(maxsplit=1), ""][:2]
    feed_key = feed_key or behind.strip() or None
    settings = GateSettings(registry.rstrip("/"), key)
    if feed_key is not None and not re.fullmatch("[0-9a-f]{64}", feed_key):
        raise SettingsError(
            "the feed key is malformed: expected the 64 hex digits that the registry's operator gave you"
        )
    unasked = _check_is_registry(settings)
    with closing(State(home, settings.registry)) as state:
        if feed_key:
            state.trust(feed_key)
        elif not trust_first_feed_key and state.feed_key() is None:
            raise SettingsError(
                "give the feed key too: it follows the platform key on the line that the registry's operator gave you, "
                "or use --feed-key HEX; --trust-first-feed-key trusts the first key that is seen"
            )
    if unasked:
        click.echo(f"could not check the registry, so the first sync will: {unasked}", err=True)
    click.echo(f"wrote {settings_file.save(home, settings)}; next: takeback gate sync --home {home}")


@gate.command()
@_home
def sync(home: Path) -> None:
    """Follow the feed to its end once, and send queued feedback."""
    with Gate.open(home) as opened:
        click.echo(describe(opened.sync(_progress())))


@gate.command()
@_home
@click.option(
    "--interval", type=click.FloatRange(1, 86400), default=DEFAULT_INTERVAL_SECONDS, show_default=True, help="Seconds."
)
def watch(home: Path, interval: float) -> None:
    """Follow the feed until stopped by Ctrl-C or SIGTERM. After an error it prints a line and tries again."""
    # A service manager stops it by SIGTERM, which then ends it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Opened before the loop, so that a folder that cannot be used ends the command; within it, errors are tried again.
    with Gate.open(home) as opened:
        status = opened.status()
    _print_with_time(f"following {status.registry} from number {status.checkpoint}, every {interval:g} s; Ctrl-C stops")
    # Most of the interval is spent in a long poll, so that a withdrawal takes effect within a second or two.
    held = int(min(interval, MAX_WAIT_SECONDS))
    pause = max(1.0, interval - held)
    try:
        with sync_rounds(lambda: Gate.open(home), lambda opened: opened.sync(_progress(), held)) as sync:
            watch_feed(sync, time.sleep, _print_with_time, random.random, pause)
    except KeyboardInterrupt:
        with Gate.open(home) as opened:
            _print_with_time(f"stopped at number {opened.status().checkpoint}")


@gate.command()
@_home
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--report", is_flag=True, help="Report blocked files to the registry.")
def check(home: Path, files: tuple[Path, ...], as_json: bool, report: bool) -> None:
    """Decide on files: BLOCK, REVIEW or ALLOW. FILE - is standard input.

    For a picture or video that cannot be hashed, `unreadable` in the policy decides; other files are allowed.
    Exit status: 1 if any is blocked, else 2 if any cannot be read, else 3 if any needs a review, else 0.
    """
    with Gate.open(home) as opened:
        _warn(opened)
        outcomes = [_check(opened, path, as_json, report) for path in files]
        if report:
            _send(opened)
    sys.exit(next((status for status in (EXIT_BLOCKED, EXIT_ERROR, EXIT_REVIEW) if status in outcomes), 0))


@gate.command()
@_home
@click.option("--host", default="127.0.0.1", show_default=True, help="Another than this machine needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 chooses a free one.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="One for each core.")
@click.option("--follow", is_flag=True, help="Follow the feed too; without it, run `gate watch` as well.")
@click.option(
    "--interval",
    type=click.FloatRange(1, 86400),
    default=DEFAULT_INTERVAL_SECONDS,
    show_default=True,
    help="With --follow.",
)
@click.option("--max-megabytes", type=click.IntRange(1, 384), default=64, show_default=True, help="Limit for one file.")
@click.option(
    "--places",
    type=click.IntRange(1, 256),
    help="Files decoded at once in a process  [its share of cores, at least 2].",
)
@click.option(
    "--waiting-megabytes",
    type=click.IntRange(1, 65536),
    default=256,
    show_default=True,
    help="Limit for all files that arrive or wait in a process.",
)
@click.option("--report", is_flag=True, help="Report blocked uploads to the registry.")
def serve(host: str, port: int, max_megabytes: int, places: int | None, report: bool, **listen: Any) -> None:
    """Check uploads over HTTP, as a sidecar for any language. TAKEBACK_GATE_TOKEN sets the token for callers."""
    from takeback.gate.serve.app import SidecarOptions
    from takeback.gate.serve.server import TOKEN_VARIABLE, Listen
    from takeback.gate.serve.server import serve as serve_gate

    home = os.fspath(listen.pop("home"))
    threads = max(1, (os.cpu_count() or 1) // listen["processes"])
    waiting = listen.pop("waiting_megabytes") << 20
    options = SidecarOptions(
        home,
        max_megabytes << 20,
        places or max(2, threads),
        threads,
        waiting,
        report,
        os.environ.get(TOKEN_VARIABLE, ""),
    )
    serve_gate(
        Listen(host, port, **listen), options, lambda address: _print_with_time(f"the gate answers at {address}")
    )


@gate.command()
@_home
@click.argument("entries", nargs=-1, required=True, metavar="ENTRY...")
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
def feedback(home: Path, entries: tuple[str, ...], verdict: str) -> None:
    """Send feedback on an upload that matched these entries, after a moderator has looked at it.

    The rate brake (`flood` in the policy) no longer applies to entries confirmed as blocked.
    """
    with Gate.open(home) as opened:
        opened.feedback(entries, verdict, confirmed=True)
        _send(opened)


@gate.command()
@_home
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(home: Path, as_json: bool) -> None:
    """Show how far the feed is followed, and how many entries are active."""
    with Gate.open(home) as opened:
        now = opened.status()
        if as_json:
            click.echo(json.dumps(asdict(now)))
            return
        _warn(opened)
    click.echo(f"registry    {now.registry}")
    click.echo(f"checkpoint  {now.checkpoint} of {now.head}")
    click.echo(f"last sync   {'never' if now.age is None else _ago(now.age)}")
    click.echo(f"entries     {', '.join(f'{count} {kind}' for kind, count in sorted(now.entries.items())) or 'none'}")
    if now.paused:
        click.echo(f"paused      {now.paused} entries, which the registry holds for a review")
    click.echo(f"feed key    {now.feed_key or 'none yet: the first sync takes the one it sees'}")
    click.echo(f"feedback    {now.feedback_waiting} waiting")


@gate.command()
@_home
def policy(home: Path) -> None:
    """Show the policy with all its keys, as a starting point for your own policy.toml."""
    click.echo(as_toml(load_policy(home)), nl=False)


gate.add_command(scan)
gate.add_command(backfill)


def _check_is_registry(settings: GateSettings) -> str:
    """Checks that a registry answers at the address; returns why it could not be reached, or an empty string.

    Raises `SettingsError` if another service answers, and `KeyRefused`.
    """
    try:
        with Client(settings) as client:
            client.feed_keys()
    except RegistryUnreachable as error:
        return str(error)
    except FeedBroken as error:
        raise SettingsError(f"the service at {settings.registry} is not a registry: correct the address") from error
    return ""


def _check(opened: Gate, path: Path, as_json: bool, report: bool) -> int:
    """Decides on one file, prints the decision, and returns the exit status for it."""
    try:
        decision = opened.check(sys.stdin.buffer.read() if path == _STDIN else path)
    except PictureError as error:
        if as_json:
            click.echo(json.dumps({"file": os.fspath(path), "error": {"code": error.code, "text": str(error)}}))
        else:
            click.echo(f"ERROR {_printable(path)}: {error}", err=True)
        return EXIT_ERROR
    if report and decision.action is Action.BLOCK:
        opened.feedback(decision, Verdict.BLOCKED)
    click.echo(json.dumps({"file": os.fspath(path), **decision.as_dict()}) if as_json else _line(path, decision))
    return {Action.BLOCK: EXIT_BLOCKED, Action.REVIEW: EXIT_REVIEW, Action.ALLOW: 0}[decision.action]


def _line(path: Path, decision: Decision) -> str:
    reason = decision.explain()
    return f"{decision.action.upper()} {_printable(path)}" + (f": {reason}" if reason else "")


def _printable(path: Path) -> str:
    """Returns the path with unprintable characters escaped, so that it stays on one line."""
    name = click.format_filename(path)
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name)


def _send(opened: Gate) -> None:
    """Sends queued feedback; if that fails, it stays queued."""
    try:
        sent = opened.send_feedback()
    except (GateError, SettingsError) as error:
        click.echo(f"feedback is queued for the next sync: {error}", err=True)
    else:
        click.echo(f"feedback: {sent} sent", err=True)


def _warn(opened: Gate) -> None:
    """Prints a warning if the feed is stale, was never read, or is not followed."""
    now = opened.status()
    if now.alarm:
        click.secho(f"ALARM: the feed is not followed: {now.alarm}", err=True, fg="red", bold=True)
    warning = opened.warning()
    if warning:
        click.secho(f"WARNING: {warning}", err=True, fg="red", bold=True)


def _progress() -> Callable[[FeedPosition], None]:
    """Returns a function that shows the progress of a sync: a bar on a terminal, else at most one line a second."""
    if sys.stderr.isatty():
        return _bar()
    printed = time.monotonic()

    def on_page(position: FeedPosition) -> None:
        nonlocal printed
        if time.monotonic() - printed >= 1:
            printed = time.monotonic()
            click.echo(f"at number {position.checkpoint} of {position.head}", err=True)

    return on_page


def _bar() -> Callable[[FeedPosition], None]:
    """Returns a function that shows a progress bar from the first page to the last."""
    bar = click.progressbar(length=1, label="reading the feed", file=sys.stderr, show_pos=True)

    def on_page(position: FeedPosition) -> None:
        bar.length = position.head
        bar.update(position.checkpoint - bar.pos)
        if bar.finished:
            bar.render_finish()

    return on_page


def _print_with_time(text: str) -> None:
    """Prints a line with the time (UTC)."""
    click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}")


def _ago(seconds: float) -> str:
    """Returns a duration in a suitable unit, followed by "ago"."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
