"""The registry of files beside the tables of a results folder; each step of a study writes all of them.

To add a file, write a function that takes `contents.Contents` and returns bytes (None where the study has nothing for
it), and add its entry here, and its test. The file is then written together with the tables, listed in ``SHA256SUMS``
and described in ``ro-crate-metadata.json``. Nothing may be pickled, and no path of this machine belongs into a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bioclip_probe.study.bundle import crate, documents, images, vectors
from bioclip_probe.study.bundle.contents import Contents, FileEntry
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.submission import submission_json

JSON, PARQUET = "application/json", "application/vnd.apache.parquet"

REGISTRY: dict[str, FileEntry] = {
    entry.name: entry
    for entry in (
        FileEntry("images.parquet", "the images: sha256, taxon, group, split, licence", PARQUET, images.images_file),
        FileEntry("embeddings.json", "the encoders and digests of their vectors", JSON, vectors.embeddings_file),
        FileEntry("witness.npz", "64 images' vectors of each encoder", "application/zip", vectors.witness_file),
        FileEntry("protocol.json", "the rules that the protocol id stands for", JSON, documents.protocol_file),
        FileEntry("requirements.txt", "the software as installed", "text/plain", documents.requirements_file),
        FileEntry("submission.json", "the primary endpoints, for model cards and boards", JSON, submission_json),
        FileEntry("CITATION.cff", "how to cite the results", "application/yaml", documents.citation_file),
    )
}


def bundle_files(results: Results, sample: Sample) -> dict[str, Callable[[Path], object]]:
    """Return the files beside the tables, as `results.write` takes them.

    Parameters
    ----------
    results : Results
        What the folder holds once this step is written.
    sample : Sample

    Returns
    -------
    dict from str to callable
        The name of each file, and what writes its content to a path.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> record = {"run": "0f", "dataset": {"name": "birds", "simulated": False}, "encoders": [], "steps": {}}
    >>> sorted(bundle_files(Results(Path("out"), record), corvid_sample()))[:2]
    ['CITATION.cff', 'embeddings.json']
    """
    contents = Contents(results, sample)
    made: dict[str, bytes] = {}
    for name, entry in REGISTRY.items():
        assert entry.function is not None
        content = entry.function(contents)
        if content is not None:
            made[name] = content
    made[crate.FILE] = crate.crate_file(contents, _about(made))
    return {name: _writer(content) for name, content in made.items()}


def _about(made: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """Return media type and meaning of files."""
    return {name: (REGISTRY[name].notes, REGISTRY[name].title) for name in made}


def _writer(content: bytes) -> Callable[[Path], object]:
    """Return a function that writes bytes to a path."""
    return lambda path: path.write_bytes(content)
