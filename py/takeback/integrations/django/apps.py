"""The app, which only registers its checks at the start: whoever is asked is opened in the process that asks."""

from typing import override

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed

from takeback.integrations.django.asking import close_after_change
from takeback.integrations.django.checks import check_settings


class TakebackConfig(AppConfig):
    """Name it in INSTALLED_APPS: "takeback.integrations.django"."""

    name = "takeback.integrations.django"
    label = "takeback"
    verbose_name = "Takeback"

    @override
    def ready(self) -> None:
        """Registers the system checks. Opens nothing, because a server may fork after this."""
        checks.register(check_settings, "takeback")
        setting_changed.connect(close_after_change)
