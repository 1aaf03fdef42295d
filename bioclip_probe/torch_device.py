"""The device that torch computes on, by the name that a user gives it."""

from __future__ import annotations

import ctypes
import os
import re
import sys

from bioclip_probe.errors import ModelError

_NAME = re.compile(r"auto|cpu(:0)?|cuda(:\d+)?")


def check_device(device: str) -> None:
    """Raise an error if no device has this name on any machine; torch is not imported.

    Parameters
    ----------
    device : str

    Raises
    ------
    ModelError

    Examples
    --------
    >>> check_device("cuda:1")
    >>> check_device("meta")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: unknown device 'meta'; expected cpu, cuda, cuda:N or auto
    """
    if not _NAME.fullmatch(device):
        raise ModelError(f"unknown device '{device}'; expected cpu, cuda, cuda:N or auto")


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
        If the name is unknown, or it names a GPU that torch does not find.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    check_device(device)
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return device
    if device == "auto" and not _has_gpu_driver():
        return "cpu"
    import torch  # here, because the module must load quickly

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.cuda.is_available():
        raise ModelError(f"device '{device}' was asked for, but torch finds no GPU here; use --device cpu or auto")
    if number and int(number) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise ModelError(f"device '{device}' was asked for, but the last GPU that torch finds here is cuda:{last}")
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
