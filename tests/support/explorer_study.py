"""Made-up contents of the explorer, of any size, without pictures on disk, vectors or networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from bioclip_probe.report.explorer.contents import Contents, ModelContents
from bioclip_probe.report.explorer.maps import Refit
from bioclip_probe.report.explorer.neighbors import N_NEIGHBORS, Neighbors
from bioclip_probe.report.explorer.thumbnails import Thumbnails, thumbnails_of
from bioclip_probe.tables import IMAGES
from bioclip_probe.tree import Placement, Tree

#: Children of all life, of a kingdom, and so on down to the species of a genus.
CHILDREN = (3, 2, 2, 2, 2, 2, 2)
COLORS = ("#009e73", "#d55e00", "#0072b2")


def made_up_tree(children: Sequence[int] = CHILDREN, prefix: str = "") -> Tree:
    """Return a taxonomy in which every taxon of a rank has as many children; names tell the way down: Ta.b.c …"""
    parent, rank, name = [-1], [-1], ["life"]

    def add(above: int, depth: int, path: str) -> None:
        for child in range(children[depth]):
            parent.append(above)
            rank.append(depth)
            name.append(f"{prefix}T{path}{chr(97 + child % 26)}")
            if depth + 1 < len(children):
                add(len(parent) - 1, depth + 1, f"{path}{chr(97 + child % 26)}")

    add(0, 0, "")
    length = np.r_[0.0, np.full(len(parent) - 1, 0.5)]
    return Tree(np.array(parent), length, np.array(name, object), np.array(rank, np.int8), unit="rank")


def made_up_contents(
    per_species: int = 4,
    children: Sequence[int] = CHILDREN,
    n_models: int = 3,
    prefix: str = "",
    title: str = "made up",
) -> Contents:
    """Return contents in which relatives lie together, in each model less than in the one before."""
    tree, rng = made_up_tree(children, prefix), np.random.default_rng(0)
    node = np.repeat(np.flatnonzero(tree.rank == 6), per_species)
    images = IMAGES.frame(pd.DataFrame({"image_id": [f"picture-{i}" for i in range(len(node))]}))
    images["common"] = pd.Series("magpie", index=images.index, dtype="str").where(node == node[0])
    center = np.zeros((len(tree), 2))
    for taxon in range(1, len(tree)):
        center[taxon] = center[tree.parent[taxon]] + rng.normal(size=2) * 3.0 ** -float(tree.rank[taxon])
    models = []
    for number in range(n_models):
        maps = {
            method: center[node] + rng.normal(size=(len(node), 2)) * 0.05 * 3**number for method in ("tsne", "umap")
        }
        n_first = int(np.sum(node < tree.stop[1]))  # the first kingdom was projected on its own
        refit = Refit("tsne", 1, rng.normal(size=(n_first, 2)))
        models.append(
            ModelContents(
                f"model-{number}",
                f"Model {number}",
                COLORS[number % 3],
                made_up_neighbors(len(node), 1 + 9 * number, rng),
                maps,
                (refit,),
                np.where(tree.rank < 4, rng.uniform(-0.3, 0.9, len(tree)), np.nan),
            )
        )
    return Contents(title, "0123456789ab", False, images, Placement(tree, node), ("tsne", "umap"), tuple(models))


def made_up_neighbors(n: int, spread: int, rng: np.random.Generator) -> Neighbors:
    """Return neighbours that stand near in the order of the taxonomy, and for one picture in 16 anywhere."""
    steps = rng.permuted(np.tile(np.arange(1, N_NEIGHBORS + spread + 1), (n, 1)), axis=1)[:, :N_NEIGHBORS]
    nearest = (np.arange(n)[:, None] + steps) % n
    far = rng.random(n) < 1 / 16
    nearest[far, 0] = rng.integers(0, n, int(far.sum()))
    similarity = np.sort(rng.uniform(0.3, 0.99, (n, N_NEIGHBORS)))[:, ::-1]
    return Neighbors(nearest, similarity, (np.arange(n) + 5 * spread) % n)


def made_up_thumbnails(n: int) -> Thumbnails:
    """Return a thumbnail for each of n pictures, in one colour that tells which picture it is."""
    return thumbnails_of(
        lambda source: Image.new("RGB", (64, 64), thumbnail_color(int(source))),
        [str(i) for i in range(n)],
        np.arange(n),
        "all",
        progress=False,
    )


def thumbnail_color(number: int) -> tuple[int, int, int]:
    """Return the colour of the thumbnail of a picture."""
    return 40 * (number % 6) + 20, 40 * (number // 6 % 6) + 20, 40 * (number // 36 % 6) + 20
