"""The vectors of a study, for another laboratory: ``embeddings.json`` describes them, ``witness.npz`` holds some.

With the witness, another laboratory can check whether it gets the same vectors from the same pictures; the store is not
needed for that.
"""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pandas as pd

from bioclip_probe.encoders import geometry_of
from bioclip_probe.study.bundle.contents import Contents
from bioclip_probe.study.inputs import Inputs

#: Images of the witness.
N_WITNESSES = 64


def embeddings_file(contents: Contents) -> bytes:
    """Return ``embeddings.json``: the record of each encoder, with the digest of its vectors.

    The list ``encoders`` holds the record of each encoder, in which ``vectors`` gives ``n_images``, ``dimension`` and
    ``digest``. The digest is that of the shards of the whole dataset in the store or, without a store, of the unit
    vectors.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    bytes

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> text = embeddings_file(Contents(Results(Path("out"), {"run": "0f", "encoders": []}), corvid_sample()))
    >>> json.loads(text)["encoders"][0]["vectors"]["dimension"]
    2
    """
    sample, record = contents.sample, contents.results.record
    records = {encoder["name"]: encoder for encoder in record["encoders"]}
    inputs = Inputs(sample)
    entries = []
    for name, embeddings in sample.embeddings.items():
        n_images, dimension = embeddings.vectors.shape
        vectors = {"n_images": n_images, "dimension": dimension, "digest": inputs.digest(("vectors", name))}
        entries.append({**records.get(name, {"name": name}), "vectors": vectors})
    content = {"run": record["run"], "encoders": entries}
    return (json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n").encode()


def witnesses(ids: pd.Series, number: int = N_WITNESSES) -> np.ndarray:
    """Return the rows of the witness images: those whose ids have the smallest digests.

    Nobody chooses them, they do not depend on the order of the images, and they are spread over all taxa.

    Parameters
    ----------
    ids : Series
        The image ids.
    number : int

    Returns
    -------
    ndarray, shape (min(n, number),), int64
        In the order of the digests.

    Examples
    --------
    >>> witnesses(pd.Series(["a", "b", "c"]), 2)
    array([2, 1])
    """
    digests = [hashlib.sha256(str(name).encode()).digest() for name in ids]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__)[:number], dtype=np.int64)


def witness_file(contents: Contents) -> bytes:
    """Return ``witness.npz``: the vectors of some images by each encoder.

    Its arrays are ``image_id``; ``encoder``, the names; and ``vectors_0``, ``vectors_1`` … of each encoder in that
    order, of norm 1, float32, one row an image. Encoders whose vectors are not compared by their cosine are left out.
    No array holds Python objects, and the same study gives the same bytes.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    bytes

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> content = witness_file(Contents(Results(Path("out"), {"encoders": []}), corvid_sample()))
    >>> with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
    ...     arrays["image_id"].tolist(), arrays["vectors_0"].shape
    (['c', 'b', 'a'], (3, 2))
    """
    sample = contents.sample
    records = {encoder["name"]: encoder for encoder in contents.results.record["encoders"]}
    names = [name for name in sample.embeddings if geometry_of(records.get(name, {})) == "cosine"]
    ids = sample.images["image_id"]
    rows = witnesses(ids)
    arrays = {f"vectors_{i}": sample.embeddings[name].vectors[rows] for i, name in enumerate(names)}
    buffer = io.BytesIO()
    texts = {"image_id": ids.iloc[rows].to_numpy(dtype=np.str_), "encoder": np.array(names, dtype=np.str_)}
    np.savez(buffer, allow_pickle=False, **texts, **{name: rows.astype(np.float32) for name, rows in arrays.items()})
    return buffer.getvalue()
