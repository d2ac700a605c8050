"""Generated pictures for tests, with enough detail for a PDQ of good quality."""

from io import BytesIO
from random import Random

from PIL import Image, ImageDraw

from takeback.hashing import hash_picture
from takeback.signals import Signal, SignalType

ORIENTATION = 0x0112


def drawing(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A drawing of many shapes, different for each seed."""
    numbers = Random(seed)
    picture = Image.new("RGB", size, (numbers.randrange(256), numbers.randrange(256), numbers.randrange(256)))
    pen = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = numbers.randrange(size[0]), numbers.randrange(size[1])
        box = (x, y, x + numbers.randrange(10, 200), y + numbers.randrange(10, 200))
        colour = (numbers.randrange(256), numbers.randrange(256), numbers.randrange(256))
        (pen.ellipse if numbers.random() < 0.5 else pen.rectangle)(box, fill=colour)
    return picture


def jpeg(picture: Image.Image, quality: int = 90, orientation: int | None = None) -> bytes:
    """The picture as a JPEG file, with an orientation tag if one is given."""
    marks = Image.Exif()
    if orientation is not None:
        marks[ORIENTATION] = orientation
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality, exif=marks)
    return file.getvalue()


def sent(data: bytes) -> list[Signal]:
    """The signals that are sent of a picture file, without its phash, which never blocks."""
    return [signal for signal in hash_picture(data).signals if signal.type is not SignalType.PHASH]
