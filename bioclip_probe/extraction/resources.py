"""Resources of a run of the pipeline: the one place that divides processors, memory and device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.processors import available_processors

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder

MAX_THREADS, MAX_PROCESSES = 16, 64
#: Below so many pictures, processes would end soon after their start, which takes seconds.
MIN_PICTURES = 2_000
#: A picture of the largest size that is opened takes nearly so much while it is prepared.
BYTES_A_WORKER = 1 << 30
#: Pictures that a process prepares at a time.
CHUNK = 8
CPU_BATCH, MIN_GPU_BATCH, MAX_GPU_BATCH = 32, 32, 256


@dataclass(frozen=True)
class Resources:
    """The workers, batches and pictures in flight of a run of the pipeline.

    Attributes
    ----------
    n_workers : int
        Threads or processes that prepare pictures.
    processes : bool
        Pictures are prepared in processes, and not in threads of this process.
    batch_size : int
        Pictures that an encoder receives at once.
    n_batches : int
        Batches that are with the networks at once.

    Examples
    --------
    >>> Resources(n_workers=16, processes=True, batch_size=256, n_batches=3).chunks_ahead
    96
    """

    n_workers: int
    processes: bool
    batch_size: int
    n_batches: int

    @property
    def chunk_size(self) -> int:
        """Pictures that a worker prepares at a time."""
        return CHUNK if self.processes else 1

    @property
    def chunks_ahead(self) -> int:
        """Chunks that are being prepared or wait for the networks, at most."""
        return 2 * self.batch_size // self.chunk_size + self.n_workers * (2 if self.processes else 1)


def resources_for(
    encoders: Sequence[Encoder], portable: bool, n_pictures: int, settings: ExtractionSettings
) -> Resources:
    """Return what a run takes; the settings go before what would be chosen.

    A network on the processors keeps half of them, because its threads would wait for those that open pictures. If
    all networks run on GPUs, every processor prepares pictures, in a process of its own: threads of one process wait
    for each other's Python, so that sixteen of them do no more than five.

    Parameters
    ----------
    encoders : sequence of Encoder
        Their records say on which devices they run.
    portable : bool
        Pictures can be prepared in another process.
    n_pictures : int
        Pictures that the run opens.
    settings : ExtractionSettings
        Its `batch_size`, `workers` and `preparation` are used.

    Returns
    -------
    Resources
        Workers are no more than half of the memory of the machine allows, if each opens a picture of the largest size.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> resources_for([load("pixels")], True, 100, ExtractionSettings()).processes
    False
    """
    device = _device_of(encoders)
    on_gpu = device != "cpu"
    wanted = settings.preparation
    processes = portable and (wanted == "processes" or (wanted == "auto" and on_gpu and n_pictures >= MIN_PICTURES))
    share = available_processors() if on_gpu or processes else available_processors() // 2
    most = min(MAX_PROCESSES if processes else MAX_THREADS, _memory() // (2 * BYTES_A_WORKER))
    return Resources(
        settings.workers or max(min(share, most), 1),
        processes,
        settings.batch_size or (_gpu_batch(device) if on_gpu else CPU_BATCH),
        3 if on_gpu else 1,
    )


def _device_of(encoders: Sequence[Encoder]) -> str:
    """Return ``cpu`` if a network runs there or there is none, else the device of the first network."""
    networks = [encoder.record for encoder in encoders if encoder.record["family"] != "control"]
    devices = [str(record.get("device", "cpu")) for record in networks]
    return "cpu" if not devices or any(device.startswith("cpu") for device in devices) else devices[0]


def _gpu_batch(device: str) -> int:
    """Return a size of batches that keeps a GPU busy and takes a small part of its memory: 8 pictures a GiB."""
    import torch

    memory = torch.cuda.get_device_properties(device).total_memory
    return max(MIN_GPU_BATCH, min(MAX_GPU_BATCH, 8 * (memory >> 30)))


def _memory() -> int:
    """Return the bytes of memory of this machine; very many where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 50
