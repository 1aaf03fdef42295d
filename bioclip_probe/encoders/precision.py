"""The numeric precision in which a network computes: its names, and what "auto" stands for on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "bf16", "fp16")
MIN_PARAMETERS = 20_000_000  # of an image tower; a smaller one gains nothing from half precision
CPUINFO = "/proc/cpuinfo"


def check_precision(precision: str, device: str) -> str:
    """Return a precision unchanged, after a check that it exists on a device.

    Parameters
    ----------
    precision : str
        ``auto`` or one of `PRECISIONS`.
    device : str
        As torch names it.

    Returns
    -------
    str

    Raises
    ------
    ModelError
        If there is no such precision, or the device does not have it.

    Examples
    --------
    >>> check_precision("bf16", "cpu")
    'bf16'
    """
    if precision not in ("auto", *PRECISIONS):
        raise ModelError(f"unknown precision '{precision}'; expected auto or one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and device == "cpu":
        raise ModelError("precision fp16 needs a GPU; on a CPU use bf16 or fp32")
    return precision


def resolve_precision(precision: str, device: str, model: torch.nn.Module) -> str:
    """Return the precision in which a model computes on a device.

    "auto" is fp32 for networks of fewer than 20 million parameters, for networks with batch normalisation, and on
    hardware that has no arithmetic for less. Else it is fp16 on a GPU and bf16 on a CPU. On a GPU both are equally
    fast; fp16 keeps three bits more, and a check sees if it overflows. CPUs compute in bf16 only. (In bf16 the
    networks of the built-in world run at half the speed of fp32, and the vectors of a trained MobileNet have a cosine
    of 0.998 with those in fp32.)

    Parameters
    ----------
    precision : str
        ``auto`` or one of `PRECISIONS`.
    device : str
        As torch names it.
    model : torch.nn.Module
        The image tower.

    Returns
    -------
    str
        One of `PRECISIONS`.

    Examples
    --------
    >>> import torch
    >>> resolve_precision("auto", "cpu", torch.nn.Linear(3, 4))
    'fp32'
    """
    import torch

    if precision != "auto":
        return precision
    normalises_batches = any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    if normalises_batches or sum(parameter.numel() for parameter in model.parameters()) < MIN_PARAMETERS:
        return "fp32"
    if device == "cpu":
        return "bf16" if _cpu_has_bf16() else "fp32"
    return "fp16" if torch.cuda.get_device_capability(device) >= (7, 0) else "fp32"


def dtype_of(precision: str) -> torch.dtype:
    """Return the torch dtype of a precision; the weights and the inputs of a network are cast to it.

    Parameters
    ----------
    precision : str
        One of `PRECISIONS`.

    Returns
    -------
    torch.dtype

    Examples
    --------
    >>> dtype_of("bf16")
    torch.bfloat16
    """
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def move_to_device(model: torch.nn.Module, device: str, precision: str) -> torch.nn.Module:
    """Return a model on a device, with all weights in one precision.

    Parameters
    ----------
    model : torch.nn.Module
    device : str
        As torch names it. On a GPU, convolutions get the memory layout that tensor cores take, channels last.
    precision : str
        One of `PRECISIONS`.

    Returns
    -------
    torch.nn.Module

    Examples
    --------
    >>> import torch
    >>> move_to_device(torch.nn.Linear(2, 2), "cpu", "bf16").weight.dtype
    torch.bfloat16
    """
    import torch

    model = model.to(device=device, dtype=dtype_of(precision))
    return model if device == "cpu" else model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _cpu_has_bf16() -> bool:
    """Return whether this CPU multiplies in bf16: Intel since Cooper Lake or with AMX, AMD since Zen 4 (Linux only)."""
    try:
        with open(CPUINFO, encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
