"""The page of the explorer: template, styles and scripts of the package around the data of one study."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from bioclip_probe.files import write_atomically
from bioclip_probe.report.explorer.contents import Contents, contents_of
from bioclip_probe.report.explorer.packing import as_json, packed
from bioclip_probe.report.explorer.settings import FILE
from bioclip_probe.report.explorer.sources import dataset_of, stored_sample
from bioclip_probe.report.explorer.strays import write_strays
from bioclip_probe.report.explorer.thumbnails import PER_ATLAS, SIZE, OpenPicture, Thumbnails, thumbnails_of
from bioclip_probe.store.store import open_store
from bioclip_probe.study import results as study_results
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.placing import PLURALS

#: A notebook shows the page itself up to so many characters.
MOST_IN_NOTEBOOK = 20_000_000
#: Scripts of the page, in the order in which they stand: each uses those before it.
SCRIPTS = (
    "unpacking", "elements", "taxonomy", "colors", "purity", "state", "raster", "atlas", "panel", "icicle", "details",
    "clade", "search", "controls", "keyboard", "main",
)  # fmt: skip
_METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}


@dataclass(frozen=True)
class Explorer:
    """The explorer of a study; Jupyter shows it as the value of a cell.

    Attributes
    ----------
    page : str
        The whole HTML page. It needs no network.
    path : Path
        The file that `write` writes if it is told no other.

    Examples
    --------
    >>> Explorer("<p>A page</p>")._repr_html_()[:42]
    '<iframe srcdoc="&lt;p&gt;A page&lt;/p&gt;"'
    """

    page: str = field(repr=False)
    path: Path = Path(FILE)

    def write(self, path: str | Path | None = None) -> Path:
        """Write the page into a file, and return its path."""
        path = self.path if path is None else Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda temporary: temporary.write_text(self.page, encoding="utf-8"))
        return path

    def _repr_html_(self) -> str:
        """Return the page in a frame, or where its file is if it is too large for a notebook."""
        if len(self.page) <= MOST_IN_NOTEBOOK:
            page = html.escape(self.page, quote=True)
            return f'<iframe srcdoc="{page}" title="Explorer" style="width: 100%; height: 860px; border: 0"></iframe>'
        path = html.escape(str(self.path.absolute()))
        how = f"Open <code>{path}</code> in a browser."
        if not self.path.exists():
            how = f"Its method <code>write</code> writes <code>{path}</code>, to be opened in a browser."
        return f"<p>The explorer has {len(self.page) / 1e6:.0f} MB, too much for a notebook. {how}</p>"


def explore(
    folder: str | Path, store: str | Path, thumbnails: str = "auto", data: str = "", progress: bool = True
) -> Explorer:
    """Return the explorer of a results folder.

    Parameters
    ----------
    folder : str or Path
        A results folder with coordinates. What is computed for the explorer is stored there.
    store : str or Path
        The store with the vectors of the study; nothing is embedded.
    thumbnails : str
        ``all``, ``species``, ``none``, or ``auto``, see `thumbnails.thumbnails_of`.
    data : str
        The dataset, where its pictures lie elsewhere than when the study ran.
    progress : bool

    Returns
    -------
    Explorer
        The page is the same for any number of threads.

    Raises
    ------
    ProbeError
        If the folder holds no coordinates, or the store not what they were computed from.

    Notes
    -----
    The first explorer of a study costs 8 s of CPU time on the built-in world (1,200 pictures, 3 models). On 100,000
    pictures with vectors of 512 numbers it costs about 220 s a model, in 1.3 GB: 140 s for exact neighbours, 45 s for
    t-SNE, 36 s for UMAP. Models and methods are computed side by side on all processors. They are stored; later ones
    make thumbnails only.

    Examples
    --------
    >>> explore("no/such/folder", "no/such/store")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder holds no results (no runs.json); run `bioclip-probe measure --out ...
    """
    contents, open_picture = _contents_and_opener(folder, store, data, progress)
    return _with_thumbnails(contents, open_picture, thumbnails, progress, Path(folder) / FILE)


def write_explorer(
    folder: str | Path, store: str | Path, thumbnails: str = "auto", data: str = "", progress: bool = True
) -> Path:
    """Write the explorer of a results folder into it, and the strays that its report shows.

    Parameters
    ----------
    folder, store, thumbnails, data, progress
        As for `explore`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ProbeError
        As for `explore`.

    Examples
    --------
    >>> write_explorer("no/such/folder", "no/such/store")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder holds no results (no runs.json); run `bioclip-probe measure --out ...
    """
    contents, open_picture = _contents_and_opener(folder, store, data, progress)
    write_strays(contents, open_picture, Path(folder))
    return _with_thumbnails(contents, open_picture, thumbnails, progress, Path(folder) / FILE).write()


def _contents_and_opener(
    folder: str | Path, store: str | Path, data: str, progress: bool
) -> tuple[Contents, OpenPicture]:
    """Return what the explorer of a results folder shows, and the function that opens its pictures."""
    results = study_results.read(folder)
    results.table("coordinates")  # before the long work
    dataset = dataset_of(results, open_store(store), data)
    return contents_of(results, stored_sample(results, store, dataset), progress), dataset.open


def _with_thumbnails(
    contents: Contents, open_picture: OpenPicture, choice: str, progress: bool, path: Path
) -> Explorer:
    """Return the page that shows contents and thumbnails of their pictures."""
    sources, node = contents.images["source"].tolist(), contents.placement.node
    page = page_of(contents, thumbnails_of(open_picture, sources, node, choice, progress))
    return replace(page, path=path)


def page_of(contents: Contents, thumbnails: Thumbnails) -> Explorer:
    """Return the page that shows contents and thumbnails.

    Parameters
    ----------
    contents : Contents
    thumbnails : Thumbnails

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> contents = Contents("corvids", "", False, sample.images, sample.placement, (), ())
    >>> "<title>Explorer: corvids</title>" in page_of(contents, Thumbnails.none(3)).page
    True
    """
    packer = packed(contents)
    packer.add("thumbnail", thumbnails.slot.astype(np.int32))
    study = {
        "title": contents.title,
        "run": contents.run,
        "simulated": contents.simulated,
        "ranks": RANKS,
        "plurals": PLURALS,
        "methods": [{"name": name, "label": _METHODS.get(name, name)} for name in contents.methods],
        "models": [{"name": own.name, "label": own.label, "color": own.color} for own in contents.models],
        "thumbnails": {"kind": thumbnails.kind, "size": SIZE, "perAtlas": PER_ATLAS},
        "arrays": packer.directory,
    }
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("bioclip_probe.report.explorer", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = pages.get_template("explorer.html").render(
        contents=contents,
        styles=Markup(_source("explorer.css")),
        script=Markup("\n".join(_source(f"{name}.js") for name in SCRIPTS)),
        study=Markup(as_json(study)),
        data=packer.as_text(),
        atlases=thumbnails.atlases,
        n_images=len(contents.images),
        n_species=len(np.unique(contents.placement.at("species")[contents.placement.at("species") >= 0])),
    )
    return Explorer(page)


def _source(name: str) -> str:
    """Return the text of a file of the page."""
    return resources.files("bioclip_probe.report.explorer").joinpath("page", name).read_text(encoding="utf-8")
