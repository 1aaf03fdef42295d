"""Made-up tars of pictures, as BioCLIP's training shards have them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bioclip_probe import datasets
from bioclip_probe.errors import DataError, PictureError
from bioclip_probe.tables import RANKS
from tests.support.pictures import encode_picture

#: The ranks as the shards have them, the species as its epithet.
MAGPIE = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "hudsonia")
#: The same ranks as a dataset has them.
BINOMIAL = (*MAGPIE[:6], "Pica hudsonia")
COLOURS = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], format: int = tarfile.DEFAULT_FORMAT) -> Path:
    """Write a tar of members (name and content) in order, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def shard_texts(ranks: Sequence[str | None], common: str | None = None) -> dict[str, bytes]:
    """Return the ten texts that BioCLIP's shards have of a picture, by the ending of their names."""
    known = [(rank, name) for rank, name in zip(RANKS, ranks, strict=True) if name]
    taxonomic = " ".join(name for _, name in known)
    scientific = " ".join(name for name in ranks[5:] if name).capitalize()
    common = common or scientific or taxonomic
    tagged = " ".join(f"{rank} {name}" for rank, name in known)
    names = {"sci": scientific, "taxon": taxonomic, "taxonTag": tagged}
    texts = {"scientific_name.txt": scientific, "taxonomic_name.txt": taxonomic, "common_name.txt": common}
    texts |= {f"{kind}.txt": f"a photo of {name}." for kind, name in (names | {"com": common}).items()}
    texts |= {f"{kind}_com.txt": f"a photo of {name} with common name {common}." for kind, name in names.items()}
    return {ending: text.encode() for ending, text in texts.items()}


def shard_members(
    key: str, ranks: Sequence[str | None] = MAGPIE, common: str | None = None, endings: Sequence[str] = ()
) -> list[tuple[str, bytes]]:
    """Return a picture and its texts, all of them or those with some endings, as members of a tar."""
    texts = shard_texts(ranks, common)
    return [(f"{key}.png", encode_picture())] + [(f"{key}.{ending}", texts[ending]) for ending in endings or texts]


def write_three(path: Path, format: int = tarfile.DEFAULT_FORMAT) -> Path:
    """Write a tar of three pictures of `COLOURS` and their taxa, and return its path."""
    members = [member for n in range(3) for member in shard_members(str(n), endings=["taxonTag.txt"])]
    members[::2] = [(f"{n}.png", encode_picture(colour)) for n, colour in enumerate(COLOURS)]
    return write_tar(path, members, format=format)


def load_colours(path: Path) -> tuple[dict[str, tuple | None] | None, tuple[str, ...]]:
    """Return the colour of each picture by its id, None for one that fails, and the notes of the dataset.

    If the tar is refused, the colours are None. Every message is checked to be one line that can be printed.
    """
    try:
        dataset = datasets.load(f"webdataset:{path}")
    except DataError as error:
        assert str(error).isprintable(), repr(str(error))
        assert len(str(error)) < 4000
        return None, ()
    assert all(note.isprintable() for note in dataset.notes), dataset.notes
    colours = {}
    for image_id, source in zip(dataset.images["image_id"], dataset.images["source"], strict=True):
        try:
            image = dataset.open(source)
            assert image.mode == "RGB"
            colours[image_id] = image.getpixel((0, 0))
        except PictureError as error:
            assert str(error).isprintable()
            colours[image_id] = None
    return colours, dataset.notes
