"""The record of an encoder, its fingerprint, the checks of its vectors, and the base of all encoders.

The record holds all that is known of the origin of the vectors. The fingerprint is a hash of those fields of the record
that change the vectors. The interface of an encoder, `Encoder`, stands beside its recipe in `recipe`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.ids import is_control_id
from bioclip_probe.encoders.precision import PRECISIONS
from bioclip_probe.encoders.recipe import Recipe, rebuild
from bioclip_probe.errors import ModelError
from bioclip_probe.files import sha256_of_json

if TYPE_CHECKING:
    from PIL import Image

# The fields of a record that change the vectors. The place of the weights, the device and the versions of libraries
# are not among them: they change the vectors by rounding only.
FINGERPRINT_FIELDS = ("family", "architecture", "sha256", "preprocessing", "activation", "precision", "dimension")
# Fields that not every record has. Where they are missing they are left out, so that vectors of older stores are found.
OPTIONAL_FIELDS = ("pooling", "layer", "picture", "geometry")


#: Comparisons of the vectors of an encoder: by angle, by distance, or by distance on a hyperboloid.
GEOMETRIES = ("cosine", "euclidean", "lorentz")


def check_geometry(geometry: str) -> str:
    """Return a geometry unchanged, after a check that there is one of this name.

    Parameters
    ----------
    geometry : str

    Returns
    -------
    str

    Raises
    ------
    ModelError
        If there is none.

    Examples
    --------
    >>> check_geometry("poincare")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: unknown geometry 'poincare'; expected one of cosine, euclidean, lorentz
    """
    if geometry not in GEOMETRIES:
        raise ModelError(f"unknown geometry '{geometry}'; expected one of {', '.join(GEOMETRIES)}")
    return geometry


def geometry_of(record: dict[str, Any]) -> str:
    """Return how the vectors of an encoder are compared.

    Parameters
    ----------
    record : dict
        The record of an encoder, of ready vectors, which may hold that of the encoder that made them, or a record in
        the store, which holds that of its encoder.

    Returns
    -------
    str
        One of `GEOMETRIES`; ``cosine`` where nothing is said.

    Examples
    --------
    >>> geometry_of({"family": "timm"}), geometry_of({"made_by": {"geometry": "lorentz"}})
    ('cosine', 'lorentz')
    """
    inner = [record[key] for key in ("record", "made_by") if isinstance(record.get(key), dict) and record[key]]
    if record.get("geometry") or not inner:
        return check_geometry(str(record.get("geometry") or "cosine"))
    return geometry_of(inner[0])


def fingerprint(record: dict[str, Any]) -> str:
    """Return a hash of the fields of an encoder's record that change its vectors.

    Parameters
    ----------
    record : dict

    Returns
    -------
    str
        12 hex digits.

    Examples
    --------
    >>> fingerprint({"family": "timm", "device": "cpu"}) == fingerprint({"family": "timm", "device": "cuda"})
    True
    """
    fields = {field: record.get(field) for field in FINGERPRINT_FIELDS}
    fields |= {field: record[field] for field in OPTIONAL_FIELDS if record.get(field) not in (None, "", "cosine")}
    return sha256_of_json(fields)[:12]


def fingerprints_by_precision(record: dict[str, Any]) -> dict[str, str]:
    """Return the fingerprints that an encoder has at each precision, the one of the record included.

    The precision that "auto" stands for depends on the machine. With these fingerprints a CPU finds the vectors that
    a GPU computed in fp16.

    Parameters
    ----------
    record : dict

    Returns
    -------
    dict from str to str
        Precision to fingerprint.

    Examples
    --------
    >>> list(fingerprints_by_precision({"family": "timm", "precision": "fp32"}))
    ['fp32', 'bf16', 'fp16']
    """
    precisions = (record["precision"],) if record["family"] == "control" else PRECISIONS
    return {precision: fingerprint(record | {"precision": precision}) for precision in precisions}


def is_control(record: dict[str, Any]) -> bool:
    """Return whether the encoder of a record is a control: a baseline that other encoders are compared with.

    A control is a statistic of the picture, a network with random weights, or a model that sees only a part of each
    picture. Its family says so when the encoder is made; the name that the user gives does not matter.

    Parameters
    ----------
    record : dict
        The record of an encoder. Records of older stores have no field `control`; then the id decides.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_control({"name": "reference", "id": "control:pixels", "control": True})
    True
    >>> is_control({"name": "random-crop-vit", "id": "local-dir:vit"})
    False
    """
    return bool(record["control"]) if "control" in record else is_control_id(str(record.get("id")))


def package_versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of packages, and of numpy and pillow, through which every picture goes.

    Parameters
    ----------
    *packages : str

    Returns
    -------
    dict from str to str

    Examples
    --------
    >>> sorted(package_versions("torch"))
    ['numpy', 'pillow', 'torch']
    """
    return {package: importlib.metadata.version(package) for package in sorted({"numpy", "pillow", *packages})}


