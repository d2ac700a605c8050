"""Replaces PIL.ExifTags, which makes enums of 400 numbers; these are the ones that the shipped modules name."""


class Base:
    """Tags of the first directory of an EXIF block."""

    Orientation = 0x0112
    SubIFDs = 0x014A
    JpegIFOffset = 0x0201
    JpegIFByteCount = 0x0202
    ImageResources = 0x8649


class IFD:
    """Tags that hold further directories."""

    Exif = 0x8769
    GPSInfo = 0x8825
    MakerNote = 0x927C
    Interop = 0xA005
    IFD1 = -1
