"""`takeback gate ...`: the gate on the command line.

Exit status: 0 all went well and every file is allowed, 1 a file is blocked, 2 an error, 3 a file needs a review.
Of several, blocked goes before an error, and an error before a review.
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
from takeback.gate.watch import DEFAULT_INTERVAL, describe, rounds
from takeback.gate.watch import watch as watch_feed
from takeback.protocol import MAX_WAIT_SECONDS, Verdict

BLOCKED: Final = 1
FAILED: Final = 2
REVIEW: Final = 3
_MAX_KEY_FILE: Final = 4096
_STDIN: Final = Path("-")


class _Failure(click.ClickException):
    """An error for people, with a status of its own: 1 would say that a file is blocked."""

    exit_code = FAILED


class _Gate(click.Group):
    """A group whose errors are one line and status 2."""

    @override
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TakebackError as error:
            raise _Failure(str(error)) from error


@click.group(cls=_Gate)
def gate() -> None:
    """Follow the feed of a registry, and decide on uploads."""


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
@click.option(
    "--feed-key", metavar="HEX", help="The key that signs the feed, if it does not stand behind the platform key."
)
@click.option("--trust-first-feed-key", is_flag=True, help="Believe whichever key signs the first answer.")
def init(
    home: Path, registry: str, key_file: BinaryIO | None, feed_key: str | None, trust_first_feed_key: bool
) -> None:
    """Set up a gate, or give it a new key.

    The registry's operator gives both keys as one line, as `takeback platform add` prints it.
    """
    key = key_file.read(_MAX_KEY_FILE).decode("ascii", "replace") if key_file else os.environ.get(KEY_VARIABLE, "")
    if not key.strip():
        raise SettingsError(f"give the platform key by --key-file FILE, --key-file - or {KEY_VARIABLE}")
    key, behind = [*key.split(maxsplit=1), ""][:2]
    feed_key = feed_key or behind.strip() or None
    settings = GateSettings(registry.rstrip("/"), key)
    if feed_key is not None and not re.fullmatch("[0-9a-f]{64}", feed_key):
        raise SettingsError("the feed key is not one: expected 64 hex digits, as the registry's operator tells")
    unasked = _ask_whether_it_is_one(settings)
    with closing(State(home, settings.registry)) as state:
        if feed_key:
            state.trust(feed_key)
        elif not trust_first_feed_key and state.feed_key() is None:
            raise SettingsError(
                "give the feed's key too: it stands behind the platform key in the line that the registry's operator "
                "gave you, or use --feed-key HEX; --trust-first-feed-key believes the first one that is seen"
            )
    if unasked:
        click.echo(f"could not ask whether this is a registry, so the first sync will: {unasked}", err=True)
    click.echo(f"wrote {settings_file.save(home, settings)}; next: takeback gate sync --home {home}")


@gate.command()
@_home
def sync(home: Path) -> None:
    """Follow the feed to its end, once, and send the feedback that waits."""
    with Gate.open(home) as opened:
        click.echo(describe(opened.sync(_progress())))


@gate.command()
@_home
@click.option(
    "--interval", type=click.FloatRange(1, 86400), default=DEFAULT_INTERVAL, show_default=True, help="Seconds."
)
def watch(home: Path, interval: float) -> None:
    """Follow the feed until stopped by Ctrl-C or SIGTERM. No error ends it: it says so and tries again."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Gate.open(home) as opened:
        status = opened.status()
    _say(f"following {status.registry} from number {status.checkpoint}, every {interval:g} s; Ctrl-C stops")
    # The registry does the waiting, as long as it may: what is withdrawn passes within a second or two.
    held = int(min(interval, MAX_WAIT_SECONDS))
    pause = max(1.0, interval - held)
    try:
        with rounds(lambda: Gate.open(home), lambda opened: opened.sync(_progress(), held)) as sync:
            watch_feed(sync, time.sleep, _say, random.random, pause)
    except KeyboardInterrupt:
        with Gate.open(home) as opened:
            _say(f"stopped at number {opened.status().checkpoint}")


@gate.command()
@_home
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--report", is_flag=True, help="Tell the registry of what is blocked.")
def check(home: Path, files: tuple[Path, ...], as_json: bool, report: bool) -> None:
    """Decide on files: BLOCK, REVIEW or ALLOW. FILE - is standard input.

    A picture or video that cannot be hashed is decided on by `unreadable` in the policy; other files are allowed.
    Exit status: 1 if any is blocked, else 2 if any is not there, else 3 if any needs a review, else 0.
    """
    with Gate.open(home) as opened:
        _warn(opened)
        outcomes = [_check(opened, path, as_json, report) for path in files]
        if report:
            _send(opened)
    sys.exit(next((status for status in (BLOCKED, FAILED, REVIEW) if status in outcomes), 0))


