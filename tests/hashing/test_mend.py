"""HEIC and AVIF files that decoders refuse or misread, made from good ones."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.hashing import hash_picture
from takeback.hashing.boxes import boxes_of, primary_item
from takeback.hashing.mend import mended_avif, mended_heic, still_of
from tests import stills
from tests.e2e.pictures import draw

PICTURE = draw(21, (320, 240))
AVIF = stills.avif(PICTURE)


def pdq(data: bytes) -> str:
    """The hash of the upright picture."""
    return hash_picture(data).signals[0].value


def properties(data: bytes) -> dict[bytes, bytes]:
    """The properties in a file by name."""
    meta = dict(boxes_of(data))[b"meta"][4:]
    return dict(boxes_of(dict(boxes_of(dict(boxes_of(meta))[b"iprp"]))[b"ipco"]))


def test_a_good_avif_is_left_alone() -> None:
    """A file that needs no repair is returned unchanged."""
    assert mended_avif(AVIF) is AVIF


def test_pixi_is_put_in() -> None:
    """An AVIF without `pixi` gets one for its bit depth, and is the same picture."""
    without = AVIF.replace(b"pixi", b"free")
    mended = mended_avif(without)
    assert properties(mended)[b"pixi"] == b"\0\0\0\0\x03\x08\x08\x08"
    assert primary_item(mended) == primary_item(AVIF)
    assert pdq(mended) == pdq(without) == pdq(AVIF)


def test_an_odd_clap_cuts_nothing() -> None:
    """An AVIF with an invalid `clap` is the whole picture, and its `clap` is made to say so."""
    clap = struct.pack(">I4s8I", 40, b"clap", 301, 1, 201, 1, 3, 2, 0, 0)
    file = bytearray(AVIF)
    size = len(file)
    stills.put(file, (b"meta", b"iprp", b"ipco"), clap)
    number = (
        len(list(boxes_of(dict(boxes_of(dict(boxes_of(dict(boxes_of(AVIF))[b"meta"][4:]))[b"iprp"]))[b"ipco"]))) + 1
    )
    stills.put(file, (b"meta", b"iprp", b"ipma"), bytes([0x80 | number]))
    file[stills.places(file, (b"meta", b"iprp", b"ipma"))[-1] + 18] += 1
    stills._grow(file, stills.places(file, (b"meta", b"iloc"))[-1] + 22, len(file) - size)
    mended = mended_avif(bytes(file))
    assert struct.unpack(">8I", properties(mended)[b"clap"]) == (320, 1, 240, 1, 0, 1, 0, 1)
    assert pdq(bytes(file)) == pdq(AVIF)


@pytest.mark.parametrize(("written", "read"), [(10, 9), (14, 9), (3, 2), (6, 6)])
def test_colours_that_cannot_be_converted_are_read_by_the_nearest(written: int, read: int) -> None:
    """The matrix coefficients that libavif lacks are replaced, others are kept."""
    at = AVIF.index(b"nclx") + 8
    file = AVIF[:at] + struct.pack(">H", written) + AVIF[at + 2 :]
    assert struct.unpack_from(">H", properties(mended_avif(file))[b"colr"], 8)[0] == read
    assert len(pdq(file)) == 64


def test_the_primary_item_is_hashed_where_it_is_anothers_thumbnail() -> None:
    """A HEIC whose primary item is marked as a thumbnail is not mistaken for the picture that it belongs to."""
    small, large = draw(22, (160, 120)), draw(23, (320, 240))
    file = stills.heic_pair(small, large)
    found = hash_picture(file)
    assert (found.width, found.height) == small.size
    assert found.signals[0].value == pdq(stills.heic(small))
    assert mended_heic(file) != file


def test_the_still_of_an_animation_is_left() -> None:
    """An animated AVIF without its frames is a picture of one frame."""
    moving = stills.avif(PICTURE, save_all=True, append_images=[draw(24, (320, 240))], duration=500)
    still = still_of(moving)
    assert b"moov" not in dict(boxes_of(still))
    assert pdq(still) == pdq(moving)
    assert still_of(AVIF) is AVIF


@given(place=st.integers(0, 400), value=st.integers(0, 255))
def test_a_file_that_cannot_be_read_is_left_to_its_decoder(place: int, value: int) -> None:
    """Whatever byte of the boxes is changed, repairing returns a file and raises nothing."""
    file = AVIF[:place] + bytes([value]) + AVIF[place + 1 :]
    assert mended_avif(file)
    assert mended_heic(file)
    assert still_of(file)
