"""Strays: pictures whose true nearest picture is of a far relative, with both thumbnails, for the report."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bioclip_probe.files import write_atomically
from bioclip_probe.report.explorer.contents import Contents, ModelContents
from bioclip_probe.report.explorer.thumbnails import OpenPicture, thumbnail
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS

#: The file in a results folder that the report reads.
FILE = "strays.json"
#: Strays of each model in the report.
N_STRAYS = 6
#: Most models with strays in the report; further models are in the explorer only.
MOST_MODELS = 6
_QUALITY = 70


def strays_of(contents: Contents, open_picture: OpenPicture, n: int = N_STRAYS) -> list[dict[str, Any]]:
    """Return the worst strays of each model, JSON-able.

    Parameters
    ----------
    contents : Contents
    open_picture : callable
        Returns the RGB picture of a source, or raises `PictureError`.
    n : int
        Most strays of a model.

    Returns
    -------
    list of dict
        For each model ``encoder``, ``rank`` (the highest rank at which the study has two taxa), ``n_images`` with a
        name there, ``n_strays`` of them whose nearest picture is of another taxon of that rank, and ``strays``. A stray
        has ``image``, ``taxon``, ``neighbor``, ``neighbor_taxon``, ``shared`` (the lowest rank that both share, or an
        empty text), ``cosine``, and two data URIs, ``picture`` and ``neighbor_picture``, empty where there is no
        picture. Its neighbour is of another species; the least related come first, then the most alike.
        Of two pictures that are the nearest of each other the first is listed.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> strays_of(Contents("corvids", "", False, sample.images, sample.placement, (), ()), Image.open)
    []
    """
    taxa = np.array([contents.placement.at(rank) for rank in RANKS])
    several = [len(np.unique(own[own >= 0])) > 1 for own in taxa]
    top = several.index(True) if any(several) else len(RANKS) - 1
    return [_strays_of_model(contents, model, taxa, top, open_picture, n) for model in contents.models[:MOST_MODELS]]


def _strays_of_model(
    contents: Contents,
    model: ModelContents,
    taxa: np.ndarray,
    top: int,
    open_picture: OpenPicture,
    n: int,
) -> dict[str, Any]:
    """Return the worst strays of one model; `taxa` are those of each rank and picture, `top` the rank to count at."""
    nearest, cosine = model.neighbors.nearest[:, 0], model.neighbors.similarity[:, 0]
    shared = (taxa == taxa[:, nearest]) & (taxa >= 0)
    level = np.where(shared.any(axis=0), len(RANKS) - 1 - np.argmax(shared[::-1], axis=0), -1)
    known = (nearest >= 0) & (taxa[top] >= 0) & (taxa[top][nearest] >= 0)
    rows = np.flatnonzero((nearest >= 0) & (level < len(RANKS) - 1) & (taxa[-1] >= 0) & (taxa[-1][nearest] >= 0))
    rows = rows[np.lexsort((-cosine[rows], level[rows]))]
    mutual = (nearest[nearest[rows]] == rows) & (nearest[rows] < rows)  # the other picture of the pair shows it
    rows = rows[~mutual][:n]
    return {
        "encoder": model.name,
        "rank": RANKS[top],
        "n_images": int(known.sum()),
        "n_strays": int((known & (taxa[top] != taxa[top][nearest])).sum()),
        "strays": [
            {
                **_side(contents, row, "image", "taxon", "picture", open_picture),
                **_side(contents, nearest[row], "neighbor", "neighbor_taxon", "neighbor_picture", open_picture),
                "shared": RANKS[level[row]] if level[row] >= 0 else "",
                "cosine": float(cosine[row]),
            }
            for row in rows
        ],
    }


def _side(
    contents: Contents, row: int, name: str, taxon: str, picture: str, open_picture: OpenPicture
) -> dict[str, str]:
    """Return one of the two pictures of a stray, under the given keys."""
    image, tree = contents.images.iloc[row], contents.placement.tree
    return {
        name: str(image["image_id"]),
        taxon: str(tree.name[contents.placement.node[row]]),
        picture: _data_uri(thumbnail(open_picture, str(image["source"]))),
    }


def _data_uri(picture: Image.Image | None) -> str:
    """Return a picture as the address that holds it."""
    if picture is None:
        return ""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def write_strays(contents: Contents, open_picture: OpenPicture, folder: Path) -> None:
    """Write the strays of a study into its results folder."""
    content = {"run": contents.run, "models": strays_of(contents, open_picture)}
    text = json.dumps(content, indent=1, allow_nan=False)
    write_atomically(folder / FILE, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_strays(results: Results) -> list[dict[str, Any]]:
    """Return the strays in a results folder; none where they were not written, or belong to another run.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> read_strays(two_models_measured())
    []
    """
    try:
        content = json.loads((results.folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    return list(content["models"]) if content["run"] == results.record["run"] else []
