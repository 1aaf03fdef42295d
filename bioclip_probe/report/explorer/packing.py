"""The data of the explorer as one block of bytes that a page carries: typed arrays, compressed, as text.

The page unpacks it by `atob` and `DecompressionStream`. Arrays are little-endian, one after the other, each beginning
at a multiple of eight bytes, and a directory says where:

* ``parent``, ``rank``, ``taxon``: parent and rank of each taxon, and the taxon of each picture; both in tree order;
* ``names``, ``ids``: names of taxa and of pictures, as JSON;
* ``map/MODEL/METHOD`` and ``refit/MODEL/METHOD/TAXON``: first all x, then all y, as uint16 over the range of the larger
  of the two, so that both have one scale; 65535 stands for no position;
* ``nearest/MODEL``, ``similarity/MODEL``, ``relative/MODEL``: neighbours (4294967295: none) and cosines in thousandths;
* ``correlation/MODEL``: how well the model follows the tree inside each taxon, NaN where it is not defined.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

from bioclip_probe.report.explorer.contents import Contents, ModelContents

#: Stands for no position in the plane.
NOWHERE = 65535
#: Stands for no picture.
NOBODY = 0xFFFFFFFF
_ALIGNMENT = 8


class Packer:
    """Arrays in one buffer, with the directory by which the page finds them.

    Attributes
    ----------
    directory : dict from name to dict
        Type, first byte and number of entries of each array.

    Examples
    --------
    >>> packer = Packer()
    >>> packer.add("rank", np.array([0, 1, 2], np.uint8))
    >>> packer.directory["rank"]
    {'type': 'uint8', 'start': 0, 'length': 3}
    """

    def __init__(self) -> None:
        self.directory: dict[str, dict[str, Any]] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, name: str, values: np.ndarray) -> None:
        """Add an array."""
        flat = np.ascontiguousarray(values).reshape(-1)
        content = flat.astype(flat.dtype.newbyteorder("<")).tobytes()
        self.directory[name] = {"type": flat.dtype.name, "start": self._size, "length": len(flat)}
        content += b"\0" * (-len(content) % _ALIGNMENT)
        self._parts.append(content)
        self._size += len(content)

    def add_json(self, name: str, value: object) -> None:
        """Add a value as JSON, in UTF-8; it is compressed with the arrays, and no part of the page's markup."""
        self.add(name, np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), np.uint8))

    def as_text(self) -> str:
        """Return everything added so far, compressed by gzip, in base64; the same data give the same text."""
        return base64.b64encode(gzip.compress(b"".join(self._parts), 6, mtime=0)).decode()


def packed(contents: Contents) -> Packer:
    """Return the packed arrays of a study.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    Packer

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> contents = Contents("corvids", "", False, sample.images, sample.placement, (), ())
    >>> packed(contents).directory["taxon"]["length"]
    3
    """
    packer, tree = Packer(), contents.placement.tree
    packer.add("parent", np.where(tree.parent < 0, 0, tree.parent).astype(np.uint32))
    packer.add("rank", (tree.rank + 1).astype(np.uint8))  # 0 is the root, above the ranks
    packer.add("taxon", contents.placement.node.astype(np.uint32))
    packer.add_json("names", [str(name) for name in tree.name])
    packer.add_json("ids", contents.images["image_id"].tolist())
    packer.add_json("common", _common_names(contents))
    for number, model in enumerate(contents.models):
        _add_model(packer, number, model)
    return packer


def _add_model(packer: Packer, number: int, model: ModelContents) -> None:
    """Add the arrays of one model."""
    for method, points in model.maps.items():
        packer.add(f"map/{number}/{method}", positions(points))
    for refit in model.refits:
        packer.add(f"refit/{number}/{refit.method}/{refit.node}", positions(refit.points))
    nearest, similarity, relative = model.neighbors
    packer.add(f"nearest/{number}", _rows(nearest))
    packer.add(f"similarity/{number}", np.rint(1000 * np.nan_to_num(similarity)).astype(np.int16))
    packer.add(f"relative/{number}", _rows(relative))
    packer.add(f"correlation/{number}", model.correlations.astype(np.float32))


def positions(points: np.ndarray) -> np.ndarray:
    """Return points of the plane as 16-bit numbers.

    Parameters
    ----------
    points : ndarray, shape (n, 2), float64

    Returns
    -------
    ndarray, shape (2, n), uint16
        All x, then all y, on one scale from 0 to 65534; `NOWHERE` where a point is not finite.

    Examples
    --------
    >>> positions(np.array([[0.0, 1.0], [2.0, 1.5], [np.nan, 0.0]])).tolist()
    [[0, 65534, 65535], [0, 16384, 65535]]
    """
    finite = np.isfinite(points).all(axis=1)
    scaled = np.full(points.shape, NOWHERE, np.uint16)
    if finite.any():
        low = points[finite].min(axis=0)
        span = float(np.max(points[finite].max(axis=0) - low)) or 1.0
        scaled[finite] = np.rint((points[finite] - low) / span * (NOWHERE - 1)).astype(np.uint16)
    return scaled.T


def _rows(numbers: np.ndarray) -> np.ndarray:
    """Return row numbers without a sign."""
    return np.where(numbers < 0, NOBODY, numbers).astype(np.uint32)


def _common_names(contents: Contents) -> dict[str, str]:
    """Return the common name of each taxon whose pictures have one, the most frequent of them, by taxon."""
    common = contents.images["common"]
    node = contents.placement.node[common.notna().to_numpy()]
    names = common.dropna().groupby(node).agg(lambda own: own.mode().iloc[0])
    return {str(taxon): str(name) for taxon, name in names.items()}


def as_json(value: object) -> str:
    r"""Return JSON that may stand in a script element: no ``<`` in it can close the element.

    Parameters
    ----------
    value : JSON-able

    Examples
    --------
    >>> as_json({"name": "</script>"})
    '{"name": "\\u003c/script>"}'
    """
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
