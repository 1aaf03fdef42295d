"""Moments of a store that does not fit in memory: one pass over its shards, here or by many workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.encoders import geometry_of
from bioclip_probe.errors import DataError, StoreError, some
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.centroids import tips_with_images
from bioclip_probe.stats.embeddings import unit_rows
from bioclip_probe.stats.resampling import jackknife_groups
from bioclip_probe.stats.tasks import even_ranges, ordered_results
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.store.shards import REPAIR_HINT, EmbeddingFolder
from bioclip_probe.tree.tree import Placement, Tree

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store.store import Store


@dataclass(frozen=True)
class Streaming:
    """Settings of streaming: where shards are read, and how much of them at a time.

    Attributes
    ----------
    executor : concurrent.futures.Executor, optional
        Its workers, which must see the folder of the store, read ranges of shards, each with one thread. This process
        reads them by default.
    numbers_at_once : int
        Numbers held in memory at once, whatever the size of the shards; 2²⁴ are 64 MiB as float32.
    images_per_sum : int
        Images that a task reads for each row of its sums, at least: so that it reads no fewer bytes than it sends back.

    Examples
    --------
    >>> Streaming().numbers_at_once
    16777216
    """

    executor: Executor | None = None
    numbers_at_once: int = 2**24
    images_per_sum: int = 2


HERE = Streaming()


def stream_moments(
    store: Store,
    dataset: Dataset | str,
    encoder: Encoder | str,
    placement: Placement,
    rng: np.random.Generator | None = None,
    streaming: Streaming = HERE,
) -> tuple[Tree, JackknifeMoments, int]:
    """Return the moments of a dataset's images as one encoder sees them, grouped by the tips of a tree.

    `metrics.image_pairs.streamed_tree_correlation` makes a correlation of them.

    Parameters
    ----------
    store : Store
    dataset, encoder
        As for `Store.read`.
    placement : Placement
        Of all images of the dataset, in the order of ``store.images(dataset)``; failed ones may be placed too.
    rng : numpy.random.Generator, optional
        Draws the jackknife groups of taxa. Without it there is one group, and no interval can be computed.
    streaming : Streaming

    Returns
    -------
    tree : Tree
        Cut down to the tips that have images with a vector.
    moments : JackknifeMoments
        By jackknife group and tip.
    n_excluded : int
        Images that failed, or are at no tip.

    Raises
    ------
    StoreError
        If the store is incomplete or damaged, or names other images.
    DataError
        If a vector is not finite or zero, and so has no direction, or vectors are not compared by their cosine. The
        message names the images.

    Notes
    -----
    O(n d²) time. Memory grows with n by the ids of the images only. The sums of workers are added in the order of the
    shards: they are the same bits however many workers there are, and those of this process up to rounding.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.study.examples import corvid_store
    >>> with TemporaryDirectory() as folder:
    ...     tree, moments, n_excluded = stream_moments(corvid_store(folder), "corvids", "corvids", corvids()[1])
    >>> len(tree.tips), n_excluded
    (3, 0)
    """
    ids = pd.Index(store.images(dataset)["image_id"])
    if len(ids) != len(placement):
        raise DataError(f"the placement has {len(placement)} images, the dataset {len(ids)}")
    embedded = store.embedding_folder(dataset, encoder)
    geometry = geometry_of(embedded.meta["encoder"])
    if geometry != "cosine":
        raise DataError(f"its vectors are compared as {geometry}, which needs all of them at once; use collect")
    node = np.where(ids.isin(embedded.failures()["image_id"]), -1, placement.node)
    tree, tips = tips_with_images(Placement(placement.tree, node))
    n_inside = int(np.sum(tips >= 0))
    k = len(tree.tips) if n_inside else 0
    group = np.zeros(k, dtype=np.int64) if rng is None else jackknife_groups(k, rng)
    if streaming.executor is None:
        blocks = _blocks(embedded.blocks(), streaming.numbers_at_once)
        moments = JackknifeMoments.of(_unit_blocks(blocks, ids, tips), group)
    else:
        moments = _moments_of_workers(streaming, embedded, ids, tips, group)
    if sum(part.n for part in moments.by_group) != n_inside:
        raise StoreError(f"{embedded.folder} does not fit its images.parquet; {REPAIR_HINT}")
    return tree, moments, len(ids) - n_inside


def _moments_of_workers(
    streaming: Streaming, embedded: EmbeddingFolder, ids: pd.Index, tips: np.ndarray, group: np.ndarray
) -> JackknifeMoments:
    """Return the moments from workers; each task carries the images of its shards, and the taxa among them."""
    assert streaming.executor is not None
    deque(embedded.blocks(()), maxlen=0)  # reads no shard, but checks that all are there
    n_sums = len(group) + (int(group.max(initial=-1)) + 1) * embedded.meta["encoder"]["dimension"]
    n_images = streaming.images_per_sum * n_sums
    tasks, taxa = [], []
    for shards in even_ranges(embedded.n_shards, -(-n_images // embedded.meta["shard_size"])):
        span = slice(embedded.image_slice(shards.start).start, embedded.image_slice(shards.stop - 1).stop)
        own = tips[span]
        taxa.append(np.unique(own[own >= 0]))
        local = np.where(own >= 0, np.searchsorted(taxa[-1], own), -1)
        folder = embedded.folder.resolve()
        tasks.append((folder, shards, ids[span], local, group[taxa[-1]], streaming.numbers_at_once))
    total = JackknifeMoments(group, [])
    for own, part in zip(taxa, ordered_results(streaming.executor, _moments_of_shards, tasks), strict=True):
        total += part.with_more_taxa(own, group)
    return total


def _moments_of_shards(
    folder: Path, shards: range, ids: pd.Index, tips: np.ndarray, group: np.ndarray, numbers_at_once: int
) -> JackknifeMoments:
    """Return the moments of some shards, in a worker; `ids` and `tips` are those of their images only."""
    embedded = EmbeddingFolder(folder)
    blocks = ((embedded.ledger(shard), embedded.vectors(shard)) for shard in shards)
    with one_thread:
        return JackknifeMoments.of(_unit_blocks(_blocks(blocks, numbers_at_once), ids, tips), group)


def _blocks(
    shards: Iterable[tuple[pd.DataFrame, np.ndarray]], numbers_at_once: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield ids and vectors of the images that have one; shards are joined or cut to blocks of the given size."""
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    size = 0
    for rows, vectors in shards:
        ok = rows.loc[rows["status"] == "ok"].sort_values("row")["image_id"].to_numpy(dtype=object)
        step = max(1, numbers_at_once // max(vectors.shape[1], 1))
        for start in range(0, len(ok), step):
            pieces.append((ok[start : start + step], vectors[start : start + step]))
            size += pieces[-1][1].size
            if size >= numbers_at_once:
                yield _concatenate(pieces)
                pieces, size = [], 0
    if pieces:
        yield _concatenate(pieces)


def _concatenate(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return pieces of ids and vectors as one block."""
    ids, vectors = zip(*pieces, strict=True)
    return np.concatenate(ids), np.concatenate(vectors)


def _unit_blocks(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], ids: pd.Index, tips: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield unit vectors and the tip of each, joined by image."""
    for block, vectors in blocks:
        row = ids.get_indexer(block)
        if np.any(row < 0):
            unlisted = some(block[row < 0])
            raise StoreError(f"the store has vectors of images it does not list: {unlisted}; {REPAIR_HINT}")
        yield unit_rows(vectors, block), tips[row]
