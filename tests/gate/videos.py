"""Small videos for tests, made of drawings that a camera pans over."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

import av
import numpy as np
from PIL import Image

from tests.gate.pictures import drawing

RATE: Final = 5
SIZE: Final = (320, 240)


def scenes(*seeds: int, seconds: int = 2) -> list[Image.Image]:
    """Frames that pan slowly over one drawing after the other."""
    return [
        ground.crop((2 * step, step, 2 * step + SIZE[0], step + SIZE[1]))
        for ground in (drawing(seed, (400, 300)) for seed in seeds)
        for step in range(seconds * RATE)
    ]


def mp4(frames: Sequence[Image.Image], rate: int = RATE) -> bytes:
    """The frames as an MP4."""
    out = BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options={"crf": "28", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame.convert("RGB")), format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def gif(frames: Sequence[Image.Image], milliseconds: int) -> bytes:
    """The frames, half as large, as a GIF that shows each so long."""
    out = BytesIO()
    small = [frame.resize((frame.width // 2, frame.height // 2)) for frame in frames]
    small[0].save(out, "GIF", save_all=True, append_images=small[1:], duration=milliseconds)
    return out.getvalue()
