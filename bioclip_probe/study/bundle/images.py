"""The images of a study, for another laboratory: ``images.parquet``."""

from __future__ import annotations

import io

import pandas as pd

from bioclip_probe.study.bundle.contents import Contents
from bioclip_probe.study.sample import Sample

#: The column of the images with the licence under which a picture is published.
LICENCE = "licence"


def images_table(sample: Sample) -> pd.DataFrame:
    """Return the images of a study, in its order.

    Parameters
    ----------
    sample : Sample

    Returns
    -------
    DataFrame, n rows
        Columns ``image_id``; ``sha256`` of the bytes of the picture, missing where it has none; ``taxon``, the path
        from the root, kingdom first, with nothing between the bars for an unknown rank; ``group``; ``split``; and
        ``licence``, missing where no column of the images names it.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> images_table(corvid_sample())["taxon"].tolist()[0]
    '|||||Pica|Pica pica'
    """
    images, placement = sample.images, sample.placement
    paths, unknown = pd.Series(placement.tree.paths, dtype="str"), pd.Series([None] * len(images), dtype="str")
    columns = {
        "image_id": images["image_id"],
        "sha256": sample.pictures if len(sample.pictures) else unknown,
        "taxon": paths.reindex(placement.node).reset_index(drop=True),
        "group": images["group"],
        "split": images["split"],
    }
    columns[LICENCE] = sample.attributes.get(LICENCE, unknown)
    return pd.DataFrame({name: column.astype("str") for name, column in columns.items()})


def images_file(contents: Contents) -> bytes:
    """Return ``images.parquet``.

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
    >>> images_file(Contents(Results(Path("out"), {}), corvid_sample()))[:4]
    b'PAR1'
    """
    buffer = io.BytesIO()
    images_table(contents.sample).to_parquet(buffer, index=False)
    return buffer.getvalue()
