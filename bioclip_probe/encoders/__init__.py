"""Encoders: models that turn pictures, and for some models texts, into vectors.

::

    from bioclip_probe import encoders

    encoders.catalogue()                              # the known encoders, and how any other is named
    encoder = encoders.load("bioclip", device="auto")
    vectors = encoder.encode([encoder.preprocess(image) for image in images])

==================== ==================================================================================
`registry`           the known encoders; a new one is one entry there
`loading`            from a name to an encoder, here or in other processes (`remote`)
`open_clip`          models of open_clip, with `open_clip_sources` and `text_tower`
`timm`               models of timm
`torchvision`        models of torchvision
`transformers`       models of transformers
`custom`, `modules`  networks of the user's own, from a file and from Python
`layers`             models between their blocks, with `blocks` and `wrappers`
`controls`           pixels and colours
`altered`            models that see only a part of each picture
`network`            the encoder that runs a torch network, with `precision`; its `trial` on a grey picture
`encoder`            the record of an encoder, its fingerprint, and the base of all encoders
`recipe`             the interface of an encoder, its recipe, and the cache of built encoders
`ids`, `weights`     paths inside ids; weights files and their hashes; `hub` and its cache
`model_config`       checks of configurations that come from strangers
==================== ==================================================================================

The import of this package does not import torch.
"""

from bioclip_probe.encoders.encoder import fingerprints_by_precision, geometry_of, is_control
from bioclip_probe.encoders.loading import controls_for, known, load, load_remote, on_hub, resolve
from bioclip_probe.encoders.modules import from_module
from bioclip_probe.encoders.recipe import Encoder, Recipe, clear_cache
from bioclip_probe.encoders.registry import catalogue
from bioclip_probe.encoders.remote import RemoteEncoder
from bioclip_probe.encoders.weights import WORLD
from bioclip_probe.encoders.wrappers import expand

__all__ = [
    "WORLD",
    "Encoder",
    "Recipe",
    "RemoteEncoder",
    "catalogue",
    "clear_cache",
    "controls_for",
    "expand",
    "fingerprints_by_precision",
    "from_module",
    "geometry_of",
    "is_control",
    "known",
    "load",
    "load_remote",
    "on_hub",
    "resolve",
]
