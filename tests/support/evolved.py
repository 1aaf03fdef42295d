"""A made-up sample whose embeddings evolved along its taxonomy, for tests of probes and of their scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.extraction.prompts import taxon_names
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.store.text_embeddings import ROOT_RANK, NameEmbeddings
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import brownian, taxonomy

GENERA, SPECIES, EACH = 4, 4, 6


def evolved_sample(scatter: float, names: bool = False, seed: int = 0) -> Sample:
    """Return two families of two genera of four species with six images each; `scatter` is that of images."""
    rng = np.random.default_rng(seed)
    lineages = [
        ("Animalia", "Chordata", "Aves", "Ordo", f"Fam{genus // 2}", f"Genus{genus}", f"Genus{genus} no{species}")
        for genus in range(GENERA)
        for species in range(SPECIES)
    ]
    images = pd.DataFrame(lineages, columns=RANKS).loc[np.repeat(np.arange(len(lineages)), EACH)].reset_index(drop=True)
    images = images.assign(image_id=[f"i{k}" for k in range(len(images))], group=None, split=None, common=None)
    place = taxonomy(images)
    evolved = brownian(place.tree, 40, rng)
    rows = evolved[place.node] + scatter * rng.standard_normal((len(images), 40))
    embeddings = {"model": Embeddings.of(images["image_id"].to_numpy(dtype=object), rows.astype(np.float32))}
    texts = {}
    if names:
        table = taxon_names(images)
        table = table[table["rank"] != ROOT_RANK].reset_index(drop=True)
        node = {place.tree.path(node): node for node in range(len(place.tree))}
        row, taxa = pd.factorize(table["taxon"])
        vectors = evolved[[node[taxon] for taxon in taxa]].astype(np.float32)
        texts = {"model": NameEmbeddings(table.assign(row=row), vectors, 100.0, "plain", 0)}
    return Sample("made-up", False, images, place, embeddings, names=texts)
