"""Digests of what a study computes from: images in their tree, vectors, names, phylogenies, columns.

They are part of the key of every finished piece of work, see `checkpoints`: a piece is used again only for the same
inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from bioclip_probe.files import sha256_of_chunks, sha256_of_json
from bioclip_probe.study.sample import Sample
from bioclip_probe.tree import Placement

#: An input of a piece: its kind, and which one, e.g. ``("vectors", "bioclip")``.
Input = tuple[str, str]


class Inputs:
    """The digests of the inputs of one sample, each computed when first needed.

    Parameters
    ----------
    sample : Sample

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> inputs = Inputs(corvid_sample())
    >>> inputs.digest(("vectors", "toy")) == Inputs(corvid_sample()).digest(("vectors", "toy"))
    True
    """

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._digests: dict[Input, str] = {}

    def digest(self, wanted: Input) -> str:
        """Return the digest of one input.

        Parameters
        ----------
        wanted : (str, str)
            ``("images", "")`` for ids, groups, copies, parts and taxonomy of the images; ``("vectors", encoder)``;
            ``("names", encoder)`` for the embedded names of taxa; ``("tree", name)`` and ``("trees", name)`` for the
            images on a phylogeny and on all trees of a file; ``("column", name)``.

        Returns
        -------
        str
            64 hexadecimal digits. That of vectors is taken from the store, which knows it without reading them, or else
            computed from the unit vectors.
        """
        if wanted not in self._digests:
            self._digests[wanted] = self._compute(*wanted)
        return self._digests[wanted]

    def _compute(self, kind: str, name: str) -> str:
        """Return the digest of one input, computed anew."""
        sample = self._sample
        if kind == "images":
            columns = (sample.images[column] for column in ("image_id", "group", "split"))
            copies = [sample.copies.tobytes()] if np.any(sample.copies >= 0) else []
            return sha256_of_chunks([*map(_column_bytes, columns), *copies, *_placement_chunks(sample.placement)])
        if kind == "vectors":
            return sample.digests.get(name) or _digest_of_array(sample.embeddings[name].vectors)
        if kind == "names":
            names = sample.names[name]
            rank, taxon, text_type, row = (
                names.table[column].astype("str") for column in ("rank", "taxon", "type", "row")
            )
            rows = _column_bytes(rank + "|" + taxon + "|" + text_type + "|" + row)  # also where there are none yet
            return sha256_of_json([sha256_of_chunks([rows]), _digest_of_array(names.vectors), names.logit_scale])
        if kind == "tree":
            return sha256_of_chunks(_placement_chunks(sample.trees[name][0]))
        if kind == "trees":
            return sha256_of_chunks(chunk for tree in sample.tree_samples[name] for chunk in _placement_chunks(tree))
        return sha256_of_chunks([_column_bytes(sample.attributes[name])])


def _digest_of_array(array: np.ndarray, rows_at_once: int = 8192) -> str:
    """Return the digest of the shape, the type and the numbers of an array."""
    head = f"{array.shape} {array.dtype.str}".encode()
    blocks = (
        np.ascontiguousarray(array[start : start + rows_at_once]).tobytes()
        for start in range(0, len(array), rows_at_once)
    )
    return sha256_of_chunks(_chain([head], blocks))


def _placement_chunks(placement: Placement) -> Iterator[bytes]:
    """Yield the bytes of a tree and of the nodes of its images."""
    tree = placement.tree
    yield f"{len(tree)} {len(placement)} {tree.unit}".encode()
    for array in (tree.parent, tree.length, tree.rank, placement.node):
        yield np.ascontiguousarray(array).tobytes()
    yield "\n".join(map(str, tree.name)).encode()


def _column_bytes(values: pd.Series) -> bytes:
    """Return the values of a column as text, one a line."""
    return "\n".join(values.astype("str").fillna("\0").tolist()).encode()


def _chain(*parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield from part
