"""Moments of a store that memory does not hold: one pass over its shards, each read once, here or by many workers.

>>> tree, split, n_excluded = stream_moments(store, "inat21-train", "bioclip", placement, rng)
>>> streamed_tree_correlation(tree, split, rng, "species", n_excluded)     # metrics.hierarchy
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, StoreError, some
from bioclip_probe.stats.all_pairs.moments import JackknifeMoments
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

#: Numbers held at once: 64 MiB as float32, be the shards large or small.
AT_ONCE = 2**24
#: Images that a task reads for each row of its sums, at least: then it reads no fewer bytes than it sends back.
PER_SUM = 2


def stream_moments(
    store: Store,
    dataset: Dataset | str,
    encoder: Encoder | str,
    placement: Placement,
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
) -> tuple[Tree, JackknifeMoments, int]:
    """Moments of the images of a dataset as one encoder sees them, grouped by the tips of a tree.

    Parameters
    ----------
    store : Store
    dataset, encoder
        As for `Store.read`.
    placement : Placement
        Of all images of the dataset, in the order of ``store.images(dataset)``; failed ones may be placed too.
    rng : numpy.random.Generator, optional
        Draws the groups of taxa that the jackknife leaves out. Without it there is one part: no interval will be asked.
    executor : concurrent.futures.Executor, optional
        Its workers, which must see the folder of the store, read runs of shards, each by one thread; this process does
        by default.

    Returns
    -------
    tree : Tree
        Cut down to the tips that have images with a vector.
    split : JackknifeMoments
        Its groups are the tips.
    n_excluded : int
        Images that failed, or are at no tip.

    Raises
    ------
    StoreError
        If the store is incomplete or damaged, or names other images.
    DataError
        If a vector is not finite or zero: it has no direction. The images are named.

    Notes
    -----
    O(n d²) time; memory does not grow with n but for the ids of the images. The sums of workers are added in the order
    of the shards: they are the same bits however many workers there are, and those of this process up to rounding.
    """
    ids = pd.Index(store.images(dataset)["image_id"])
    if len(ids) != len(placement):
        raise DataError(f"the placement has {len(placement)} images, the dataset {len(ids)}")
    embedded = store.embedding_folder(dataset, encoder)
    node = np.where(ids.isin(embedded.failures()["image_id"]), -1, placement.node)
    tree, groups = tips_with_images(Placement(placement.tree, node))
    n_inside = int(np.sum(groups >= 0))
    k = len(tree.tips) if n_inside else 0
    part = np.zeros(k, dtype=np.int64) if rng is None else jackknife_groups(k, rng)
    if executor is None:
        split = JackknifeMoments.of(_joined(_gathered(embedded.blocks()), ids, groups), part)
    else:
        split = _added(executor, embedded, ids, groups, part)
    if sum(found.n for found in split.by_group) != n_inside:
        raise StoreError(f"{embedded.folder} does not fit its images.parquet; {REPAIR_HINT}")
    return tree, split, len(ids) - n_inside


def _added(
    executor: Executor, embedded: EmbeddingFolder, ids: pd.Index, groups: np.ndarray, part: np.ndarray
) -> JackknifeMoments:
    """Moments by the workers of an executor: each is told of the images of its shards, and of the taxa it meets."""
    deque(embedded.blocks(()), maxlen=0)  # none of them, but whether all are there
    rows = PER_SUM * (len(part) + (int(part.max(initial=-1)) + 1) * embedded.meta["encoder"]["dimension"])
    tasks, met = [], []
    for shards in even_ranges(embedded.n_shards, -(-rows // embedded.meta["shard_size"])):
        span = slice(embedded.image_slice(shards.start).start, embedded.image_slice(shards.stop - 1).stop)
        own = groups[span]
        met.append(np.unique(own[own >= 0]))
        place = np.where(own >= 0, np.searchsorted(met[-1], own), -1)
        tasks.append((embedded.folder.resolve(), shards, ids[span], place, part[met[-1]]))
    total = JackknifeMoments(part, [])
    for into, found in zip(met, ordered_results(executor, _moments_of_shards, tasks), strict=True):
        total += found.with_more_taxa(into, part)
    return total


def _moments_of_shards(
    folder: Path, shards: range, ids: pd.Index, groups: np.ndarray, part: np.ndarray
) -> JackknifeMoments:
    """Moments of some shards, in a worker that is somewhere else; `ids` and `groups` are of their images only."""
    embedded = EmbeddingFolder(folder)
    blocks = ((embedded.ledger(shard), embedded.vectors(shard)) for shard in shards)
    with one_thread:
        return JackknifeMoments.of(_joined(_gathered(blocks), ids, groups), part)


def _gathered(blocks: Iterable[tuple[pd.DataFrame, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of the images that have one, shards together or cut so that no more than `AT_ONCE` is held."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    size = 0
    for rows, vectors in blocks:
        ok = rows.loc[rows["status"] == "ok"].sort_values("row")["image_id"].to_numpy(dtype=object)
        step = max(1, AT_ONCE // max(vectors.shape[1], 1))
        for start in range(0, len(ok), step):
            held.append((ok[start : start + step], vectors[start : start + step]))
            size += held[-1][1].size
            if size >= AT_ONCE:
                yield _together(held)
                held, size = [], 0
    if held:
        yield _together(held)


def _together(held: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    ids, vectors = zip(*held, strict=True)
    return np.concatenate(ids), np.concatenate(vectors)


def _joined(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], ids: pd.Index, groups: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Unit vectors and the tip of each, joined by image."""
    for block, vectors in blocks:
        place = ids.get_indexer(block)
        if np.any(place < 0):
            raise StoreError(
                f"the store has vectors of images it does not list: {some(block[place < 0])}; {REPAIR_HINT}"
            )
        yield unit_rows(vectors, block), groups[place]
