"""A module for the Matrix homeserver Synapse, which names it in homeserver.yaml: `TakebackModule`.

`settings` reads its part of homeserver.yaml; `module` is called by Synapse for every file that it is to store.
"""

from typing import Any

from takeback import how_to_install


def __getattr__(name: str) -> Any:
    """Returns `TakebackModule`. Raises Synapse's `ConfigError` if a package that it needs is missing.

    Synapse loads the module by this name, and would show a traceback if an import failed.
    """
    if name != "TakebackModule":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from takeback.integrations.synapse.module import TakebackModule
    except ModuleNotFoundError as error:
        from synapse.module_api.errors import ConfigError

        raise ConfigError(f"{error.name} is missing: {how_to_install('remote')}") from None
    return TakebackModule
