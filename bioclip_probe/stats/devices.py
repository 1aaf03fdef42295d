"""The device on which products are computed: the processor without torch, or a device of torch.

A kernel takes the name of its device. ``cpu`` means NumPy, BLAS and numba on all cores, and never imports torch. Any
other name is a device of torch, e.g. ``cuda``. Torch's own processor has the name ``cpu:0``, so that a machine without
a GPU can run what a GPU would run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

CPU = "cpu"


def uses_torch(device: str) -> bool:
    """Return True if products are computed by torch, False if by NumPy and numba.

    Parameters
    ----------
    device : str
        ``cpu``, or a device of torch; never ``auto``, see `bioclip_probe.torch_device.resolve_device`.

    Returns
    -------
    bool

    Examples
    --------
    >>> uses_torch("cpu"), uses_torch("cuda"), uses_torch("cpu:0")
    (False, True, True)
    """
    return device != CPU


def tensor(array: np.ndarray, device: str, dtype: str | None = None) -> torch.Tensor:
    """Return an array as a tensor on a device of torch.

    Parameters
    ----------
    array : ndarray
    device : str
        A device of torch.
    dtype : str, optional
        Number type of the tensor, e.g. ``float32``; by default that of the array. It is converted on the device.

    Returns
    -------
    torch.Tensor
        On ``cpu:0`` it may share the memory of the array, so do not write into it.

    Examples
    --------
    >>> tensor(np.eye(2), "cpu:0", "float32").dtype
    torch.float32
    """
    import torch

    array = np.ascontiguousarray(array)
    copy = torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)
    return copy if dtype is None else copy.to(getattr(torch, dtype))


def free_bytes(device: str) -> int:
    """Return how much memory of a device of torch is free, from which a kernel chooses the size of its blocks.

    Parameters
    ----------
    device : str
        A device of torch.

    Returns
    -------
    int
        On a GPU the free memory; elsewhere 1 GiB.

    Examples
    --------
    >>> free_bytes("cpu:0") // 2**20
    1024
    """
    import torch

    return torch.cuda.mem_get_info(device)[0] if device.startswith("cuda") else 2**30