def check_vectors(vectors: np.ndarray, rows: int, encoder: str, dimension: int) -> np.ndarray:
    """Return vectors as a read-only float32 array, after a check of their shape.

    Parameters
    ----------
    vectors : ndarray
    rows : int
        Number of pictures or texts that were encoded.
    encoder : str
        Name for the message.
    dimension : int

    Returns
    -------
    ndarray, shape (rows, dimension), float32

    Raises
    ------
    ModelError
        If the array has another shape.

    Examples
    --------
    >>> check_vectors(np.zeros((2, 3)), 2, "mine", 3).dtype
    dtype('float32')
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.shape != (rows, dimension):
        raise ModelError(
            f"{encoder} gave an array of shape {vectors.shape} for {rows} pictures or texts; "
            f"expected ({rows}, {dimension}): one vector of its stated dimension each"
        )
    vectors.flags.writeable = False
    return vectors


def check_finite(vectors: np.ndarray, encoder: str, inputs: str) -> np.ndarray:
    """Return vectors unchanged, after a check that all their values are finite.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    encoder : str
        Name for the message.
    inputs : str
        What was encoded, for the message, e.g. ``pictures``.

    Returns
    -------
    ndarray, shape (n, d)

    Raises
    ------
    ModelError
        If a value is NaN or infinite.

    Examples
    --------
    >>> check_finite(np.zeros((1, 2)), "mine", "pictures").tolist()
    [[0.0, 0.0]]
    """
    n_broken = int((~np.isfinite(vectors)).any(axis=1).sum())
    if n_broken:
        raise ModelError(
            f"{encoder} gave NaN or infinite values for {n_broken} of {len(vectors)} {inputs}; "
            "its weights are damaged, or its precision overflows: try fp32"
        )
    return vectors


def smallest_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the smallest cosine between a row of one array and the same row of another.

    Parameters
    ----------
    a, b : ndarray, shape (n, d)

    Returns
    -------
    float
        In [-1, 1]. Two equal rows of length zero have the cosine 1; a row of length zero and another row have 0.

    Examples
    --------
    >>> smallest_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    1.0
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    without_length = (a == b).all(axis=1).astype(float)
    return float(np.divide((a * b).sum(axis=1), lengths, out=without_length, where=lengths > 0).min())


@dataclass(frozen=True, eq=False, repr=False)
class BaseEncoder:
    """The base of all encoders: it reads name, dimension and fingerprint from the record, and pickles as its recipe.

    Attributes
    ----------
    recipe : Recipe
    record : dict

    Examples
    --------
    >>> from bioclip_probe.encoders import controls
    >>> BaseEncoder(Recipe(controls.load, "mine", "control:pixels"), {"name": "mine", "dimension": 768})
    BaseEncoder('mine', 768 dimensions)
    """

    recipe: Recipe
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the encoder in tables and figures."""
        return self.record["name"]

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""
        return self.record["dimension"]

    @property
    def fingerprint(self) -> str:
        """Hash of the fields of the record that change the vectors, 12 hex digits."""
        return fingerprint(self.record)

    @property
    def portable_transform(self) -> Callable[[Image.Image], np.ndarray] | None:
        """A function that can be pickled, prepares a picture as `preprocess` does, and needs no weights; or None."""
        return None

    def __repr__(self) -> str:
        where = [self.record[key] for key in ("device", "precision") if self.record.get(key)]
        return f"{type(self).__name__}({', '.join([repr(self.name), f'{self.dimension} dimensions', *where])})"

    def __reduce__(self) -> tuple:
        return rebuild, (self.recipe, self.fingerprint)
