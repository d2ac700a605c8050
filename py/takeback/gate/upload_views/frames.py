"""The look-ups of a video's frames. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from takeback.gate.rules.decision import MIRRORED, MOVING, NEGATIVE, UPRIGHT, Probe
from takeback.gate.upload_views.look_ups import look_ups
from takeback.hashing.frames import HashedFrame
from takeback.hashing.kernel import DIHEDRALS
from takeback.signals import Signal, SignalType, negative_of, second_of


def frame_look_ups(frames: Iterable[HashedFrame], floor: int) -> Iterator[Probe]:
    """Yields the probes of the frames of a quality of at least `floor`.

    Each is looked up turned, mirrored and as a negative; a frame that stands for the video also in the views of a
    picture.
    """
    for frame in frames:
        if frame.quality < floor:
            continue
        second = second_of(frame.seconds)
        for form, value in zip(DIHEDRALS, frame.dihedral, strict=True):
            yield Probe(Signal(SignalType.PDQ, value, frame.quality), form, MOVING if frame.is_part else "", second)
            if form in {UPRIGHT, MIRRORED} and not frame.is_part:
                negative = Signal(SignalType.PDQ, negative_of(value), frame.quality)
                yield Probe(negative, form, NEGATIVE, second)
        if frame.is_chosen and frame.thumbnail:
            yield from (replace(probe, second=second) for probe in look_ups(frame.thumbnail))
