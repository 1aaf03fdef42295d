"""The sample: pictures become arrays here. Embed what is not yet in the store, read it back, join it by image.

>>> from bioclip_probe import collect
>>> collect("world", ["world-taxonomic", "pixels"], store="store")     # -> Sample
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe import datasets, provenance
from bioclip_probe.errors import DataError, TreeError, some
from bioclip_probe.extraction.embed import embed, embed_all_names
from bioclip_probe.metrics import stream
from bioclip_probe.stats.embeddings import Embeddings, unit_or_zero_rows
from bioclip_probe.stats.subsampling import balanced_rows
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import read_names
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import Placement, audit, place_on, read_tree, taxonomy
from bioclip_probe.tree.lineages import ROOT_NAME

if TYPE_CHECKING:
    from bioclip_probe.store.text_embeddings import NameEmbeddings

WHOLE = "all"  # what measurements of every part together have for a split

log = logging.getLogger(__name__)

TRUE_TREE = "true tree"
TAKEN = ("taxonomy", TRUE_TREE)  # as the column `tree` of measurements calls them; a phylogeny has its file's name


@dataclass(frozen=True, eq=False)
class Sample:
    """The images that every encoder could embed, their taxonomy, and their embeddings.

    Attributes
    ----------
    dataset : str
    simulated : bool
        The pictures come from the built-in world.
    images : DataFrame, n rows
        An `IMAGES` table.
    placement : Placement
        The images in their taxonomy.
    embeddings : dict from encoder name to Embeddings
        All in the order of `images`.
    trees : dict from name to (Placement, DataFrame)
        Phylogenies the species were laid onto, with the table of what matched.
    record : dict
        What was embedded with what: dataset, audit, encoders with revision and hash, failures. JSON-able.
    names : dict from encoder name to NameEmbeddings
        Embedded names of the dataset's taxa, of encoders that take text, where they were asked for.
    """

    dataset: str
    simulated: bool
    images: pd.DataFrame
    placement: Placement
    embeddings: dict[str, Embeddings]
    trees: dict[str, tuple[Placement, pd.DataFrame]] = field(default_factory=dict)
    record: dict = field(default_factory=dict)
    names: dict[str, NameEmbeddings] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """12 hex digits that name what was embedded by what."""
        return provenance.fingerprint(self.record.get("dataset"), self.record.get("encoders"))

    @property
    def groups(self) -> np.ndarray:
        """Observation or photographer of each image as a number, -1 where it is not known."""
        return pd.factorize(self.images["group"])[0]

    @property
    def controls(self) -> list[str]:
        """The encoders that stand for what anyone can see, and for an untrained network."""
        return [known["name"] for known in self.record.get("encoders", ()) if _is_control(known)]

    def balanced(self, per_species: int, seed: int = 0) -> Sample:
        """The sample with just so many images of each species, drawn at random; of a species with fewer, none.

        Raises
        ------
        DataError
            If no species has so many images.
        """
        if per_species < 1:
            raise DataError(f"expected at least 1 image a species; got {per_species}")
        rows, n_left_out = balanced_rows(self.placement.at("species"), per_species, stream(seed, "balanced"))
        if not len(rows):
            raise DataError(f"no species of '{self.dataset}' has {per_species} images; ask for fewer")
        note = f"{per_species} images of each species, drawn at random (seed {seed}); {n_left_out} species have fewer"
        drawn, known = self.take(rows), self.record.get("dataset", {})
        facts = {
            "n_usable": len(rows),
            "taxa": _taxa(drawn.placement),
            "notes": [*known.get("notes", ()), note],
        }
        return replace(drawn, record={**self.record, "dataset": {**known, **facts}})

    def take(self, rows: np.ndarray) -> Sample:
        """The sample of some of the images."""
        return replace(
            self,
            images=self.images.iloc[rows].reset_index(drop=True),
            placement=self.placement.take(rows),
            embeddings={name: embeddings.take(rows) for name, embeddings in self.embeddings.items()},
            trees={name: (placement.take(rows), matches) for name, (placement, matches) in self.trees.items()},
        )

    def named(self, encoder: str, kind: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """The embedded names of one text type: at each rank the taxa of the sample, and their unit vectors."""
        node = pd.Index(self.placement.tree.paths)
        found = []
        for rank in RANKS:
            rows = self._names(encoder, rank, kind)
            taxa = node.get_indexer(rows["taxon"])
            rows, taxa = rows["row"].to_numpy()[taxa >= 0], taxa[taxa >= 0]
            order = np.argsort(taxa)
            found.append((taxa[order], unit_or_zero_rows(self.names[encoder].vectors[rows[order]])))
        return found

    def named_root(self, encoder: str, kind: str) -> np.ndarray:
        """The unit vector of the prompt that stands for all life, in one text type."""
        return unit_or_zero_rows(self.names[encoder].vectors[self._names(encoder, ROOT_NAME, kind)["row"].to_numpy()])[
            0
        ]

    def _names(self, encoder: str, rank: str, kind: str) -> pd.DataFrame:
        table = self.names[encoder].table
        return table[(table["rank"] == rank) & (table["type"] == kind)]

    def table(self, rows: Iterable[dict], **columns: object) -> pd.DataFrame:
        """Rows of measurements with the columns that all of them share."""
        shared = {"run": self.run, "dataset": self.dataset, "simulated": self.simulated, "split": WHOLE}
        return MEASUREMENTS.frame([{**shared, **columns, **row} for row in rows])


def collect(
    data: str | datasets.Dataset,
    models: Sequence[str],
    store: str | Path = "store",
    tree: str | Path | None = None,
    tree_unit: str = "unknown",
    templates: str | None = None,
    **extraction: object,
) -> Sample:
    """Embed what is not yet in the store, and read it all back, joined by image.

    Parameters
    ----------
    data : str or Dataset
    models : sequence of str
        Encoders, by name; see `encoders.catalogue`.
    store : str or Path
        Where embeddings are kept; a second call embeds nothing anew.
    tree, tree_unit
        A phylogeny for the species, and the unit of its branch lengths.
    templates : str, optional
        Embed the names of taxa too, where a model takes text, in the prompts ``plain`` or ``openai``; see `names`.
    **extraction
        As for `embedding.embed`.

    Raises
    ------
    ProbeError
        Whatever is wrong with the input, in one line.
    """
    dataset = datasets.load(data) if isinstance(data, str) else data
    parts = set(dataset.images["split"].dropna())
    if WHOLE in parts and len(parts) > 1:
        raise DataError(f"'{dataset.name}' has a split called '{WHOLE}', which stands for the whole; rename it")
    phylogeny = read_tree(tree, tree_unit) if tree else None  # a bad tree stops the run before the long work
    if phylogeny is not None:
        if Path(tree).stem in TAKEN:
            raise TreeError(
                f"numbers on another tree are called '{Path(tree).stem}'; give the file {tree} another name"
            )
        place_on(phylogeny, dataset.images["species"])  # so does one that knows none of the species
    store = Store(store)
    embedded = embed(dataset, models, store, **extraction)
    read = {}
    failures = {}
    for encoder, result in embedded:
        name = encoder["name"]
        images, vectors = store.read(dataset, f"{name}@{encoder['fingerprint']}")
        ids, vectors, lost = _with_direction(images["image_id"], vectors, name)
        read[name] = Embeddings.of(ids, vectors)
        failures[name] = pd.concat([result.failures, lost]).to_dict("records")
    names = {}
    if templates is not None:
        where = {key: extraction[key] for key in ("device", "precision", "revision", "progress") if key in extraction}
        learnt = [model for model, (known, _) in zip(models, embedded, strict=True) if not _is_control(known)]
        for name, _ in embed_all_names(dataset, learnt, store, templates=templates, **where):
            known = next(encoder for encoder, _ in embedded if encoder["name"] == name)
            names[name] = read_names(store, dataset, f"{name}@{known['fingerprint']}", templates)
    wanted = dataset.images["image_id"]
    in_all = np.all([wanted.isin(found.ids) for found in read.values()], axis=0)
    usable = dataset.images[in_all].reset_index(drop=True)
    if not len(usable):
        raise DataError(f"no image of '{dataset.name}' was embedded by all of: {', '.join(read)}")
    trees = {}
    if dataset.tree is not None:
        trees[TRUE_TREE] = place_on(dataset.tree, usable["species"])
    if phylogeny is not None:
        trees[Path(tree).stem] = place_on(phylogeny, usable["species"])
    placement = taxonomy(usable)
    return Sample(
        dataset.name,
        dataset.simulated,
        usable,
        placement,
        {name: found.take(pd.Index(found.ids).get_indexer(usable["image_id"])) for name, found in read.items()},
        trees,
        {
            **_record(dataset, usable, placement, trees),
            "encoders": [encoder for encoder, _ in embedded],
            "failures": failures,
        },
        names,
    )


def _is_control(encoder: dict) -> bool:
    return str(encoder.get("id")).startswith(("control:", "untrained:"))


def _with_direction(ids: pd.Series, vectors: np.ndarray, encoder: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Ids and vectors without those of length zero (black pixels, say), and a line for each that is left out."""
    has = np.any(vectors, axis=1)
    reason = f"the vector of '{encoder}' is zero: it has no direction"
    lost = pd.DataFrame({"image_id": ids[~has], "error_class": "no direction", "error": reason})
    if len(lost):
        log.warning("left out %d images whose vector of %s is zero: %s", len(lost), encoder, some(lost["image_id"]))
    return ids[has].to_numpy(dtype=object), vectors[has], lost


def _taxa(placement: Placement) -> dict[str, int]:
    """How many taxa of each rank the images are of."""
    return {rank: int(np.sum(np.unique(placement.at(rank)) >= 0)) for rank in RANKS}


def _record(dataset, usable, placement, trees) -> dict:
    """What was embedded with what, for the report and `runs.json`."""
    return {
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "simulated": dataset.simulated,
            "n_images": len(dataset.images),
            "n_usable": len(usable),
            "taxa": _taxa(placement),
            "splits": {str(name): int(n) for name, n in usable["split"].value_counts().items()},
            "notes": list(dataset.notes),
        },
        "audit": audit(usable).to_dict("records"),
        "trees": {
            name: {
                "tips": len(placed.tree.tips),
                "unit": placed.tree.unit,
                "ultrametric": placed.tree.is_ultrametric,
                "matches": matches.to_dict("records"),
            }
            for name, (placed, matches) in trees.items()
        },
    }
