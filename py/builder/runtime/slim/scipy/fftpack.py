"""The one function of scipy that imagehash calls, by numpy: scipy has 14 MB and imagehash needs a DCT of 32 numbers.

Additions are in the order of scipy's own library (ducc0, class `T_dcst23`), so that each coefficient has the same bits:
imagehash compares them with their median, and in flat or symmetric pictures the last bit decides.
"""

from typing import Any, Final

import numpy as np

LENGTH: Final = 32
"""Numbers per transform; imagehash uses no other length."""
_COSINES: Final = np.array((
    0.9987954562051724, 0.9951847266721969, 0.989176509964781, 0.9807852804032304,
    0.970031253194544, 0.9569403357322088, 0.9415440651830208, 0.9238795325112867,
    0.9039892931234433, 0.881921264348355, 0.8577286100002721, 0.8314696123025452,
    0.8032075314806449, 0.773010453362737, 0.7409511253549591, 0.7071067811865475,
    0.6715589548470183, 0.6343932841636455, 0.5956993044924332, 0.5555702330196022,
    0.5141027441932217, 0.47139673682599753, 0.42755509343028203, 0.38268343236508967,
    0.33688985339221994, 0.2902846772544623, 0.24298017990326393, 0.19509032201612825,
    0.14673047445536164, 0.09801714032956049, 0.04906767432741799,
))  # fmt: skip
"""cos(pi k / 64) for k from 1, rounded as in that library."""
_UP: Final = np.arange(1, LENGTH // 2)
_DOWN: Final = LENGTH - _UP


def dct(x: Any, axis: int = -1) -> Any:
    """Computes the unnormalised DCT-II of `LENGTH` numbers along `axis`. Raises `ValueError` for another length."""
    rows = np.moveaxis(np.asarray(x).astype(float), axis, -1)
    if rows.shape[-1] != LENGTH:
        raise ValueError(f"only {LENGTH} numbers can be transformed, not {rows.shape[-1]}")
    odd, even = rows[..., 1:-1:2], rows[..., 2:-1:2]
    spectrum = np.zeros((*rows.shape[:-1], LENGTH // 2 + 1), complex)
    spectrum.real[..., 0], spectrum.real[..., -1] = 2 * rows[..., 0], 2 * rows[..., -1]
    spectrum.real[..., 1:-1], spectrum.imag[..., 1:-1] = even + odd, even - odd
    rows = np.fft.irfft(spectrum, LENGTH, norm="forward")
    up, down = rows[..., _UP], rows[..., _DOWN]
    first = _COSINES[_UP - 1] * down + _COSINES[_DOWN - 1] * up
    second = _COSINES[_UP - 1] * up - _COSINES[_DOWN - 1] * down
    rows[..., _UP], rows[..., _DOWN] = 0.5 * (first + second), 0.5 * (first - second)
    rows[..., LENGTH // 2] *= _COSINES[LENGTH // 2 - 1]
    return np.moveaxis(rows, -1, axis)
