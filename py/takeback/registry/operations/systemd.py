"""A systemd unit for the registry: a process that can access only its data folder and the network."""

from dataclasses import fields
from pathlib import Path
from typing import Final

from takeback.errors import SettingsError
from takeback.registry.settings import PREFIX, RegistrySettings

_WORDS_APART: Final = frozenset(" \t\n\"'\\$;")

_TEMPLATE: Final = """\
# The Takeback registry. Put this into /etc/systemd/system/takeback-registry.service, then:
#   systemctl daemon-reload && systemctl enable --now takeback-registry
# Put secrets, such as a database address with a password, into {environment}, readable only by root.

[Unit]
Description=Takeback registry
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={program} registry serve
EnvironmentFile=-{environment}
{settings}
User=takeback
Group=takeback
UMask=0077
StateDirectory=takeback
StateDirectoryMode=0700
Restart=always
RestartSec=1
TimeoutStopSec=30
LimitNOFILE=65536

CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
ReadWritePaths={data}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
"""


_ALWAYS: Final = frozenset({"data", "host", "port"})
"""Settings that the unit contains even if they have their defaults."""
LOOPBACK: Final = ("127.0.0.1", "::1")
"""If the registry listens only here, its proxy is on the same machine, and the unit trusts it."""
_SECRET: Final = frozenset({"database"})
"""Settings that may contain a password, which belong in the environment file instead of the unit."""


def unit(settings: RegistrySettings, program: str, environment: str) -> str:
    """The unit for a registry with these settings; `program` and `environment` are paths.

    Raises `SettingsError` if a value has characters that systemd would misread.
    """
    usual = RegistrySettings()
    told = {
        setting.name.upper(): _written(getattr(settings, setting.name))
        for setting in fields(RegistrySettings)
        if setting.name in _ALWAYS
        or (setting.name not in _SECRET and getattr(settings, setting.name) != getattr(usual, setting.name))
    }
    for value in (*told.values(), program, environment):
        if _WORDS_APART.intersection(value):
            raise SettingsError(f"{value!r} cannot be used in a systemd unit; choose one without spaces or quotes")
    if settings.host in LOOPBACK and not settings.proxies:
        told["PROXIES"] = ",".join(LOOPBACK)
    lines = "\n".join(f"Environment={PREFIX}{name}={value}" for name, value in told.items())
    named = {"program": program, "environment": environment, "settings": lines, "data": told["DATA"]}
    # % begins a specifier in a unit (systemd.unit(5)).
    return _TEMPLATE.format(**{name: text.replace("%", "%%") for name, text in named.items()})


def _written(value: object) -> str:
    """A setting as the value of an environment variable."""
    match value:
        case bool():
            return str(int(value))
        case Path():
            return str(value.absolute())
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)
