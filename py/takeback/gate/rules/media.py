"""Whether a file is a picture or a video, or says so. Pure: by its first bytes and the type that it came with."""

import re
from enum import StrEnum
from typing import Final

from takeback.errors import UnknownFormat
from takeback.hashing.picture import sniff
from takeback.hashing.video import video_format

SNIFF_BYTES: Final = 4096
"""Bytes from the start of a file that are looked at."""
_UNSUPPORTED_FORMATS: Final = re.compile(
    rb"8BPS|\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51|\x00\x00[\x01\x02]\x00[\x01-\xff]\x00|DDS |v/1\x01|qoif|P[1-7]\s"
    rb"|II\+\x00|MM\x00\+|IIRO|IIRS|IIU\x00|FUJIFILMCCD-RAW|FOVb|AT&TFORM|\x8aMNG|gimp xcf|FLIF|BPG\xfb"
    rb"|RIFF....(?:AVI |CDXA|WEBP)|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x00\x00\x01[\xb0-\xbf]|\.RMF"
    rb"|\x47.{187}\x47.{187}\x47|.{4}\x47.{191}\x47|OggS.{24,30}(?:\x80theora|BBCD|\x01video)",
    re.DOTALL,
)
"""How further kinds of pictures and videos begin, which are not read: Photoshop, JPEG 2000, icons, OpenEXR, raw files
of cameras, AVI, Flash, Windows Media, MPEG streams, Ogg with pictures."""
_SOUND_BRANDS: Final = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "})
"""Brands of the videos' container that hold sound alone."""


class MediaKind(StrEnum):
    """What an upload turned out to be."""

    PICTURE = "picture"
    VIDEO = "video"
    UNREADABLE = "unreadable"
    """It is, or says it is, a picture or a video, and nothing of what it shows could be hashed."""
    NOT_MEDIA = "not_media"
    """Another thing, such as a PDF or a text."""
    SIGNALS = "signals"
    """The caller hashed it; the file itself was not seen."""


def kind_of(start: bytes, given: str = "") -> MediaKind:
    """What a file with these first bytes is to be read as; `given` is the media type that it came with, if any."""
    if start[4:8] == b"ftyp" and start[8:12] in _SOUND_BRANDS:
        return MediaKind.NOT_MEDIA
    if video_format(start):
        return MediaKind.VIDEO
    try:
        sniff(start)
    except UnknownFormat:
        claims = given.strip().lower().startswith(("image/", "video/"))
        return (
            MediaKind.UNREADABLE
            if claims or _UNSUPPORTED_FORMATS.match(start) or start[4:8] == b"ftyp"
            else MediaKind.NOT_MEDIA
        )
    return MediaKind.PICTURE