@gate.command()
@_home
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond this machine only with a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="One for each core.")
@click.option("--follow", is_flag=True, help="Follow the feed too; without it, `gate watch` has to run.")
@click.option(
    "--interval", type=click.FloatRange(1, 86400), default=DEFAULT_INTERVAL, show_default=True, help="With --follow."
)
@click.option("--max-megabytes", type=click.IntRange(1, 384), default=64, show_default=True, help="Of one file.")
@click.option(
    "--places", type=click.IntRange(1, 256), help="Files decoded at once in a process  [cores for it, two at least]."
)
@click.option(
    "--waiting-megabytes",
    type=click.IntRange(1, 65536),
    default=256,
    show_default=True,
    help="Of all files that arrive or wait in a process.",
)
@click.option("--report", is_flag=True, help="Tell the registry of what is blocked.")
def serve(host: str, port: int, max_megabytes: int, places: int | None, report: bool, **listen: Any) -> None:
    """Answer uploads over HTTP, as a sidecar for any language. TAKEBACK_GATE_TOKEN holds the callers' token."""
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
    serve_gate(Listen(host, port, **listen), options, lambda address: _say(f"the gate answers at {address}"))


@gate.command()
@_home
@click.argument("entries", nargs=-1, required=True, metavar="ENTRY...")
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
def feedback(home: Path, entries: tuple[str, ...], verdict: str) -> None:
    """Tell the registry what became of an upload that matched these entries, once a person has looked at it.

    What is confirmed as blocked is not braked any more (policy: flood).
    """
    with Gate.open(home) as opened:
        opened.feedback(entries, verdict, confirmed=True)
        _send(opened)


@gate.command()
@_home
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def status(home: Path, as_json: bool) -> None:
    """Show how far the feed is followed, and what is known."""
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
    click.echo(f"feed key    {now.feed_key or 'not known yet: the first sync takes the one it sees'}")
    click.echo(f"feedback    {now.feedback_waiting} waiting")


@gate.command()
@_home
def policy(home: Path) -> None:
    """Show the policy that decides, with every key; a start for a policy.toml of your own."""
    click.echo(as_toml(load_policy(home)), nl=False)


gate.add_command(scan)
gate.add_command(backfill)


def _ask_whether_it_is_one(settings: GateSettings) -> str:
    """Refuses an address that answers otherwise than a registry. One may be away for now: why, else nothing, is given.

    Raises `SettingsError`, `KeyRefused`.
    """
    try:
        with Client(settings) as client:
            client.feed_keys()
    except RegistryUnreachable as error:
        return str(error)
    except FeedBroken as error:
        raise SettingsError(f"what answers at {settings.registry} is no registry: correct the address") from error
    return ""


def _check(opened: Gate, path: Path, as_json: bool, report: bool) -> int:
    """Decides on one file, says so, and gives the exit status that it asks for."""
    try:
        decision = opened.check(sys.stdin.buffer.read() if path == _STDIN else path)
    except PictureError as error:
        if as_json:
            click.echo(json.dumps({"file": os.fspath(path), "error": {"code": error.code, "text": str(error)}}))
        else:
            click.echo(f"ERROR {_shown(path)}: {error}", err=True)
        return FAILED
    if report and decision.action is Action.BLOCK:
        opened.feedback(decision, Verdict.BLOCKED)
    click.echo(json.dumps({"file": os.fspath(path), **decision.as_dict()}) if as_json else _line(path, decision))
    return {Action.BLOCK: BLOCKED, Action.REVIEW: REVIEW, Action.ALLOW: 0}[decision.action]


def _line(path: Path, decision: Decision) -> str:
    reason = decision.explain()
    return f"{decision.action.upper()} {_shown(path)}" + (f": {reason}" if reason else "")


def _shown(path: Path) -> str:
    """The path on one line, whatever its name holds."""
    name = click.format_filename(path)
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name)


def _send(opened: Gate) -> None:
    """Sends the feedback that waits; if that fails it goes on waiting."""
    try:
        sent = opened.send_feedback()
    except (GateError, SettingsError) as error:
        click.echo(f"feedback kept, the next sync sends it: {error}", err=True)
    else:
        click.echo(f"feedback: {sent} sent", err=True)


def _warn(opened: Gate) -> None:
    """Says loudly when the gate decides by old knowledge, or by none."""
    now = opened.status()
    if now.alarm:
        click.secho(f"ALARM: the feed is not followed: {now.alarm}", err=True, fg="red", bold=True)
    warning = opened.warning()
    if warning:
        click.secho(f"WARNING: {warning}", err=True, fg="red", bold=True)


def _progress() -> Callable[[FeedPosition], None]:
    """Tells how far a long sync is: with a bar where a person looks, else in a line a second."""
    if sys.stderr.isatty():
        return _bar()
    told = time.monotonic()

    def on_page(position: FeedPosition) -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            click.echo(f"at number {position.checkpoint} of {position.head}", err=True)

    return on_page


def _bar() -> Callable[[FeedPosition], None]:
    """A bar that appears with the first page and ends with the last."""
    bar = click.progressbar(length=1, label="reading the feed", file=sys.stderr, show_pos=True)

    def on_page(position: FeedPosition) -> None:
        bar.length = position.head
        bar.update(position.checkpoint - bar.pos)
        if bar.finished:
            bar.render_finish()

    return on_page


def _say(text: str) -> None:
    """A line of a long-running command, with the time (UTC)."""
    click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}")


def _ago(seconds: float) -> str:
    """How long ago, in the unit that fits."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
