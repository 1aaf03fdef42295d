"""The interface of an encoder, the recipe from which a process builds one, and the cache of those that it has built.

An encoder turns pictures into vectors in three steps. `preprocess` takes one picture; worker threads call it in any
order. `collate` makes a batch of preprocessed pictures; a thread calls it ahead of the model. `encode` returns the
vectors of the batch as the network gives them, without normalisation.

A `Recipe` holds what `load` was given, without anything that another machine could read in another way: paths are
absolute, and once a network is built from it, the precision and the revision are those that the network has. An
encoder is pickled as its recipe. The weights do not travel: each process reads them once where the model runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from bioclip_probe.encoders.ids import file_stamp, public_id
from bioclip_probe.errors import ModelError, ProbeError, one_line

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

# One encoder is built at a time, because open_clip's warnings are collected for the whole process. The lock is
# re-entrant, because a custom network may load another encoder.
_BUILDING = threading.RLock()


class Encoder(Protocol):
    """A model that turns pictures, and for some models texts, into vectors.

    Attributes
    ----------
    name : str
        Its name in tables and figures.
    dimension : int
        Length d of its vectors.
    has_text : bool
        True where `encode_text` works.
    record : dict
        JSON-able: name, id, family, control (true for a baseline that has learnt nothing), architecture, revision,
        sha256 and files of the weights, preprocessing, activation, precision, device, dimension, text, versions; where
        they apply, pooling, layer, picture (how pictures are altered) and geometry (how vectors are compared).
    fingerprint : str
        12 hex digits, a hash of the fields of the record that change the vectors.
    recipe : Recipe
        What another process builds the same encoder from.

    Examples
    --------
    >>> import bioclip_probe as bp
    >>> from PIL import Image
    >>> encoder = bp.encoders.load("color-histogram")
    >>> encoder.encode([encoder.preprocess(Image.new("RGB", (8, 8)))]).shape
    (1, 512)
    """

    @property
    def name(self) -> str:
        """Name of the encoder in tables and figures."""

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""

    @property
    def has_text(self) -> bool:
        """True where `encode_text` works."""

    @property
    def record(self) -> dict[str, Any]:
        """Everything that is known of the origin of the vectors."""

    @property
    def fingerprint(self) -> str:
        """Hash of the fields of the record that change the vectors, 12 hex digits."""

    @property
    def recipe(self) -> Recipe:
        """Recipe from which another process builds the same encoder."""

    def preprocess(self, image: Image.Image) -> Any:
        """Return one RGB picture as the encoder takes it. Several threads may call this at once.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        Tensor or ndarray
        """

    def collate(self, pictures: Sequence[Any]) -> Any:
        """Return a batch of preprocessed pictures in the form that `encode` takes fastest.

        Another thread than the one that encodes may call this.

        Parameters
        ----------
        pictures : sequence
            b preprocessed pictures.

        Returns
        -------
        Tensor or ndarray, shape (b, ...)
        """

    def encode(self, batch: Any) -> np.ndarray:
        """Return the vectors of a batch of pictures.

        Parameters
        ----------
        batch : Tensor, ndarray or sequence
            b pictures as `collate` or as `preprocess` returned them.

        Returns
        -------
        ndarray, shape (b, d), float32
            Not normalised.
        """

    def parity(self, pictures: Sequence[Any]) -> float | None:
        """Return how far the precision of the encoder changes its vectors.

        Parameters
        ----------
        pictures : sequence
            Preprocessed pictures.

        Returns
        -------
        float or None
            The smallest cosine between the vector of a picture and the vector that the same network gives in float32;
            None where the encoder computes in float32.
        """

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts.

        Parameters
        ----------
        texts : sequence of str
            n texts.

        Returns
        -------
        ndarray, shape (n, d), float32
            Not normalised.

        Raises
        ------
        ModelError
            If the encoder has no text tower.
        """


