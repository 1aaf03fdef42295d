"""The sample: images, their taxonomy and their embeddings as arrays, joined by image; `collecting` makes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe import provenance
from bioclip_probe.encoders import is_control
from bioclip_probe.errors import DataError
from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.stats.embeddings import Embeddings, unit_or_zero_rows
from bioclip_probe.stats.subsampling import balanced_rows
from bioclip_probe.store.text_embeddings import NameEmbeddings
from bioclip_probe.study.covered_intervals import without_others
from bioclip_probe.study.grouping import merge_groups
from bioclip_probe.summaries import Summary
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import Placement, holes_in_words, numbers_of_taxa, taxa_in_words
from bioclip_probe.tree.lineages import ROOT_NAME

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

WHOLE = "all"  # the split of measurements of all parts of a dataset together


@dataclass(frozen=True, eq=False, repr=False)
class Sample:
    """The images that every encoder could embed, their taxonomy, and their embeddings.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    simulated : bool
        True if the pictures come from the built-in world.
    images : DataFrame, n rows
        An `IMAGES` table.
    placement : Placement
        The images in their taxonomy.
    embeddings : dict from encoder name to Embeddings
        All in the order of `images`.
    trees : dict from name to (Placement, DataFrame)
        Phylogenies, each with the images placed on it and the table of what matched.
    record : dict
        What was embedded with what: dataset, audit, encoders with revision and hash, failures. JSON-able.
    names : dict from encoder name to NameEmbeddings
        Embedded names of the dataset's taxa, of encoders that take text, where they were asked for.
    tree_samples : dict from name to tuple of Placement
        The images on every tree of a file of several trees; `trees` has the most credible of them.
    attributes : DataFrame, n rows
        Further columns of the images, such as photographer or place, see `attributes.attributes_of`.
    copies : ndarray, shape (n,), int64
        Number of the picture that several images show, bytes for bytes; −1 for an image without a copy. Empty if copies
        are not known, as for ready vectors.
    pictures : Series, n rows
        SHA-256 of the bytes of each picture, missing where it has none, as a drawn one. Empty for a sample that was
        made without pictures.
    digests : dict from encoder name to str
        Digests of the encoders' vectors of the whole dataset, as the store has them; empty for a sample without a
        store. Give new ones, or none, with other `embeddings`.
    open : callable, optional
        Opens the picture of a value of the column `source`, see `Dataset`. It does not travel to other processes.
    spec : str
        What `datasets.load` was given; empty for a dataset that was made in memory.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> list(sample.embeddings), len(sample.images)
    (['toy'], 3)
    """

    dataset: str
    simulated: bool
    images: pd.DataFrame
    placement: Placement
    embeddings: dict[str, Embeddings]
    trees: dict[str, tuple[Placement, pd.DataFrame]] = field(default_factory=dict)
    record: dict = field(default_factory=dict)
    names: dict[str, NameEmbeddings] = field(default_factory=dict)
    tree_samples: dict[str, tuple[Placement, ...]] = field(default_factory=dict)
    attributes: pd.DataFrame = field(default_factory=pd.DataFrame)
    copies: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    pictures: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))
    digests: dict[str, str] = field(default_factory=dict)
    open: Callable[[str], Image] | None = None
    spec: str = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "open": None}  # workers need vectors only, and an opener may hold all pictures

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: images, taxa, holes, encoders, and lists that open with a click."""
        return self._summary().html()

    def _summary(self) -> Summary:
        """Return the summary of the sample for a shell or a notebook."""
        controls, records = set(self.controls), self.record.get("encoders", ())
        models = [
            f"{name}{' (control)' if name in controls else ''} {own.vectors.shape[1]}-d"
            for name, own in self.embeddings.items()
        ]
        facts = {
            "images": f"{len(self.images):,}, those that every encoder could embed",
            "taxa": taxa_in_words(self.placement),
            "without a name": holes_in_words(self.placement),
            "encoders": ", ".join(models),
            "phylogenies": ", ".join(self.trees),
        }
        failures = [
            f"{name}: {failure.get('image_id')}: {failure.get('error')}"
            for name, own in self.record.get("failures", {}).items()
            for failure in own
        ]
        about = [
            f"{encoder['name']}: {encoder.get('id')}, {encoder.get('precision') or 'float'}, weights "
            f"{str(encoder.get('sha256') or 'none')[:12]}"
            for encoder in records
        ]
        notes = self.record.get("dataset", {}).get("notes", [])
        simulated = " (simulated)" if self.simulated else ""
        lists = {"encoders in detail": about, "images that failed": failures, "notes": notes}
        return Summary(f"Sample of '{self.dataset}'{simulated}", facts, lists)

    @property
    def run(self) -> str:
        """12 hex digits that identify what was embedded by what."""
        # The field `control` follows from the id. Runs were named before the record had it, and keep their names.
        encoders = self.record.get("encoders")
        named = encoders and [{key: encoder[key] for key in encoder if key != "control"} for encoder in encoders]
        return provenance.fingerprint(self.record.get("dataset"), named)

    @property
    def groups(self) -> np.ndarray:
        """Observation or photographer of each image, with those of its copies, as a number; -1 where none is known."""
        return merge_groups(pd.factorize(self.images["group"])[0], self.copies)

    @property
    def copies_or_none(self) -> np.ndarray | None:
        """Number of the picture of each image that has copies, see `copies`; None if no image has any."""
        return self.copies if np.any(self.copies >= 0) else None

    @property
    def controls(self) -> list[str]:
        """Names of the encoders that are controls: colours, pixels, an untrained network."""
        return [known["name"] for known in self.record.get("encoders", ()) if is_control(known)]

    def balanced(self, per_species: int, seed: int = 0) -> Sample:
        """Return the sample with this many images of each species, drawn at random; species with fewer are left out.

        Raises
        ------
        DataError
            If no species has so many images.
        """
        if per_species < 1:
            raise DataError(f"expected at least 1 image a species; got {per_species}")
        rng = random_stream(seed, "balanced")
        rows, n_left_out = balanced_rows(self.placement.at("species"), per_species, rng)
        if not len(rows):
            raise DataError(f"no species of '{self.dataset}' has {per_species} images; ask for fewer")
        note = f"{per_species} images of each species, drawn at random (seed {seed}); {n_left_out} species have fewer"
        drawn, known = self.take(rows), self.record.get("dataset", {})
        facts = {
            "n_usable": len(rows),
            "taxa": numbers_of_taxa(drawn.placement),
            "notes": [*known.get("notes", ()), note],
        }
        return replace(drawn, record={**self.record, "dataset": {**known, **facts}})

    def take(self, rows: np.ndarray) -> Sample:
        """Return the sample of some of the images, in the order of `rows`."""
        return replace(
            self,
            images=self.images.iloc[rows].reset_index(drop=True),
            placement=self.placement.take(rows),
            embeddings={name: embeddings.take(rows) for name, embeddings in self.embeddings.items()},
            trees={name: (placement.take(rows), matches) for name, (placement, matches) in self.trees.items()},
            tree_samples={name: tuple(tree.take(rows) for tree in trees) for name, trees in self.tree_samples.items()},
            copies=self.copies[rows] if len(self.copies) else self.copies,
            pictures=self.pictures.iloc[rows].reset_index(drop=True) if len(self.pictures) else self.pictures,
            attributes=self.attributes.iloc[rows].reset_index(drop=True) if len(self.attributes) else self.attributes,
        )

    def named(self, encoder: str, kind: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the embedded names of one text type: at each rank the taxa of the sample, and their unit vectors."""
        node = pd.Index(self.placement.tree.paths)
        by_rank = []
        for rank in RANKS:
            rows = self._names(encoder, rank, kind)
            taxa = node.get_indexer(rows["taxon"])
            rows, taxa = rows["row"].to_numpy()[taxa >= 0], taxa[taxa >= 0]
            order = np.argsort(taxa)
            by_rank.append((taxa[order], unit_or_zero_rows(self.names[encoder].vectors[rows[order]])))
        return by_rank

    def named_root(self, encoder: str, kind: str) -> np.ndarray:
        """Return the unit vector of the prompt that stands for all life, in one text type."""
        rows = self._names(encoder, ROOT_NAME, kind)["row"].to_numpy()
        return unit_or_zero_rows(self.names[encoder].vectors[rows])[0]

    def _names(self, encoder: str, rank: str, kind: str) -> pd.DataFrame:
        """Return the embedded names of one rank and text type."""
        table = self.names[encoder].table
        return table[(table["rank"] == rank) & (table["type"] == kind)]

    def table(self, rows: Iterable[dict], **columns: object) -> pd.DataFrame:
        """Return rows of measurements as a table, with the columns that all of them share.

        Intervals that are not known to cover are empty, see `covered_intervals`.
        """
        shared = {"run": self.run, "dataset": self.dataset, "simulated": self.simulated, "split": WHOLE}
        table = MEASUREMENTS.frame([{**shared, **columns, **row} for row in rows])
        return without_others(table, len(np.unique(self.placement.node)))
