"""Determines whether a file is a picture or a video, by its first bytes and its declared media type. Pure."""

import re
from enum import StrEnum
from typing import Final

from takeback.errors import UnknownFormat
from takeback.hashing.picture import sniff
from takeback.hashing.video import video_format

SNIFF_BYTES: Final = 4096
"""Number of bytes at the start of a file that are examined."""
_UNSUPPORTED_FORMATS: Final = re.compile(
    rb"8BPS|\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51|\x00\x00[\x01\x02]\x00[\x01-\xff]\x00|DDS |v/1\x01|qoif|P[1-7]\s"
    rb"|II\+\x00|MM\x00\+|IIRO|IIRS|IIU\x00|FUJIFILMCCD-RAW|FOVb|AT&TFORM|\x8aMNG|gimp xcf|FLIF|BPG\xfb"
    rb"|RIFF....(?:AVI |CDXA|WEBP)|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x00\x00\x01[\xb0-\xbf]|\.RMF"
    rb"|\x47.{187}\x47.{187}\x47|.{4}\x47.{191}\x47|OggS.{24,30}(?:\x80theora|BBCD|\x01video)",
    # A byte between two parts of a signature may be a line feed.
    re.DOTALL,
)
"""Signatures of picture and video formats that are not supported: Photoshop, JPEG 2000, icons, OpenEXR, camera raw
files, AVI, Flash, Windows Media, MPEG streams, Ogg video."""
_SOUND_BRANDS: Final = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "})
"""MP4 brands of files that hold only sound."""


class MediaKind(StrEnum):
    """What an upload turned out to be."""

    PICTURE = "picture"
    VIDEO = "video"
    UNREADABLE = "unreadable"
    """A picture or a video by its content or declared type, of which nothing visible could be hashed."""
    NOT_MEDIA = "not_media"
    """Another kind of file, such as a PDF or a text."""
    SIGNALS = "signals"
    """Signals that the caller computed; the gate did not see the file."""


def kind_of(start: bytes, given: str = "") -> MediaKind:
    """Returns how to read a file that begins with `start`; `given` is its declared media type, if any."""
    if start[4:8] == b"ftyp" and start[8:12] in _SOUND_BRANDS:
        return MediaKind.NOT_MEDIA
    if video_format(start):
        return MediaKind.VIDEO
    try:
        sniff(start)
    except UnknownFormat:
        claims = given.strip().lower().startswith(("image/", "video/"))
        is_media = claims or _UNSUPPORTED_FORMATS.match(start) or start[4:8] == b"ftyp"
        return MediaKind.UNREADABLE if is_media else MediaKind.NOT_MEDIA
    return MediaKind.PICTURE
