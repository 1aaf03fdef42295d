"""Pictures become arrays here: embed what the store lacks, read it back, and join it by image."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import datasets
from bioclip_probe.datasets.duplicates import notes_on_copies, number_copies, picture_digests
from bioclip_probe.datasets.readers.pictures import PictureOpener
from bioclip_probe.encoders import Encoder, geometry_of, is_control
from bioclip_probe.errors import DataError, some
from bioclip_probe.extraction.embed import embed, embed_all_names
from bioclip_probe.extraction.extract import ExtractionSummary
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.geometry import N_LANDMARKS, unit_vectors
from bioclip_probe.store.earlier_versions import NO_DIGESTS, known_as
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import NameEmbeddings, read_names
from bioclip_probe.study.arguments import check_arguments, check_dataset, with_layers
from bioclip_probe.study.phylogeny import TRUE_TREE, Phylogeny, TreeSample
from bioclip_probe.study.sample import WHOLE, Sample
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, audit, numbers_of_taxa, place_on, taxonomy
from bioclip_probe.tree.distance_matrix import MatrixPlacement
from bioclip_probe.tree.placing import rank_of_matches

log = logging.getLogger(__name__)

#: The environment variable that names the store.
STORE_VARIABLE = "BIOCLIP_PROBE_STORE"


def collect(
    data: str | datasets.Dataset,
    models: Sequence[str | Encoder],
    store: str | Path | None = None,
    phylogeny: Phylogeny | None = None,
    templates: str | None = None,
    settings: ExtractionSettings | None = None,
) -> Sample:
    """Embed what the store lacks, and return all of it, joined by image.

    Parameters
    ----------
    data : str or Dataset
        See `datasets.load`.
    models : sequence of str or Encoder
        Names of encoders, see `encoders.catalogue`, and encoders in memory, as `bioclip_probe.encoder` returns them.
        ``layer:1-12:clip`` stands for twelve layers.
    store : str or Path, optional
        Where embeddings are kept; a second call embeds nothing again. By default the folder that the environment
        variable ``BIOCLIP_PROBE_STORE`` names, else ``store``.
    phylogeny : Phylogeny, optional
        Of the species; numbers are then also measured on it.
    templates : str, optional
        Embed the names of taxa too, where a model takes text, in the prompts ``plain`` or ``openai``.
    settings : ExtractionSettings, optional

    Returns
    -------
    Sample

    Raises
    ------
    ProbeError
        If something in the input cannot be used, in one line.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = f"{folder}/mine.npz"
    ...     np.savez(file, ids=["a", "b"], vectors=np.eye(2), genus=["Pica", "Corvus"])
    ...     quiet = ExtractionSettings(progress=False)
    ...     sample = collect(f"vectors:{file}", [f"vectors:{file}"], f"{folder}/store", settings=quiet)
    >>> len(sample.images)
    2
    """
    settings = ExtractionSettings() if settings is None else settings
    check_arguments(phylogeny, templates, settings)
    models = with_layers(models)
    opened = Store(default_store() if store is None else store)
    dataset = known_as(opened, datasets.load(data) if isinstance(data, str) else check_dataset(data))
    parts = set(dataset.images["split"].dropna())
    if WHOLE in parts and len(parts) > 1:
        raise DataError(f"'{dataset.name}' has a split called '{WHOLE}', which stands for the whole; rename it")
    phylogenies = {phylogeny.name: phylogeny.read()} if phylogeny else {}
    for trees in phylogenies.values():
        trees.place(dataset.images)  # one that fits no taxa stops the run before the long work
    embedded = embed(dataset, models, opened, settings)
    vectors, failures = _read_vectors(dataset, opened, embedded)
    names = _read_names(dataset, models, opened, embedded, templates, settings) if templates is not None else {}
    stored = {
        encoder["name"]: StoredEncoder(
            encoder, vectors[encoder["name"]], failures[encoder["name"]], digest_of(folder, encoder), folder.sha256()
        )
        for (encoder, _), folder in zip(embedded, _folders(dataset, opened, embedded), strict=True)
    }
    return join(dataset, stored, phylogenies, names)


def default_store() -> Path:
    """Return the folder of the store where none is named: that of ``BIOCLIP_PROBE_STORE``, else ``store``.

    Examples
    --------
    >>> isinstance(default_store(), Path)
    True
    """
    return Path(os.environ.get(STORE_VARIABLE) or "store")


def check_several_taxa(dataset: datasets.Dataset) -> None:
    """Raise an error if all images are of one taxon, of which nothing can be measured.

    Parameters
    ----------
    dataset : Dataset

    Raises
    ------
    DataError
        If no rank has two taxa.

    Examples
    --------
    >>> check_several_taxa(datasets.load("world"))
    """
    check_several_taxa_of(dataset.images, dataset.name)


def check_several_taxa_of(images: pd.DataFrame, name: str) -> None:
    """Raise an error as `check_several_taxa`, of a table of images and the name of its dataset."""
    taxa = {rank: images[rank].dropna().unique() for rank in RANKS}
    if max(map(len, taxa.values())) > 1:
        return
    deepest = [rank for rank in RANKS if len(taxa[rank])][-1:]
    what = f"one {deepest[0]}, {taxa[deepest[0]][0]}" if deepest else "no named taxon"
    raise DataError(
        f"all {len(images)} images of '{name}' are of {what}: whether embeddings follow the tree can be told "
        "of several taxa only; add images of other species"
    )


@dataclass(frozen=True, eq=False)
class StoredEncoder:
    """The embeddings of a dataset by one encoder, as the store has them.

    Attributes
    ----------
    record : dict
        The record of the encoder, with its name and its fingerprint.
    embeddings : Embeddings
        Of the images that could be embedded; without dimensions where vectors are not needed.
    failures : list of dict
        The other images, each with the reason.
    digest : str
        Digest of all its shards; empty if it is not known.
    sha256 : Series, optional
        Digest of the bytes of each picture, by image_id, as far as the ledgers have it.

    Examples
    --------
    >>> StoredEncoder({"name": "clip"}, Embeddings.of(["a"], [[1.0, 0.0]])).digest
    ''
    """

    record: dict
    embeddings: Embeddings
    failures: list[dict] = field(default_factory=list)
    digest: str = ""
    sha256: pd.Series | None = None


def join(
    dataset: datasets.Dataset,
    stored: Mapping[str, StoredEncoder],
    phylogenies: Mapping[str, TreeSample] | None = None,
    names: Mapping[str, NameEmbeddings] | None = None,
) -> Sample:
    """Return the sample of the images that every encoder could embed.

    Parameters
    ----------
    dataset : Dataset
    stored : mapping from encoder name to StoredEncoder
    phylogenies : mapping from name to TreeSample, optional
        Phylogenies of the taxa, each with one tree or a sample of trees.
    names : mapping from encoder name to NameEmbeddings, optional

    Returns
    -------
    Sample

    Raises
    ------
    ProbeError
        If no image was embedded by all encoders, or the phylogeny cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", ids=["a", "b"], vectors=np.eye(2), genus=["Pica", "Corvus"])
    ...     dataset = datasets.load(f"vectors:{folder}/mine.npz")
    >>> one = StoredEncoder({"name": "one", "id": "one"}, Embeddings.of(["b"], [[1.0, 0.0]]))
    >>> join(dataset, {"one": one}).images["image_id"].tolist()
    ['b']
    """
    wanted = dataset.images["image_id"]
    in_all = np.all([wanted.isin(own.embeddings.ids) for own in stored.values()], axis=0)
    usable = dataset.images[in_all].reset_index(drop=True)
    pictures = _digests_of_pictures(dataset, stored)[in_all].reset_index(drop=True)
    if not len(usable):
        raise DataError(f"no image of '{dataset.name}' was embedded by all of: {', '.join(stored)}")
    trees = {}
    if dataset.tree is not None:
        trees[TRUE_TREE] = place_on(dataset.tree, usable)
    tree_samples: dict[str, tuple[Placement, ...]] = {}
    for name, phylogeny in (phylogenies or {}).items():
        trees[name] = phylogeny.place(usable)
        if on_each := phylogeny.place_on_each(usable):
            tree_samples[name] = on_each
    placement = taxonomy(usable)
    ids = usable["image_id"]
    record = {
        "dataset": _dataset_record(dataset, usable, placement, pictures, _notes_on_geometries(stored)),
        "audit": audit(usable).to_dict("records"),
        "trees": _tree_records(trees, phylogenies or {}, usable),
        "encoders": [{**own.record, "control": is_control(own.record)} for own in stored.values()],
        "failures": {name: own.failures for name, own in stored.items()},
    }
    return Sample(
        dataset.name,
        dataset.simulated,
        usable,
        placement,
        {name: own.embeddings.take(pd.Index(own.embeddings.ids).get_indexer(ids)) for name, own in stored.items()},
        trees,
        record,
        dict(names or {}),
        tree_samples,
        copies=number_copies(pictures),
        pictures=pictures,
        digests={name: own.digest for name, own in stored.items()},
        open=dataset.open,
        spec=dataset.spec,
    )


EncoderRuns = Sequence[tuple[dict, ExtractionSummary]]  # the record of each encoder, and what the run did


def _read_vectors(
    dataset: datasets.Dataset, store: Store, embedded: EncoderRuns
) -> tuple[dict[str, Embeddings], dict[str, list[dict]]]:
    """Return the embeddings of each encoder, and the images that it could not embed."""
    vectors, failures = {}, {}
    for encoder, summary in embedded:
        name = encoder["name"]
        images, rows = store.read(dataset, f"{name}@{encoder['fingerprint']}")
        rows = unit_vectors(rows, geometry_of(encoder))
        ids, rows, zero = _with_direction(images["image_id"], rows, name)
        vectors[name] = Embeddings.of(ids, rows)
        failures[name] = pd.concat([summary.failures, zero]).to_dict("records")
    return vectors, failures


def digest_of(folder: EmbeddingFolder, encoder: dict) -> str:
    """Return the digest of the vectors of an encoder and of how they are compared.

    Parameters
    ----------
    folder : EmbeddingFolder
        The vectors in the store.
    encoder : dict
        The record of the encoder.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> digest_of(SimpleNamespace(digest="ab"), {"geometry": "lorentz"})
    'ab lorentz'
    """
    geometry = geometry_of(encoder)
    return folder.digest if geometry == "cosine" else f"{folder.digest} {geometry}"


def _folders(dataset: datasets.Dataset, store: Store, embedded: EncoderRuns) -> list[EmbeddingFolder]:
    """Return the folder of each encoder in the store."""
    names = [f"{encoder['name']}@{encoder['fingerprint']}" for encoder, _ in embedded]
    return [store.embedding_folder(dataset, name) for name in names]


def _digests_of_pictures(dataset: datasets.Dataset, stored: Mapping[str, StoredEncoder]) -> pd.Series:
    """Return the digest of each picture of the dataset, from the ledgers, or else from the files of the pictures."""
    digests = picture_digests(dataset, read=False)
    for own in stored.values():
        if own.sha256 is not None:
            digests = digests.fillna(dataset.images["image_id"].map(own.sha256))
    return digests


def _read_names(
    dataset: datasets.Dataset,
    models: Sequence[str | Encoder],
    store: Store,
    embedded: EncoderRuns,
    templates: str,
    settings: ExtractionSettings,
) -> dict[str, NameEmbeddings]:
    """Embed the names of taxa with the models that take text, and return them; controls read no names."""
    trained = [model for model, (known, _) in zip(models, embedded, strict=True) if not is_control(known)]
    fingerprints = {encoder["name"]: encoder["fingerprint"] for encoder, _ in embedded}
    names = {
        name: read_names(store, dataset, f"{name}@{fingerprints[name]}", templates)
        for name, _ in embed_all_names(dataset, trained, store, settings, templates)
    }
    if not names:
        log.info(
            "none of the models takes text: no names of taxa are embedded, and nothing is measured or named by them"
        )
    return names


def _with_direction(ids: pd.Series, vectors: np.ndarray, encoder: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Return ids and vectors without those of length zero (black pixels, say), and a row for each that is left out."""
    has = np.any(vectors, axis=1)
    reason = f"the vector of '{encoder}' is zero: it has no direction"
    zero = pd.DataFrame({"image_id": ids[~has], "error_class": "no direction", "error": reason})
    if len(zero):
        log.warning("left out %d images whose vector of %s is zero: %s", len(zero), encoder, some(zero["image_id"]))
    return ids[has].to_numpy(dtype=object), vectors[has], zero


