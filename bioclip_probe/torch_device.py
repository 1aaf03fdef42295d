"""The device that torch computes on, by the name that a user gives it."""

from __future__ import annotations

import ctypes
import os
import sys

from bioclip_probe.errors import ModelError


def resolve_device(device: str) -> str:
    """Return the torch device that a name means on this machine.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:N`` for one of several GPUs, or ``auto`` for a GPU where there is one.
        ``cpu:0`` is the processor too; what NumPy computes on ``cpu``, torch computes there.

    Returns
    -------
    str
        A name that torch takes, never ``auto``.

    Raises
    ------
    ModelError
        If the name is unknown, or it names a GPU and torch finds none.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if device.partition(":")[0] == "cpu":
        return device
    if device != "auto" and device.partition(":")[0] != "cuda":
        raise ModelError(f"unknown device '{device}'; expected cpu, cuda, cuda:N or auto")
    if device == "auto" and not _has_gpu_driver():
        return "cpu"
    import torch  # here, because the module must load quickly

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.cuda.is_available():
        raise ModelError(f"device '{device}' was asked for, but torch finds no GPU here; use --device cpu or auto")
    return device


def _has_gpu_driver() -> bool:
    """Return False if torch can find no GPU, because there is no driver of one; it takes torch seconds to say so."""
    if sys.platform != "linux" or os.path.exists("/dev/kfd"):  # the driver of AMD's GPUs
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
