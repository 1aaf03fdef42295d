"""The outline of a study: its pieces with their state, before anything is embedded, read or computed.

What `study.run` runs is listed here: the steps themselves say which pieces they need.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.errors import StoreError
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.store.text_embeddings import LOGIT_SCALE, NAMES, NameEmbeddings, read_names
from bioclip_probe.study.checkpoints import Outline
from bioclip_probe.study.collecting import StoredEncoder, join
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece import PieceState
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.run import as_planned
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.steps import STEPS, step_functions

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.store.store import Store


def pieces(
    sample: Sample, plan: Plan, out: str | Path | None = None, steps: Collection[str] = STEPS
) -> list[PieceState]:
    """Return the pieces of a plan, and which of them a results folder holds already.

    Parameters
    ----------
    sample : Sample
        That of the plan; `outline_sample` makes one without vectors, whose pieces have the same keys.
    plan : Plan
    out : str or Path, optional
        The results folder, which may be missing.
    steps : collection of str
        Of ``measure``, ``probe`` and ``project``.

    Returns
    -------
    list of PieceState
        In the order in which a run needs them. Nothing is read but the names and the heads of stored pieces.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> from bioclip_probe.study.run import collect_sample, run_steps
    >>> with TemporaryDirectory() as folder:
    ...     plan, store, out = corvid_plan(folder), f"{folder}/store", f"{folder}/out"
    ...     _ = run_steps(plan, store, out, ["measure"])
    ...     states = pieces(collect_sample(plan, store), plan, out)
    >>> {(piece.step, piece.exists) for piece in states} >= {("measure", True), ("project", False)}
    True
    """
    outline = Outline(None if out is None else Path(out), Inputs(sample))
    for name, step in step_functions(sample, plan).items():
        if name in steps:
            step(checkpoints=outline)
    return outline.pieces


def outline_sample(plan: Plan, dataset: Dataset, sources: Mapping[str, Any], store: Store) -> Sample:
    """Return the sample of a plan without its vectors: what the keys of its pieces need, and no more.

    Parameters
    ----------
    plan : Plan
    dataset : Dataset
        The dataset of the plan.
    sources : mapping from model to Encoder or ReadyVectors
        As `extraction.embed.load_sources` returns them, for all encoders of the plan.
    store : Store

    Returns
    -------
    Sample
        Of the images that the encoders could embed so far. Images that are not embedded yet are taken to succeed, and
        so are images whose vector is zero, which only the vectors tell; where there are any, the keys differ from those
        of a run.

    Raises
    ------
    ProbeError
        If the phylogeny, a column or the store cannot be used.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe import datasets
    >>> from bioclip_probe.extraction.embed import load_sources
    >>> from bioclip_probe.store.store import Store
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan, store = corvid_plan(folder), Store(f"{folder}/store")
    ...     dataset = datasets.load(plan.data)
    ...     sample = outline_sample(plan, dataset, load_sources(dataset, plan.encoders, store), store)
    >>> len(sample.images), sample.embeddings["corvids"].vectors.shape
    (3, (3, 0))
    """
    stored, names = {}, {}
    for source in sources.values():
        embedded = store.find_folder(dataset, source.name, source.fingerprint)
        complete = embedded is not None and embedded.complete
        failed = embedded.failures()["image_id"] if embedded is not None else []
        ids = dataset.images["image_id"]
        ids = ids[~ids.isin(failed)].to_numpy(dtype=object)
        record = {**source.record, "name": source.name, "fingerprint": source.fingerprint}
        without_vectors = Embeddings(ids, np.empty((len(ids), 0), dtype=np.float32))
        digest = embedded.digest if embedded is not None and complete else "not embedded"
        sha256 = embedded.sha256() if embedded is not None else None
        stored[source.name] = StoredEncoder(record, without_vectors, digest=digest, sha256=sha256)
        if plan.templates is not None and getattr(source, "has_text", False):
            names[source.name] = _names(store, dataset, f"{source.name}@{source.fingerprint}", plan.templates)
    phylogenies = {plan.phylogeny.name: plan.phylogeny.read()} if plan.phylogeny else {}
    sample = join(dataset, stored, phylogenies, names)
    return as_planned(sample, plan)


def _names(store: Store, dataset: Dataset, encoder: str, templates: str) -> NameEmbeddings:
    """Return the embedded names of an encoder, or none in their place."""
    try:
        return read_names(store, dataset, encoder, templates)
    except StoreError:
        return NameEmbeddings(NAMES.frame(), np.zeros((0, 1), np.float32), LOGIT_SCALE, templates, None)
