"""The plan of a study: what it compares, on what, and how. Pure: nothing of it touches a file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from bioclip_probe import encoders, executors, probes
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.embed import VECTORS
from bioclip_probe.extraction.extract import Settings
from bioclip_probe.probes import DEFAULT_PROTOCOLS, USUAL
from bioclip_probe.store.text_embeddings import TEMPLATES
from bioclip_probe.tables import RANKS

WORLD_MODELS = ("world-taxonomic", "world-generic", "world-subset")
PAPER_MODELS = ("bioclip", "clip", "inat21-only")
#: Of `Settings`, what a plan says.
SETTINGS = tuple(field.name for field in fields(Settings) if field.name != "progress")


@dataclass(frozen=True)
class Plan:
    """What a study compares, on what, and how.

    Attributes
    ----------
    data : str
        A dataset, as `datasets.load` takes it: ``world``, ``inat21:PATH`` …
    models : tuple of str
        Encoders compared; empty for the three of the paper (on ``world``: the world's three).
    controls : bool
        Measure pixels, colours and an untrained network beside them.
    tree : Path, optional
        A phylogeny (Newick or Nexus) for the species; `tree_unit` says what its branch lengths are.
    method, mode : str
        Projection, and the procedure of Section 4.6: ``corrected`` or ``paper``.
    per_species : int, optional
        Measure just so many images of each species, drawn at random; of species with fewer, none.
    probes, protocols, shots : tuple
        What is asked of the embeddings, and how: names of `probes`, of `probes.PROTOCOLS`, and images a taxon for the
        curve of sample efficiency.
    names : bool
        Embed the names of taxa, where a model takes text, and measure them; a probe by names does so anyway.
    templates : str
        Prompts that names stand in: ``plain`` (`a photo of …`) or ``openai`` (the 81 of published zero-shot numbers).
    resample : str
        What intervals of tree agreement resample: ``species``, or ``genus`` or ``family`` where species are not
        independent.
    device, precision, revision : str
        As `encoders.load` takes them; the revision is of the one model that is on the hub.
    engine : str
        Where pictures are embedded and pairs of images looked at; see `engines`.
    batch_size, workers, shard_size, dtype, max_failures, redo
        As `extract.Settings` has them.
    """

    data: str = "world"
    models: tuple[str, ...] = ()
    controls: bool = True
    tree: Path | None = None
    tree_unit: str = "unknown"
    method: str = "tsne"
    mode: str = "corrected"
    per_species: int | None = None
    probes: tuple[str, ...] = USUAL
    protocols: tuple[str, ...] = DEFAULT_PROTOCOLS
    shots: tuple[int, ...] = ()
    names: bool = False
    templates: str = "plain"
    resample: str = "species"
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    revision: str | None = None
    engine: str = "local"
    batch_size: int = 32
    workers: int | None = None
    shard_size: int = 1024
    dtype: str = "float32"
    max_failures: float | None = None
    redo: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ProbeError(f"the seed must be 0 or more; got {self.seed}")
        Settings(**{name: getattr(self, name) for name in SETTINGS})
        executors.check(self.engine)
        if self.per_species is not None and self.per_species < 1:
            raise ProbeError(f"expected at least 1 image a species; got {self.per_species}")
        probes.check(self.probes, self.protocols, self.shots)
        if self.templates not in TEMPLATES:
            raise ProbeError(f"templates are {' or '.join(TEMPLATES)}; got '{self.templates}'")
        if self.resample not in RANKS:
            raise ProbeError(f"intervals resample taxa of a rank ({', '.join(RANKS)}); got '{self.resample}'")

    def encoders(self) -> tuple[str, ...]:
        """All encoders of the study: the models, then the controls."""
        models = self.compared()
        if self.data.startswith(VECTORS):
            return models  # without pictures there are no controls
        return (*models, *(encoders.controls_for(models) if self.controls else ()))

    def extraction(self) -> dict:
        """What `embedding.embed` is told beside the dataset, the encoders and the store."""
        return {name: getattr(self, name) for name in ("device", "precision", "revision", "engine", *SETTINGS)}

    def prompts(self) -> str | None:
        """The prompts in which names of taxa are embedded, None if they are not."""
        return self.templates if self.names or "zero_shot" in self.probes else None

    def compared(self) -> tuple[str, ...]:
        """The models, without the controls."""
        twice = sorted({model for model in self.models if self.models.count(model) > 1})
        if twice:
            raise ProbeError(f"a model is named twice: {', '.join(twice)}")
        if self.models:
            return self.models
        return (self.data,) if self.data.startswith(VECTORS) else WORLD_MODELS if self.data == "world" else PAPER_MODELS
