"""A small study: pictures laid out as iNat21 has them, embedded by the two controls that need no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.plan import Plan
from tests.support.settings import FEW

CONTROLS = ("pixels", "color-histogram")

#: Figures that need a model, of text for some, a probe at family, or UMAP, which takes long to load.
NOT_DRAWN = {
    "alignment",
    "calibration",
    "clades",
    "differences",
    "drilldown_umap",
    "layers",
    "text_side",
    "zero_shot",
}

#: Folders of iNat21 as they are called there: three kingdoms, a genus of three, two phyla of one species.
FOLDERS = (
    "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris",
    "00050_Animalia_Arthropoda_Arachnida_Araneae_Araneidae_Zygiella_x-notata",
    "01832_Animalia_Arthropoda_Insecta_Lepidoptera_Nymphalidae_Danaus_plexippus",
    "03743_Animalia_Chordata_Aves_Passeriformes_Corvidae_Aphelocoma_wollweberi",
    "03748_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_albus",
    "03751_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax",
    "03752_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_cornix",
    "04034_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major",
    "04670_Animalia_Chordata_Mammalia_Carnivora_Canidae_Canis_latrans",
    "05494_Fungi_Basidiomycota_Agaricomycetes_Agaricales_Amanitaceae_Amanita_muscaria",
    "06590_Plantae_Tracheophyta_Magnoliopsida_Asterales_Asteraceae_Achillea_millefolium",
    "09987_Plantae_Tracheophyta_Polypodiopsida_Polypodiales_Pteridaceae_Pteris_vittata",
)
NEWICK = "(((Corvus_albus:2,(Corvus_corax:1,Corvus_cornix:1):1):3,Parus_major:5):5,(Canis_latrans:4,Felis_catus:4):6);"


def grow(folder: Path, folders: tuple[str, ...] = FOLDERS, each: int = 5) -> Path:
    """`each` small pictures of every species below `folder`; relatives look alike."""
    looks: dict[str, np.ndarray] = {}
    for name in folders:
        lineage = name.split("_")[1:]
        look = np.full((4, 4, 3), 128.0)
        for depth in range(1, len(lineage) + 1):
            clade = "_".join(lineage[:depth])
            if clade not in looks:
                looks[clade] = np.random.default_rng(list(clade.encode())).normal(0, 22, (4, 4, 3))
            look = look + looks[clade]
        for number in range(each):
            noise = np.random.default_rng([number, *name.encode()]).normal(0, 15, (4, 4, 3))
            pixels = np.clip(look + noise, 1, 254).astype(np.uint8)
            path = folder / name / f"{name[:5]}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).resize((12, 12), Image.Resampling.BICUBIC).save(path)
    return folder


def plan(folder: Path, **changes: object) -> Plan:
    """Return the plan of the small study on the pictures in `folder`."""
    small = Plan(
        data=f"inat21:{folder}",
        models=CONTROLS,
        controls=False,
        extraction=ExtractionSettings(progress=False),
        measure=FEW,
        probe=ProbeSettings(probes=("linear", "lda", "simpleshot"), shots=(1, 2)),
        projection=ProjectionSettings(methods=("pca",)),
    )
    return replace(small, **changes)
