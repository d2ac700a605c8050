"""The command line, `takeback ...`. Each zone defines its own commands, which are imported when they are called."""

from importlib import import_module
from typing import Final, override

import click
from click.shell_completion import get_completion_class

from takeback import __version__, how_to_install
from takeback.errors import TakebackError

_COMMANDS: Final = {
    "hash": "takeback.hashing.commands:hash_files",
    "registry": "takeback.registry.cli.commands:registry",
    "platform": "takeback.registry.cli.platform_commands:platform",
    "gate": "takeback.gate.commands:gate",
    "lookup": "takeback.lookup.commands:lookup",
    "verify": "takeback.verify.commands:verify",
    "completion": "takeback.cli:completion",
}
_MORE: Final = {
    "gate": (
        "takeback.integrations.proxy.commands:proxy",
        "takeback.integrations.bucket.commands:bucket",
        "takeback.integrations.pict_rs.commands:pict_rs",
    )
}
"""Commands of other zones that stand in a group."""


class _Refused(click.ClickException):
    """An error message for people, with click's status for usage errors: 1 may mean that a file is blocked."""

    exit_code = 2


class _Lazy(click.Group):
    """A group whose commands are imported by name, so that one zone works without another's packages."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        try:
            command = _imported(_COMMANDS[cmd_name])
            for more in _MORE.get(cmd_name, ()):
                assert isinstance(command, click.Group)
                command.add_command(_imported(more))
        except ModuleNotFoundError as error:
            return _not_installed(cmd_name, error)
        return command

    @override
    def invoke(self, ctx: click.Context) -> object:
        """Runs the command. Raises `_Refused` for errors of ours, and if a package is missing."""
        try:
            return super().invoke(ctx)
        except TakebackError as error:
            raise _Refused(str(error)) from error
        except ModuleNotFoundError as error:
            raise _Refused(_missing(ctx.invoked_subcommand or "", error)) from error


def _imported(where: str) -> click.Command:
    """The command at `where`, MODULE:NAME."""
    module, name = where.split(":")
    command = getattr(import_module(module), name)
    assert isinstance(command, click.Command)
    return command


def _missing(name: str, error: ModuleNotFoundError) -> str:
    """How to install what the command `name` lacks. Raises `error` again if a module of our own is missing."""
    if (error.name or "").startswith("takeback"):
        raise error
    # The extras have the names of the zones: `takeback.gate.commands` needs `gate`.
    extra = _COMMANDS[name].split(":")[0].split(".")[1]
    return f"takeback {name} needs more packages ({error.name}): {how_to_install(extra)}"


def _not_installed(name: str, error: ModuleNotFoundError) -> click.Command:
    """A placeholder for a command whose packages are not installed."""
    missing = _missing(name, error)

    short = f"Needs {missing.rpartition(': ')[2]}"

    @click.command(name, short_help=short, add_help_option=False, context_settings={"ignore_unknown_options": True})
    @click.argument("_arguments", nargs=-1)
    def explain(_arguments: tuple[str, ...]) -> None:
        raise _Refused(missing)

    return explain


@click.group(cls=_Lazy)
@click.version_option(__version__, prog_name="takeback")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Hash pictures, run a registry, run a gate, answer small sites, verify a site."""
    ctx.obj = _random_picture_signals


def _random_picture_signals() -> object:
    """Signals of a random picture. The registry cannot read pictures, so it gets this function through click."""
    return import_module("takeback.hashing.drawing").random_picture_signals()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell code that completes takeback's commands: eval "$(takeback completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "takeback", "_TAKEBACK_COMPLETE").source())
