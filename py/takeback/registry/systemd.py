"""A unit of systemd for the registry: one process that may touch its data folder and the network, and nothing else."""

from typing import Final

from takeback.errors import SettingsError
from takeback.registry.settings import PREFIX, Settings

_WORDS_APART: Final = frozenset(" \t\n\"'\\%$;")

_TEMPLATE: Final = """\
# The Takeback registry. Put this into /etc/systemd/system/takeback-registry.service, then:
#   systemctl daemon-reload && systemctl enable --now takeback-registry
# Secrets, such as a database address with a password, belong into {environment}, readable by root alone.

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


def unit(settings: Settings, program: str, environment: str) -> str:
    """The unit for the registry with these settings, whose `program` is `takeback`. Raises `SettingsError`."""
    told = {
        "DATA": str(settings.data.absolute()),
        "KEYS": str(settings.keys.absolute()) if settings.keys else "",
        "PAGE": str(settings.page.absolute()) if settings.page else "",
        "HOST": settings.host,
        "PORT": str(settings.port),
        "TLS": str(int(settings.tls)),
        "MIX": str(settings.mix),
        "EXPIRE": str(settings.expire),
        "KEEP": str(settings.keep),
    }
    for value in (*told.values(), program, environment):
        if _WORDS_APART.intersection(value):
            raise SettingsError(f"{value!r} cannot stand in a unit of systemd; choose one without spaces or quotes")
    lines = "\n".join(f"Environment={PREFIX}{name}={value}" for name, value in told.items() if value)
    return _TEMPLATE.format(program=program, environment=environment, settings=lines, data=told["DATA"])
