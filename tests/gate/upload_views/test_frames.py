"""How the frames of a video are looked up."""

from takeback.gate.rules.decision import MOVING, NEGATIVE, Probe
from takeback.gate.upload_views.frames import frame_look_ups
from takeback.gate.upload_views.look_ups import look_ups
from takeback.hashing.frames import HashedFrame
from takeback.hashing.kernel import DIHEDRALS
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.signals import negative_of
from tests.gate.pictures import drawing

PDQ = hash_pixels(Pixels(160, 120, "RGB", [drawing(1, (160, 120)).tobytes()]))
FORMS = tuple(PDQ.dihedral.values())


def test_a_frame_is_looked_up_in_all_forms() -> None:
    """A frame is looked up turned, mirrored and as a negative, at the second that is nearest to it."""
    found = list(frame_look_ups([HashedFrame(2.6, 90, FORMS, PDQ.thumbnail)], 50))
    assert {(probe.dihedral, probe.signal.value) for probe in found if not probe.view} == set(PDQ.dihedral.items())
    assert {(probe.dihedral, probe.signal.value) for probe in found if probe.view} == {
        (form, negative_of(PDQ.dihedral[form])) for form in ("orig", "flipy")
    }
    assert {(probe.view, probe.second, probe.signal.quality) for probe in found} == {("", 3, 90), (NEGATIVE, 3, 90)}


def test_a_moving_part_is_no_negative() -> None:
    """The part that moves is looked up in the eight forms; a frame of low quality is not looked up at all."""
    found = frame_look_ups([HashedFrame(1.0, 90, FORMS, is_part=True), HashedFrame(1.0, 49, FORMS)], 50)
    assert [(probe.dihedral, probe.view) for probe in found] == [(form, MOVING) for form in DIHEDRALS]


def test_a_chosen_frame_has_the_views_of_a_picture() -> None:
    """A frame that stands for the video is looked up in all views of a picture, at its second."""
    found = list(frame_look_ups([HashedFrame(4.2, 90, FORMS, PDQ.thumbnail, is_chosen=True)], 50))
    views = look_ups(PDQ.thumbnail)
    assert found[-len(views) :] == [Probe(view.signal, view.dihedral, view.view, 4) for view in views]
