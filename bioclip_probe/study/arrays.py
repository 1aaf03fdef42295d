"""Samples from arrays: vectors that are in memory already, beside a DataFrame of the taxa of their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bioclip_probe.datasets.frames import from_rows
from bioclip_probe.errors import DataError
from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.geometry import unit_vectors
from bioclip_probe.study.arguments import check_arguments
from bioclip_probe.study.collecting import StoredEncoder, join
from bioclip_probe.study.phylogeny import Phylogeny
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import check_name


def from_arrays(
    vectors: Mapping[str, ArrayLike],
    frame: pd.DataFrame,
    phylogeny: Phylogeny | None = None,
    name: str = "arrays",
    geometry: Mapping[str, str] | str = "cosine",
    simulated: bool = False,
) -> Sample:
    """Return the sample of vectors that are in memory, for `measure`, `probe` and `project`.

    Parameters
    ----------
    vectors : mapping from str to array_like, shape (n, d)
        The vectors of each encoder by its name, in the order of the rows. They need not have length 1.
    frame : DataFrame, n rows
        The taxa of the images; columns of ranks are found by their names, see `datasets.from_rows`.
    phylogeny : Phylogeny, optional
        A phylogeny of the taxa, measured beside the taxonomy.
    name : str
        Name of the dataset in tables.
    geometry : str or mapping from str to str
        How vectors are compared, for all encoders or by their names: ``cosine``, ``euclidean`` or ``lorentz``.
    simulated : bool
        True for vectors that were made up, such as those of `world.known_models`. Every table and figure says so.

    Returns
    -------
    Sample

    Raises
    ------
    DataError
        If the arguments are in the other order, there is not one finite vector for each row, or the rows have no taxa.

    Examples
    --------
    >>> frame = pd.DataFrame({"species": ["Pica pica", "Pica hudsonia", "Corvus corax"]})
    >>> sample = from_arrays({"mine": [[1.0, 0.1], [1.0, 0.2], [0.0, 1.0]]}, frame)
    >>> list(sample.embeddings), sample.placement.tree.unit
    (['mine'], 'rank')
    """
    if isinstance(vectors, pd.DataFrame) or not isinstance(vectors, Mapping):
        raise DataError(
            "expected from_arrays(vectors, frame): first the vectors of each encoder by its name, "
            f"{{'mine': array of shape (n, d)}}, then the DataFrame; the first is a {type(vectors).__name__}"
        )
    if not vectors:
        raise DataError("expected the vectors of at least one encoder: {'name': array of shape (n, d)}")
    check_arguments(phylogeny)
    kinds = _geometries(vectors, geometry)
    dataset = replace(from_rows(frame, name), simulated=simulated)
    ids = dataset.images["image_id"].to_numpy(dtype=object)
    stored = {}
    for encoder, given in vectors.items():
        kind = kinds[encoder]
        array = _checked(given, len(ids), encoder)
        digest = sha256_of_bytes(np.ascontiguousarray(array).tobytes() + kind.encode())
        record = {
            "name": encoder,
            "id": f"array:{encoder}",
            "family": "array",
            "control": False,
            "sha256": digest,
            "dimension": array.shape[1],
            "precision": "",
            "text": False,
            "geometry": kind,
            "fingerprint": digest[:12],
        }
        stored[encoder] = StoredEncoder(record, Embeddings.of(ids, unit_vectors(array, kind)), digest=digest)
    return join(dataset, stored, {phylogeny.name: phylogeny.read()} if phylogeny else {})


def _geometries(vectors: Mapping[str, object], geometry: object) -> dict[str, str]:
    """Return the geometry of each encoder, after a check of the names."""
    for name in vectors:
        if not isinstance(name, str) or not name.isprintable() or name != name.strip() or not name:
            raise DataError(f"{name!r} is not a name of an encoder; expected a text that can be printed")
    given = geometry if isinstance(geometry, Mapping) else dict.fromkeys(vectors, geometry)
    for name in given:
        check_name("encoder", name, vectors, DataError)
    return {name: str(given.get(name, "cosine")) for name in vectors}


def _checked(given: Any, n: int, encoder: str) -> np.ndarray:
    """Return vectors as a float array, after a check of their shape."""
    if callable(getattr(given, "detach", None)):  # a tensor of torch, perhaps on a GPU, with a gradient, or bfloat16
        given = given.detach().cpu().double()
    if np.iscomplexobj(given):
        raise DataError(f"the vectors of '{encoder}' are complex numbers; expected real ones")
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the vectors of '{encoder}' are not numbers: expected an array of shape ({n}, d)") from error
    if array.ndim != 2 or len(array) != n or not array.shape[1]:
        raise DataError(f"the vectors of '{encoder}' have the shape {array.shape}; expected ({n}, d), one a row")
    return array
