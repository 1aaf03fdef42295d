"""The registry of files beside the tables of a results folder; each step of a study writes all of them.

To add a file, write a function that takes `contents.Contents` and returns bytes, or None if the study has nothing for
the file; add its entry here, and its test. The file is then written together with the tables, listed in ``SHA256SUMS``
and described in ``ro-crate-metadata.json``. A file may hold nothing pickled, and no path of this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bioclip_probe.study.bundle import crate, documents, images, vectors
from bioclip_probe.study.bundle.contents import Contents
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import Entry

JSON, PARQUET = "application/json", "application/vnd.apache.parquet"


@dataclass(frozen=True, kw_only=True)
class FileEntry(Entry):
    """A file of a results folder.

    Attributes
    ----------
    name : str
        Its name in the folder.
    title : str
        Its meaning, in one line.
    function : callable
        ``function(contents) -> bytes``, or None if the study has nothing for the file.
    media_type : str
        Its media type (MIME type), for the RO-Crate.
    """

    function: Callable[[Contents], bytes | None]
    media_type: str


REGISTRY: dict[str, FileEntry] = {
    entry.name: entry
    for entry in (
        FileEntry(
            "images.parquet",
            "the images: sha256, taxon, group, split, licence",
            media_type=PARQUET,
            function=images.images_file,
        ),
        FileEntry(
            "embeddings.json",
            "the encoders and digests of their vectors",
            media_type=JSON,
            function=vectors.embeddings_file,
        ),
        FileEntry(
            "witness.npz",
            "64 images' vectors of each encoder",
            media_type="application/zip",
            function=vectors.witness_file,
        ),
        FileEntry(
            "protocol.json",
            "the rules that the protocol id stands for",
            media_type=JSON,
            function=documents.protocol_file,
        ),
        FileEntry(
            "requirements.txt",
            "the software as installed",
            media_type="text/plain",
            function=documents.requirements_file,
        ),
        FileEntry(
            "submission.json",
            "the primary endpoints, for model cards and boards",
            media_type=JSON,
            function=documents.submission_file,
        ),
        FileEntry(
            "CITATION.cff", "how to cite the results", media_type="application/yaml", function=documents.citation_file
        ),
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
        A function that writes the content to a path, by the name of the file.

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
        content = entry.function(contents)
        if content is not None:
            made[name] = content
    made[crate.FILE] = crate.crate_file(contents, _about(made))
    return {name: _writer(content) for name, content in made.items()}


def _about(made: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """Return media type and meaning of files."""
    return {name: (REGISTRY[name].media_type, REGISTRY[name].title) for name in made}


def _writer(content: bytes) -> Callable[[Path], object]:
    """Return a function that writes bytes to a path."""
    return lambda path: path.write_bytes(content)
