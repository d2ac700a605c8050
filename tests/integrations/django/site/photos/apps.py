from collections.abc import Callable
from typing import Any, ClassVar, Final, override

from django.apps import AppConfig

from takeback.integrations.checker import Checked
from takeback.integrations.django.signals import blocked_upload, review_upload, unchecked_upload

SIGNALS: Final = {"blocked": blocked_upload, "review": review_upload, "unchecked": unchecked_upload}


class PhotosConfig(AppConfig):
    name = "photos"
    seen: ClassVar[list[list[object]]] = []

    @override
    def ready(self) -> None:
        for name, signal in SIGNALS.items():
            signal.connect(_receiver(name), weak=False)


def _receiver(name: str) -> Callable[..., None]:
    def receive(*, sender: type | None, upload: object, checked: Checked, **_: Any) -> None:
        model = sender.__name__ if sender else None
        PhotosConfig.seen.append([name, model, type(upload).__name__, checked.action.value, checked.is_checked])
        print("signal", name, model, flush=True)

    return receive
