"""Arguments of `collect` and `from_arrays`, which are checked before the long work."""

from __future__ import annotations

from collections.abc import Sequence

from bioclip_probe.datasets import Dataset
from bioclip_probe.encoders import Encoder, expand
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.study.phylogeny import Phylogeny
from bioclip_probe.tables import TEMPLATES, check_name


def check_dataset(data: object) -> Dataset:
    """Return a dataset, or refuse what is none.

    Parameters
    ----------
    data : object

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If it is something else.

    Examples
    --------
    >>> check_dataset(3)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: expected a dataset, as bioclip_probe.dataset returns it, or its name; got a int
    """
    if isinstance(data, Dataset):
        return data
    raise DataError(
        f"expected a dataset, as bioclip_probe.dataset returns it, or its name; got a {type(data).__name__}"
    )


def check_arguments(phylogeny: object = None, templates: object = None, settings: object = None) -> None:
    """Raise an error if a phylogeny or settings are of another type, or the prompts are not known; None is allowed.

    Parameters
    ----------
    phylogeny, templates, settings : object
        As `collect` was given them.

    Raises
    ------
    DataError
        If one of them cannot be used.

    Examples
    --------
    >>> check_arguments("birds.nwk")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: phylogeny: expected a bioclip_probe.Phylogeny; got a str
    """
    for name, value, kind in (("phylogeny", phylogeny, Phylogeny), ("settings", settings, ExtractionSettings)):
        if value is not None and not isinstance(value, kind):
            raise DataError(f"{name}: expected a bioclip_probe.{kind.__name__}; got a {type(value).__name__}")
    if templates is not None:
        check_name("kind of prompts", str(templates), TEMPLATES, DataError)


def with_layers(models: Sequence[str | Encoder]) -> Sequence[str | Encoder]:
    """Return models with each range of layers written out; what is no list is left for `embed` to refuse.

    Parameters
    ----------
    models : sequence of str or Encoder

    Returns
    -------
    sequence of str or Encoder

    Examples
    --------
    >>> with_layers(["layer:1-2:clip", "pixels"])
    ['layer:1:clip', 'layer:2:clip', 'pixels']
    """
    if isinstance(models, str) or not isinstance(models, Sequence):
        return models
    return [one for model in models for one in (expand([model]) if isinstance(model, str) else [model])]
