"""Whether this machine has an NVIDIA GPU, asked of the driver: torch is too heavy to ask."""

from __future__ import annotations

import ctypes

_SUCCESS = 0


def has_nvidia_gpu() -> bool:
    """True where the driver is there and counts at least one device."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    return (
        driver.cuInit(0) == _SUCCESS
        and driver.cuDeviceGetCount(ctypes.byref(count)) == _SUCCESS
        and count.value > 0
    )
