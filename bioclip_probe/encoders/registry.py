"""The registry of encoders, and the forms in which a user names any other encoder. A new encoder is one entry here."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bioclip_probe import tables
from bioclip_probe.encoders import controls, open_clip, timm


@dataclass(frozen=True)
class EncoderEntry(tables.Entry):
    """One entry of the registry; its function builds the encoder from a `Recipe`.

    Attributes
    ----------
    name, title, notes, function
        As of every entry. A form has no function: the id that it stands for decides.
    id : str
        What the name stands for; for a form, an example.
    dimension : int or None
        Length of the vectors; None where the model itself decides.
    text : bool or None
        True if the encoder takes texts too; None where the model itself decides.

    Examples
    --------
    >>> REGISTRY["clip"].id
    'ViT-B-16-quickgelu/openai'
    """

    id: str = ""
    dimension: int | None = None
    text: bool | None = None


REGISTRY: dict[str, EncoderEntry] = {
    entry.name: entry
    for entry in (
        EncoderEntry(
            "bioclip",
            "BioCLIP, ViT-B/16",
            "GELU, as its hub config says",
            function=open_clip.load,
            id="hf-hub:imageomics/bioclip",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "clip",
            "OpenAI CLIP, ViT-B/16",
            "QuickGELU",
            function=open_clip.load,
            id="ViT-B-16-quickgelu/openai",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "inat21-only",
            "BioCLIP's iNat21-only ablation, ViT-B/16",
            function=open_clip.load,
            id="hf-hub:imageomics/bioclip-vit-b-16-inat-only",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "openclip",
            "OpenCLIP on LAION-2B, ViT-B/16",
            "as the model card says",
            function=open_clip.load,
            id="ViT-B-16/laion2b_s34b_b88k",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "openclip-laion400m",
            "OpenCLIP on LAION-400M, ViT-B/16",
            "as the authors' scripts say",
            function=open_clip.load,
            id="ViT-B-16/laion400m_e32",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "bioclip-quickgelu",
            "BioCLIP with QuickGELU",
            "ablation: the activation of the weights that it was fine-tuned from",
            function=open_clip.load,
            id="quickgelu:hf-hub:imageomics/bioclip",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "bioclip-2",
            "BioCLIP 2, ViT-L/14",
            function=open_clip.load,
            id="hf-hub:imageomics/bioclip-2",
            dimension=768,
            text=True,
        ),
        EncoderEntry(
            "bioclip-2.5",
            "BioCLIP 2.5, ViT-H/14",
            function=open_clip.load,
            id="hf-hub:imageomics/bioclip-2.5-vith14",
            dimension=1024,
            text=True,
        ),
        EncoderEntry(
            "biocap",
            "BioCAP, ViT-B/16",
            "loading fails with a clear message if its two projectors do not fit open_clip's CLIP",
            function=open_clip.load,
            id="hf-hub:imageomics/biocap",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "rcme",
            "RCME, ViT-B/16",
            "ImageNet mean and std",
            function=open_clip.load,
            id="hf-hub:MVRL/rcme-tol-vit-base-patch16",
            dimension=512,
            text=True,
        ),
        EncoderEntry(
            "siglip2",
            "SigLIP 2, ViT-B/16",
            "squashes pictures; its text needs the package transformers",
            function=open_clip.load,
            id="ViT-B-16-SigLIP2/webli",
            dimension=768,
            text=True,
        ),
        EncoderEntry(
            "dinov2",
            "DINOv2 with registers, ViT-B/14",
            "518 px",
            function=timm.load,
            id="timm:vit_base_patch14_reg4_dinov2.lvd142m",
            dimension=768,
            text=False,
        ),
        EncoderEntry(
            "dinov3",
            "DINOv3, ViT-B/16",
            "256 px; its class token",
            function=timm.load,
            id="timm:vit_base_patch16_dinov3.lvd1689m",
            dimension=768,
            text=False,
        ),
        EncoderEntry(
            "world-taxonomic",
            "small CLIP of the built-in world, taxonomic captions",
            "simulated",
            function=open_clip.load,
            id="world:world-taxonomic",
            text=True,
        ),
        EncoderEntry(
            "world-generic",
            "small CLIP of the built-in world, captions of looks without names",
            "simulated",
            function=open_clip.load,
            id="world:world-generic",
            text=True,
        ),
        EncoderEntry(
            "world-subset",
            "small CLIP of the built-in world, a quarter of the species",
            "simulated",
            function=open_clip.load,
            id="world:world-subset",
            text=True,
        ),
        EncoderEntry(
            "world-untrained",
            "control: the built-in world's architecture, random weights",
            "simulated; seeded",
            function=open_clip.load,
            id="untrained:world:world-taxonomic",
            text=True,
        ),
        EncoderEntry(
            "pixels",
            "control: the picture at 16 x 16",
            function=controls.load,
            id="control:pixels",
            dimension=768,
            text=False,
        ),
        EncoderEntry(
            "color-histogram",
            "control: 8 x 8 x 8 RGB histogram, square-rooted",
            function=controls.load,
            id="control:color-histogram",
            dimension=512,
            text=False,
        ),
        EncoderEntry(
            "untrained-vit-b-16",
            "control: ViT-B/16 with random weights",
            "seeded; downloads nothing",
            function=open_clip.load,
            id="untrained:ViT-B-16",
            dimension=512,
            text=True,
        ),
    )
}

#: The forms in which any other encoder is named.
FORMS: dict[str, EncoderEntry] = {
    entry.name: entry
    for entry in (
        EncoderEntry(
            "ARCHITECTURE/PRETRAINED",
            "any model of open_clip",
            "PRETRAINED: its tag, or a weights file",
            id="ViT-B-32/laion2b_s34b_b79k",
            text=True,
        ),
        EncoderEntry(
            "hf-hub:ORG/REPO[@REVISION]", "any open_clip model on the hub", id="hf-hub:imageomics/bioclip", text=True
        ),
        EncoderEntry(
            "local-dir:PATH",
            "a folder with open_clip_config.json, or timm's config.json, and weights",
            id="local-dir:models/mine",
        ),
        EncoderEntry(
            "timm:NAME[:POOLING]",
            "any pretrained model of timm",
            "POOLING: token, avg or max; by default the one of its authors",
            id="timm:resnet50.a1_in1k",
            text=False,
        ),
        EncoderEntry(
            "torchvision:NAME[.WEIGHTS]",
            "any classifier of torchvision, before its last layer",
            id="torchvision:resnet50.IMAGENET1K_V2",
            text=False,
        ),
        EncoderEntry(
            "transformers:MODEL:POOLING",
            "any model of transformers that embeds pictures",
            "MODEL: ORG/NAME[@REVISION] or a folder; POOLING: cls, pooler or mean; needs the extra `transformers`",
            id="transformers:facebook/dinov2-base:cls",
            text=False,
        ),
        EncoderEntry(
            "custom:FILE.py:FACTORY", "your own network; see bioclip_probe.encoders.custom", id="custom:mine.py:Mine"
        ),
        EncoderEntry(
            "untrained:MODEL",
            "random weights in the architecture of open_clip's MODEL, or of local-dir:PATH",
            id="untrained:ViT-B-32",
            text=True,
        ),
        EncoderEntry(
            "quickgelu:MODEL",
            "an open_clip model, with QuickGELU whatever its config says",
            id="quickgelu:local-dir:models/mine",
            text=True,
        ),
        EncoderEntry(
            "unprojected:MODEL",
            "an open_clip model's vectors before the projection to the space shared with text",
            "no text then",
            id="unprojected:ViT-B-32/laion2b_s34b_b79k",
            text=False,
        ),
        EncoderEntry(
            "layer:N:MODEL",
            "a model's vectors after its block N: the class token, else the mean of the patches",
            "layer:N:cls:MODEL and layer:N:mean:MODEL ask for one of them; layer:1-12:MODEL are twelve encoders",
            id="layer:6:bioclip",
            text=False,
        ),
        EncoderEntry(
            "scrambled:MODEL",
            "control: a model that sees the tiles of each picture in random order",
            "colours and textures stay, the shape is lost",
            id="scrambled:bioclip",
            text=False,
        ),
        EncoderEntry(
            "silhouette:MODEL",
            "control: a model that sees the organism as a black shape",
            "needs a table with a column mask",
            id="silhouette:bioclip",
            text=False,
        ),
        EncoderEntry(
            "background:MODEL",
            "control: a model that sees the picture without the organism",
            "needs a table with a column mask",
            id="background:bioclip",
            text=False,
        ),
        EncoderEntry("NAME=MODEL", "any of these under a name of your own", id="mine=local-dir:models/mine"),
    )
}

WRAPPERS = ("untrained", "quickgelu", "unprojected")  # these go before another name
SCHEMES = ("hf-hub", "local-dir", "world", "timm", "torchvision", "transformers", "custom", "module", "control")


def catalogue() -> pd.DataFrame:
    """Return the known encoders, then the forms in which any other encoder is named.

    Returns
    -------
    DataFrame
        Columns name, title, id (for a form, an example), dimension (missing where the model itself decides), text and
        notes.

    Examples
    --------
    >>> catalogue().set_index("name").loc["pixels", "dimension"]
    np.int64(768)
    """
    table = tables.catalogue(REGISTRY | FORMS, ("name", "title", "id", "dimension", "text", "notes"))
    return table.astype({"dimension": "Int64", "text": "boolean"})
