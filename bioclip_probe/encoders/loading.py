"""From a name to an encoder: names and ids, loading here, and encoders that run in other processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from difflib import get_close_matches

from bioclip_probe.encoders import (
    altered,
    controls,
    custom,
    layers,
    modules,
    open_clip,
    timm,
    torchvision,
    transformers,
)
from bioclip_probe.encoders.ids import absolute_id, is_control_id, model_folder, public_id, split_wrapper
from bioclip_probe.encoders.recipe import Encoder, Recipe, load_record
from bioclip_probe.encoders.registry import FORMS, REGISTRY, SCHEMES, WRAPPERS
from bioclip_probe.encoders.remote import RemoteEncoder
from bioclip_probe.encoders.wrappers import Around
from bioclip_probe.errors import ModelError, some

_WITHOUT_SCHEME = ("hf-hub", "timm", "local-dir", "module")  # encoders of these schemes are shown without it


def known() -> list[str]:
    """Return the names of the registry.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "bioclip" in known()
    True
    """
    return list(REGISTRY)


def resolve(name: str) -> tuple[str | None, str]:
    """Return the name under which an encoder is shown, and its id.

    Parameters
    ----------
    name : str
        A name of the registry, or any of its forms.

    Returns
    -------
    shown : str or None
        None where the model itself chooses its name.
    id : str
        ``SCHEME:...`` or ``ARCHITECTURE/TAG``.

    Raises
    ------
    ModelError
        If the name is neither in the registry nor in one of its forms; the message suggests the nearest names.

    Examples
    --------
    >>> resolve("reference=bioclip")
    ('reference', 'hf-hub:imageomics/bioclip')
    >>> resolve("timm:resnet50.a1_in1k")
    ('resnet50.a1_in1k', 'timm:resnet50.a1_in1k')
    """
    alias, equals, rest = name.partition("=")
    if equals and re.fullmatch(r"[\w.+-]+", alias):
        return alias, resolve(rest)[1]
    if name in REGISTRY:
        return name, REGISTRY[name].id
    scheme, colon, rest = name.partition(":")
    wrapper, inner = split_wrapper(name)
    if wrapper:
        return public_id(name), f"{wrapper}:{resolve(inner)[1]}"
    if colon and rest and scheme in WRAPPERS:
        return public_id(name), f"{scheme}:{_wrapped_id(rest)}"
    if colon and rest and scheme in SCHEMES:
        if scheme == "custom":
            return None, name
        shown = public_id(name)
        return shown.removeprefix(f"{scheme}:") if scheme in _WITHOUT_SCHEME else shown, name
    architecture, slash, tag = name.partition("/")
    if not colon and slash and architecture and tag:
        return public_id(name), name
    near = get_close_matches(name.lower(), known(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {some(known(), 30)};"
    raise ModelError(f"unknown model '{name}'; {hint} any other is named by one of {', '.join(list(FORMS)[:-1])}")


def _wrapped_id(name: str) -> str:
    """Return the id of the name after a wrapper, which may begin with another wrapper."""
    scheme, _, rest = name.partition(":")
    if rest and scheme in WRAPPERS:
        return f"{scheme}:{_wrapped_id(rest)}"
    return REGISTRY[name].id if name in REGISTRY else name


def on_hub(name: str) -> bool:
    """Return whether an encoder comes from the hub, and so has revisions.

    Parameters
    ----------
    name : str
        A name of the registry, or any of its forms.

    Returns
    -------
    bool

    Examples
    --------
    >>> on_hub("bioclip"), on_hub("pixels")
    (True, False)
    """
    id = resolve(name)[1]
    while split_wrapper(id)[0]:
        id = split_wrapper(id)[1]
    return bool(re.match(r"((quickgelu|unprojected):)*(hf-hub:|timm:|transformers:|[^:]+/)", id))


def controls_for(models: Iterable[str]) -> list[str]:
    """Return the controls that a comparison of models needs: pixels, colours, and an untrained network like them.

    Parameters
    ----------
    models : iterable of str
        Names of encoders.

    Returns
    -------
    list of str
        Names of the registry, without the controls that are among the models.

    Examples
    --------
    >>> controls_for(["bioclip", "pixels"])
    ['color-histogram', 'untrained-vit-b-16']
    """
    ids = [resolve(model)[1] for model in models]
    networks = [id for id in ids if not is_control_id(id)]
    simulated = [id for id in networks if id.startswith("world:")]
    names = ["pixels", "color-histogram"]
    if simulated:
        names.append("world-untrained")
    if len(simulated) < len(networks):
        names.append("untrained-vit-b-16")
    return [name for name in names if resolve(name)[1] not in ids]


def load(name: str, device: str = "cpu", precision: str = "auto", revision: str | None = None) -> Encoder:
    """Return the encoder of a name, built once per process. It is pickled as its `Recipe`.

    Parameters
    ----------
    name : str
        A name of the registry, or any of its forms.
    device : str
        "cpu", "cuda", "cuda:N", or "auto" for a GPU where there is one.
    precision : str
        "fp32", "bf16", or "fp16" (GPU only): the precision of the network's weights and inputs; vectors are float32
        always. "auto" is the fastest that is worth it on this machine, see `precision.resolve_precision`; the record
        holds what was chosen. The controls `pixels` and `color-histogram` are no networks and ignore it.
    revision : str, optional
        Commit, tag or branch on the hub.

    Returns
    -------
    Encoder

    Raises
    ------
    ModelError
        If it is unknown, cannot be had, or would compute something other than what its name says.

    Examples
    --------
    >>> load("reference=pixels").name
    'reference'
    """
    recipe = _recipe(name, device, precision, revision)
    try:
        return recipe.load()
    except ModelError as error:
        raise ModelError(f"model {name}: {error}") from error


def load_remote(
    name: str, executor: Executor, device: str = "auto", precision: str = "auto", revision: str | None = None
) -> RemoteEncoder:
    """Return an encoder that the workers of an executor load, and this process does not.

    It is for a process that hands out work and has no GPU, or should not hold the weights. The worker decides what
    "auto" means. The other workers must agree: one whose encoder has another fingerprint raises an error.

    Parameters
    ----------
    name, device, precision, revision
        As for `load`.
    executor : Executor

    Returns
    -------
    RemoteEncoder

    Raises
    ------
    ModelError
        If a worker cannot load the encoder.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(1) as executor:
    ...     load_remote("pixels", executor).dimension
    768
    """
    recipe = _recipe(name, device, precision, revision)
    record = executor.submit(load_record, recipe).result()
    return RemoteEncoder(recipe.resolved(record), record)


def factory_of(id: str) -> Callable[[Recipe], Encoder]:
    """Return the function that builds the encoder of an id from its recipe.

    Parameters
    ----------
    id : str

    Returns
    -------
    callable

    Examples
    --------
    >>> factory_of("control:pixels") is controls.load
    True
    """
    wrapper, inner = split_wrapper(id)
    if wrapper:
        return Around(altered.load if wrapper in altered.ALTERATIONS else layers.load, factory_of(inner))
    factories: dict[str, Callable[[Recipe], Encoder]] = {
        "control": controls.load,
        "custom": custom.load,
        "module": modules.load,
        "timm": timm.load,
        "torchvision": torchvision.load,
        "transformers": transformers.load,
        "local-dir": load_folder,
    }
    return factories.get(id.partition(":")[0], open_clip.load)


def load_folder(recipe: Recipe) -> Encoder:
    """Build the encoder of a model folder, which is in timm's layout or in open_clip's.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``local-dir:PATH``.

    Returns
    -------
    Encoder

    Raises
    ------
    ModelError
        If the folder lacks a file, or its files do not fit.

    Examples
    --------
    >>> load_folder(Recipe(load_folder, "mine", "local-dir:no/such/folder"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: there is no model folder no/such/folder; expected a folder with ...
    """
    family = timm if timm.is_timm_folder(model_folder(recipe.id)) else open_clip
    return family.load(recipe)


def _recipe(name: str, device: str, precision: str, revision: str | None) -> Recipe:
    shown, id = resolve(name)
    if revision and not on_hub(name):
        raise ModelError(f"model {name}: it is not on the hub, so it has no revision '{revision}'")
    try:
        return Recipe(factory_of(id), shown, absolute_id(id), device, precision, revision)
    except ModelError as error:
        raise ModelError(f"model {name}: {error}") from error
