"""The trial of a new encoder on a plain grey picture, so that mistakes show before the work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioclip_probe.encoders.encoder import check_finite
from bioclip_probe.encoders.network import Network, stack_pictures
from bioclip_probe.errors import ModelError, ProbeError, one_line

if TYPE_CHECKING:
    from PIL import Image


def vector_length(encoder: Network) -> int:
    """Return the length of the vectors of a network that does not state it, from a grey picture.

    Parameters
    ----------
    encoder : Network

    Returns
    -------
    int

    Raises
    ------
    ModelError
        If the picture cannot be embedded, or its vector is no tensor of shape (1, d).

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> encoder = load("world-generic")
    >>> vector_length(encoder) == encoder.dimension
    True
    """
    import torch

    try:
        batch = encoder.collate([encoder.preprocess(_grey_picture())])
        with torch.inference_mode():
            vectors = encoder.forward(batch.to(encoder.device))
    except ModelError:
        raise
    except Exception as error:  # the code of the network, and its configuration, may be anyone's
        message = one_line(error, 240, with_type=True)
        raise ModelError(f"{encoder.name}: a grey picture cannot be embedded: {message}") from error
    if not isinstance(vectors, torch.Tensor) or vectors.dim() != 2:
        shape = tuple(getattr(vectors, "shape", ())) or type(vectors).__name__
        raise ModelError(f"{encoder.name} gave {shape} for one picture; expected a tensor of shape (1, d)")
    return int(vectors.shape[1])


def tried(encoder: Network) -> Network:
    """Return an encoder after it has encoded a grey picture, so that mistakes show before the work begins.

    Parameters
    ----------
    encoder : Network

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If a step fails, or its vector has another shape than it declares or is not finite.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> tried(load("world-generic")).name
    'world-generic'
    """
    step = "preprocess"
    try:
        picture, other = (encoder.preprocess(_grey_picture(size)) for size in ((64, 48), (48, 80)))
        step = "preprocess (its result is neither tensor nor array)"
        shapes = [tuple(stack_pictures([each]).shape[1:]) for each in (picture, other)]
        if shapes[0] != shapes[1]:
            expected = "expected pictures of one shape, whatever the size of the file"
            raise ModelError(f"{encoder.name}: preprocess gives {shapes[0]} and {shapes[1]}; {expected}")
        step = "encode"
        vectors = encoder.encode([picture])
    except ProbeError:
        raise
    except Exception as error:  # the code of the network, and the configuration that it is built from, may be anyone's
        raise ModelError(f"{encoder.name}: {step} failed: {one_line(error, 240, with_type=True)}") from error
    check_finite(vectors, encoder.name, "plain grey pictures")
    return encoder


def _grey_picture(size: tuple[int, int] = (64, 48)) -> Image.Image:
    from PIL import Image

    return Image.new("RGB", size, (127, 127, 127))