def _notes_on_geometries(stored: Mapping[str, StoredEncoder]) -> list[str]:
    """Return a note for each encoder whose distances are computed from a part of its vectors."""
    return [
        f"hyperbolic distances of '{name}' are computed from {N_LANDMARKS:,} of its {len(own.embeddings):,} vectors; "
        "those between close images are too small"
        for name, own in stored.items()
        if geometry_of(own.record) == "lorentz" and len(own.embeddings) > N_LANDMARKS
    ]


def _dataset_record(
    dataset: datasets.Dataset,
    usable: pd.DataFrame,
    placement: Placement,
    pictures: pd.Series,
    geometries: Sequence[str] = (),
) -> dict:
    """Return what the report and `runs.json` say of the dataset."""
    notes = [*dataset.notes, *notes_on_copies(usable, pictures), *geometries]
    if pictures.isna().all() and isinstance(dataset.open, PictureOpener):
        notes.append(f"exact copies are not known: {NO_DIGESTS}")
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "simulated": dataset.simulated,
        "n_images": len(dataset.images),
        "n_usable": len(usable),
        "taxa": numbers_of_taxa(placement),
        "splits": {str(name): int(n) for name, n in usable["split"].value_counts().items()},
        "notes": notes,
    }


def _tree_records(
    trees: Mapping[str, tuple[Placement, pd.DataFrame]], phylogenies: Mapping[str, TreeSample], images: pd.DataFrame
) -> dict[str, dict]:
    """Return what the report and `runs.json` say of each phylogeny."""
    return {
        name: {
            "tips": len(placed.tree.tips),
            "unit": placed.tree.unit,
            "ultrametric": placed.tree.is_ultrametric and not isinstance(placed, MatrixPlacement),
            "rank": rank_of_matches(matches),
            "notes": phylogenies[name].notes_on(matches, images) if name in phylogenies else [],
            "matches": matches.to_dict("records"),
        }
        for name, (placed, matches) in trees.items()
    }