@dataclass(frozen=True)
class Recipe:
    """Everything that is needed to build one encoder, here or in another process.

    Attributes
    ----------
    factory : callable
        The function of a model family that builds an encoder from its recipe. It is a function of a module, so that
        it can be pickled by its name.
    name : str or None
        The name of the encoder in tables and figures; None where the model itself chooses it.
    id : str
        What `resolve` made of the name that the user gave.
    device, precision : str
        As `load` takes them.
    revision : str, optional
        Commit, tag or branch on the hub.

    Examples
    --------
    >>> from bioclip_probe.encoders import controls
    >>> recipe = Recipe(controls.load, "pixels", "control:pixels")
    >>> recipe.load().dimension
    768
    """

    factory: Callable[[Recipe], Encoder]
    name: str | None
    id: str
    device: str = "cpu"
    precision: str = "auto"
    revision: str | None = None

    def load(self) -> Encoder:
        """Return the encoder, built once per process.

        Returns
        -------
        Encoder

        Raises
        ------
        ModelError
            If it cannot be built.
        """
        return CACHE.get(self)

    def build(self) -> Encoder:
        """Build the encoder and keep it nowhere: for a check after which its memory is freed.

        Returns
        -------
        Encoder

        Raises
        ------
        ModelError
            If it cannot be built.
        """
        with _BUILDING:
            try:
                return self.factory(self)
            except ProbeError:
                raise
            except Exception as error:  # configurations and custom code come from strangers
                raise ModelError(f"cannot be built: {one_line(error, 240, with_type=True)}") from error

    def at_precision(self, precision: str) -> Recipe:
        """Return this recipe at another precision.

        Parameters
        ----------
        precision : str

        Returns
        -------
        Recipe
        """
        return replace(self, precision=precision)

    def resolved(self, record: dict[str, Any]) -> Recipe:
        """Return this recipe with the precision and the revision that the encoder of a record has.

        Parameters
        ----------
        record : dict
            The record of an encoder that was built from this recipe.

        Returns
        -------
        Recipe
        """
        return replace(self, precision=record["precision"], revision=record["revision"] or self.revision)

    def __str__(self) -> str:
        return self.name or public_id(self.id)


class EncoderCache:
    """The encoders that a process has built, by recipe; a local model whose files have changed is built again.

    Parameters
    ----------
    max_size : int
        Number of recipes that are kept. An encoder takes two where its recipe leaves the precision or the revision
        open.

    Examples
    --------
    >>> from bioclip_probe.encoders import controls
    >>> cache = EncoderCache(max_size=4)
    >>> recipe = Recipe(controls.load, "pixels", "control:pixels")
    >>> cache.get(recipe) is cache.get(recipe), len(cache)
    (True, 2)
    """

    def __init__(self, max_size: int = 16) -> None:
        self.max_size = max_size
        self._encoders: dict[tuple, Encoder] = {}

    def __len__(self) -> int:
        return len(self._encoders)

    def get(self, recipe: Recipe) -> Encoder:
        """Return the encoder of a recipe, and build it if the cache does not hold it.

        Parameters
        ----------
        recipe : Recipe

        Returns
        -------
        Encoder

        Raises
        ------
        ModelError
            If it cannot be built.
        """
        with _BUILDING:
            key = (recipe, file_stamp(recipe.id))
            if key not in self._encoders:
                encoder = recipe.build()
                # The encoder that "auto" resolves to equals the one that is asked for by that precision: keep one.
                self._encoders[key] = self._encoders.setdefault((encoder.recipe, key[1]), encoder)
                while len(self._encoders) > self.max_size:
                    del self._encoders[next(iter(self._encoders))]
            return self._encoders[key]

    def clear(self) -> None:
        """Free all encoders and their memory."""
        self._encoders.clear()


CACHE = EncoderCache()


def clear_cache() -> None:
    """Free all encoders that this process has loaded, and their memory.

    Examples
    --------
    >>> clear_cache()
    >>> len(CACHE)
    0
    """
    CACHE.clear()


def rebuild(recipe: Recipe, fingerprint: str) -> Encoder:
    """Return the encoder of a recipe in this process, and check that it is the one that was sent.

    Pickle calls this function where an encoder arrives.

    Parameters
    ----------
    recipe : Recipe
    fingerprint : str
        The fingerprint that the encoder has in the process that sent it.

    Returns
    -------
    Encoder

    Raises
    ------
    ModelError
        If the encoder cannot be built here, or has another fingerprint here.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> pixels = load("pixels")
    >>> rebuild(pixels.recipe, pixels.fingerprint) is pixels
    True
    """
    encoder = _load_with_name(recipe)
    if encoder.fingerprint != fingerprint:
        raise ModelError(
            f"model {recipe}: its fingerprint is {encoder.fingerprint} here and {fingerprint} where it was sent from: "
            "the two machines have other weights or settings of it; give both the same files, or name a revision"
        )
    return encoder


def load_record(recipe: Recipe) -> dict[str, Any]:
    """Load the encoder in a worker and return its record, so that the caller need not load the weights.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    dict

    Raises
    ------
    ModelError
        If the encoder cannot be built; the message names it.

    Examples
    --------
    >>> from bioclip_probe.encoders import controls
    >>> load_record(Recipe(controls.load, "pixels", "control:pixels"))["dimension"]
    768
    """
    return _load_with_name(recipe).record


def _load_with_name(recipe: Recipe) -> Encoder:
    """Load the encoder; an error names it."""
    try:
        return recipe.load()
    except ModelError as error:
        raise ModelError(f"model {recipe}: {error}") from error
