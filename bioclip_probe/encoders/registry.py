"""The catalogue of known encoders, and the forms in which any other is named. A new one is one line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue."""

    name: str
    what: str
    id: str
    dimension: int | None  # None: the model itself tells
    text: bool | None
    notes: str = ""


REGISTRY = (
    Entry(
        "bioclip", "BioCLIP, ViT-B/16", "hf-hub:imageomics/bioclip", 512, True, "runs with GELU, as its hub config says"
    ),
    Entry("clip", "OpenAI CLIP, ViT-B/16", "ViT-B-16-quickgelu/openai", 512, True, "QuickGELU"),
    Entry(
        "inat21-only",
        "BioCLIP's iNat21-only ablation, ViT-B/16",
        "hf-hub:imageomics/bioclip-vit-b-16-inat-only",
        512,
        True,
    ),
    Entry(
        "openclip", "OpenCLIP on LAION-2B, ViT-B/16", "ViT-B-16/laion2b_s34b_b88k", 512, True, "as the model card says"
    ),
    Entry(
        "openclip-laion400m",
        "OpenCLIP on LAION-400M, ViT-B/16",
        "ViT-B-16/laion400m_e32",
        512,
        True,
        "as the authors' scripts say",
    ),
    Entry(
        "bioclip-quickgelu",
        "BioCLIP with QuickGELU",
        "quickgelu:hf-hub:imageomics/bioclip",
        512,
        True,
        "ablation: the activation of the weights it was tuned from",
    ),
    Entry("bioclip-2", "BioCLIP 2, ViT-L/14", "hf-hub:imageomics/bioclip-2", 768, True),
    Entry("bioclip-2.5", "BioCLIP 2.5, ViT-H/14", "hf-hub:imageomics/bioclip-2.5-vith14", 1024, True),
    Entry(
        "biocap",
        "BioCAP, ViT-B/16",
        "hf-hub:imageomics/biocap",
        512,
        True,
        "its two projectors may not fit open_clip's CLIP; it then says so",
    ),
    Entry("rcme", "RCME, ViT-B/16", "hf-hub:MVRL/rcme-tol-vit-base-patch16", 512, True, "ImageNet mean and std"),
    Entry(
        "siglip2",
        "SigLIP 2, ViT-B/16",
        "ViT-B-16-SigLIP2/webli",
        768,
        True,
        "squashes pictures; its text needs the package transformers",
    ),
    Entry(
        "dinov2", "DINOv2 with registers, ViT-B/14", "timm:vit_base_patch14_reg4_dinov2.lvd142m", 768, False, "518 px"
    ),
    Entry("dinov3", "DINOv3, ViT-B/16", "timm:vit_base_patch16_dinov3.lvd1689m", 768, False, "256 px"),
    Entry(
        "world-taxonomic",
        "small CLIP of the built-in world, taxonomic captions",
        "world:world-taxonomic",
        None,
        True,
        "simulated",
    ),
    Entry(
        "world-generic",
        "small CLIP of the built-in world, captions of looks",
        "world:world-generic",
        None,
        True,
        "simulated",
    ),
    Entry(
        "world-subset",
        "small CLIP of the built-in world, a quarter of the species",
        "world:world-subset",
        None,
        True,
        "simulated",
    ),
    Entry(
        "world-untrained",
        "control: the built-in world's architecture, random weights",
        "untrained:world:world-taxonomic",
        None,
        True,
        "simulated; seeded",
    ),
    Entry("pixels", "control: the picture at 16 x 16", "control:pixels", 768, False),
    Entry("color-histogram", "control: 8 x 8 x 8 RGB histogram, square-rooted", "control:color-histogram", 512, False),
    Entry(
        "untrained-vit-b-16",
        "control: ViT-B/16 with random weights",
        "untrained:ViT-B-16",
        512,
        True,
        "seeded; downloads nothing",
    ),
)

# How anything else is named; `id` is an example.
FORMS = (
    Entry(
        "ARCHITECTURE/PRETRAINED",
        "any model of open_clip",
        "ViT-B-32/laion2b_s34b_b79k",
        None,
        True,
        "PRETRAINED: its tag, or a weights file",
    ),
    Entry("hf-hub:ORG/REPO[@REVISION]", "any open_clip model on the hub", "hf-hub:imageomics/bioclip", None, True),
    Entry(
        "local-dir:PATH",
        "a folder with open_clip_config.json, or timm's config.json, and weights",
        "local-dir:models/mine",
        None,
        None,
    ),
    Entry("timm:NAME", "any pretrained model of timm", "timm:resnet50.a1_in1k", None, False),
    Entry(
        "custom:FILE.py:FACTORY",
        "your own network; see bioclip_probe.encoders.custom",
        "custom:mine.py:Mine",
        None,
        None,
    ),
    Entry(
        "untrained:MODEL",
        "random weights in the architecture of open_clip's MODEL, or of local-dir:PATH",
        "untrained:ViT-B-32",
        None,
        True,
    ),
    Entry(
        "quickgelu:MODEL",
        "an open_clip model, with QuickGELU whatever its config says",
        "quickgelu:local-dir:models/mine",
        None,
        True,
    ),
    Entry(
        "unprojected:MODEL",
        "an open_clip model's vectors before the projection to the space shared with text",
        "unprojected:ViT-B-32/laion2b_s34b_b79k",
        None,
        False,
        "no text then",
    ),
    Entry("NAME=MODEL", "any of these under a name of your own", "mine=local-dir:models/mine", None, None),
)
WRAPPERS = ("untrained", "quickgelu", "unprojected")  # these go before another name
SCHEMES = ("hf-hub", "local-dir", "world", "timm", "custom", "control")
