"""Zero-shot answers: their plain definition, SciPy and open_clip as witnesses, claims, and what is refused."""

from __future__ import annotations

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from bioclip_probe import encoders, world
from bioclip_probe.encoders import WORLD
from bioclip_probe.errors import DataError
from bioclip_probe.probes.learning import Chunks
from bioclip_probe.probes.zero_shot import zero_shot, zero_shot_summed
from tests.definitions import zero_shot as definition


def case(seed=0, n=30, n_species=12, d=8):
    """Return vectors near the names of their species, with labels and ancestors at order, genus and species."""
    rng = np.random.default_rng(seed)
    species = np.arange(n_species)
    ancestors = np.stack([100 + species % 2, 50 + species // 3, species])
    names = rng.standard_normal((n_species, d)).astype(np.float32)
    own = rng.integers(0, n_species, n)
    vectors = (names[own] + rng.standard_normal((n, d))).astype(np.float32)
    return vectors, ancestors[:, own], (species, names), ancestors


def own_names(ancestors, seed=1, d=8):
    rng = np.random.default_rng(seed)
    return [(taxa, rng.standard_normal((len(taxa), d)).astype(np.float32)) for taxa in map(np.unique, ancestors)]


def check_answers(found, vectors, labels, names, ancestors, scale):
    for image, vector in enumerate(vectors):
        best = definition.answer(vector.tolist(), names.tolist(), ancestors.tolist(), scale)
        taxa = [taxon for _, taxon in best]
        assert found.predicted[image] == taxa[0]
        assert found.place[image] == (taxa.index(labels[image]) + 1 if labels[image] in taxa else 0)
        assert found.confidence[image] == pytest.approx(best[0][0], rel=1e-4)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.sampled_from([1.0, 10.0, 40.0]))
def test_equals_its_definition(seed, n_species, scale):
    vectors, labels, (species, names), ancestors = case(seed, 10, n_species)
    for found, own, above in zip(
        zero_shot_summed(vectors, labels, (species, names), ancestors, scale), labels, ancestors, strict=True
    ):
        if found.note:
            assert found.note == "only one taxon to choose from" and len(set(above)) == 1
        else:
            check_answers(found, vectors, own, names, above, scale)
    text = own_names(ancestors[1:], seed)
    text[0] = (np.append(text[0][0], 99), np.append(text[0][1], text[0][1][:1], axis=0))  # two taxa with one name
    (_, found) = both = zero_shot(vectors, labels[1:], text, scale)
    check_answers(found, vectors, labels[2], text[1][1], text[1][0], scale)
    check_answers(both[0], vectors, labels[1], text[0][1], text[0][0], scale)


def test_equals_scipy_s_softmax():
    vectors, labels, (species, names), ancestors = case()
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (vectors, names)]
    mass = softmax(30 * unit[0].astype(np.float64) @ unit[1].T, axis=1)
    for found, above in zip(
        zero_shot_summed(vectors, labels, (species, names), ancestors, 30.0), ancestors, strict=True
    ):
        taxa = np.unique(above)
        summed = np.stack([mass[:, above == taxon].sum(axis=1) for taxon in taxa], axis=1)
        np.testing.assert_array_equal(found.predicted, taxa[summed.argmax(axis=1)])
        np.testing.assert_allclose(found.confidence, summed.max(axis=1), rtol=1e-5)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_inputs_stay_and_lengths_and_numbers_of_taxa_change_nothing(seed, n_species):
    vectors, labels, (species, names), ancestors = case(seed, 12, n_species)
    rng = np.random.default_rng(seed)
    before = [array.copy() for array in (vectors, labels, names, ancestors)]
    (at_species,) = zero_shot(vectors, labels[2:], [(species, names)], 20.0)
    summed = zero_shot_summed(vectors, labels, (species, names), ancestors, 20.0)
    for array, copy in zip((vectors, labels, names, ancestors), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    # At the rank of species there is nothing to sum, and the two functions agree.
    np.testing.assert_array_equal(summed[2].predicted, at_species.predicted)
    np.testing.assert_array_equal(summed[2].confidence, at_species.confidence)
    for found, own in zip(summed, labels, strict=True):
        named = found.predicted >= 0
        assert ((found.place == 1) == (found.predicted == own))[named].all()
        assert ((found.confidence[named] > 0) & (found.confidence[named] <= 1 + 1e-12)).all()
    # A taxon has at least the probability of its most probable species.
    for found in summed[:2]:
        if not found.note:
            assert (found.confidence >= at_species.confidence - 1e-12).all()
    # Lengths change nothing.
    longer = names * rng.uniform(0.5, 2, (n_species, 1)).astype(np.float32)
    other = zero_shot_summed(3 * vectors, labels, (species, longer), ancestors, 20.0)
    # Other numbers for the same species change nothing.
    order = rng.permutation(n_species)
    renamed = zero_shot_summed(vectors, labels, (species, names[order]), ancestors[:, order], 20.0)
    for one, same, relabelled in zip(summed, other, renamed, strict=True):
        np.testing.assert_array_equal(one.predicted, same.predicted)
        np.testing.assert_allclose(one.confidence, same.confidence, rtol=1e-4)
        np.testing.assert_array_equal(one.predicted, relabelled.predicted)
        np.testing.assert_array_equal(one.place, relabelled.place)
        np.testing.assert_allclose(one.confidence, relabelled.confidence, rtol=1e-12)


def test_probabilities_of_two_taxa_sum_to_one():
    vectors, labels, (species, names), ancestors = case()
    mass = np.array([definition.masses(vector, names.tolist(), 5.0) for vector in vectors.tolist()])
    (found,) = zero_shot_summed(vectors, labels[:1], (species, names), ancestors[:1], 5.0)
    of_first = mass[:, ancestors[0] == 100].sum(axis=1)
    np.testing.assert_allclose(found.confidence, np.maximum(of_first, 1 - of_first), rtol=1e-5)


def test_the_probability_of_a_species_without_a_taxon_goes_to_no_taxon():
    vectors, labels, (species, names), ancestors = case()
    holes = np.where(species < 4, -1, ancestors[0])[None]
    (found,) = zero_shot_summed(vectors, labels[:1], (species, names), holes, 5.0)
    mass = np.array([definition.masses(vector, names.tolist(), 5.0) for vector in vectors.tolist()])
    best = np.stack([mass[:, holes[0] == taxon].sum(axis=1) for taxon in (100, 101)]).max(axis=0)
    np.testing.assert_allclose(found.confidence, best, rtol=1e-5)


def test_a_sharper_scale_changes_confidence_only():
    vectors, labels, (species, names), _ = case()
    mild, sharp = (zero_shot(vectors, labels[2:], [(species, names)], scale)[0] for scale in (5.0, 50.0))
    np.testing.assert_array_equal(mild.predicted, sharp.predicted)
    np.testing.assert_array_equal(mild.place, sharp.place)
    assert (sharp.confidence > mild.confidence).all()


def test_perfect_names_are_always_right_and_random_ones_by_chance():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(20), 100)
    names = rng.standard_normal((20, 64)).astype(np.float32)
    (right,) = zero_shot(names[labels], labels[None], [(np.arange(20), names)], 100.0)
    assert (right.place == 1).all()
    vectors = rng.standard_normal((2000, 64)).astype(np.float32)
    (chance,) = zero_shot(vectors, labels[None], [(np.arange(20), names)], 100.0)
    assert np.mean(chance.place == 1) == pytest.approx(0.05, abs=0.02)
    assert np.bincount(chance.place, minlength=21)[1:].std() < 30  # each place is as likely


def test_size_of_chunks_changes_nothing():
    vectors, labels, (species, names), ancestors = case(n=50)
    in_one = zero_shot_summed(vectors, labels, (species, names), ancestors, 20.0)
    chunks = Chunks(cells=7 * len(species))
    in_chunks = zero_shot_summed(vectors, labels, (species, names), ancestors, 20.0, chunks)
    for found, one in zip(in_chunks, in_one, strict=True):
        np.testing.assert_array_equal(found.predicted, one.predicted)
        np.testing.assert_array_equal(found.place, one.place)
        np.testing.assert_allclose(found.confidence, one.confidence, rtol=1e-5)


def test_of_taxa_with_equal_names_the_lowest_number_is_named():
    """Their positions among other names and the blocks of the product change nothing."""
    rng = np.random.default_rng(0)
    names = rng.standard_normal((203, 33)).astype(np.float32)
    names[[40, 150, 202]] = names[3]
    vectors = (names[3] + 0.01 * rng.standard_normal((64, 33))).astype(np.float32)
    (found,) = zero_shot(vectors, np.full((1, 64), 202), [(np.arange(203), names)], 10.0)
    assert (found.predicted == 3).all() and (found.place == 4).all()


def test_images_without_a_name_and_names_without_an_image():
    vectors, labels, (species, names), ancestors = case()
    labels[0, :4] = -1
    labels[2, 5:8] = 77
    found = zero_shot_summed(vectors, labels, (species, names), ancestors, 20.0)
    assert (found[0].split[:4] == "").all() and (found[0].split[4:] == "test").all()
    assert (found[0].predicted[:4] == -1).all() and np.isnan(found[0].confidence[:4]).all()
    assert (found[0].place[:4] == 0).all() and (found[1].predicted >= 0).all()
    assert (found[2].place[5:8] == 0).all() and (found[2].predicted[5:8] >= 0).all()
    assert found[2].note == "1 taxa have images and no name: 77"
    assert found[0].settings == {"names": 12, "logit_scale": 20.0}


def test_a_rank_without_candidates_states_the_reason_and_the_others_are_named():
    vectors, labels, (species, names), ancestors = case()
    ancestors[0] = -1
    ancestors[1] = 50
    order, genus, at_species = zero_shot_summed(vectors, labels, (species, names), ancestors, 20.0)
    assert (order.note, genus.note) == ("no taxon to choose from", "only one taxon to choose from")
    assert (order.predicted == -1).all() and (order.split == "test").all()
    assert not at_species.note
    none = np.full((1, len(vectors)), -1)
    (nobody,) = zero_shot(vectors, none, [(species, names)], 20.0)
    assert nobody.note == "no image with a name"
    (empty,) = zero_shot(vectors, labels[:1], [(species[:0], names[:0])], 20.0)
    assert empty.note == "no taxon to choose from"


def test_vectors_of_length_zero_are_named_too():
    vectors, labels, (species, names), _ = case()
    vectors[0] = 0
    names[5] = 0
    (found,) = zero_shot(vectors, labels[2:], [(species, names)], 20.0)
    assert found.predicted[0] == 0 and found.confidence[0] == pytest.approx(1 / 12)


def test_errors_name_what_is_wrong():
    vectors, labels, (species, names), ancestors = case()
    bad, broken = vectors.copy(), names.copy()
    bad[3, 1], broken[4, 0] = np.nan, np.inf
    with pytest.raises(DataError, match="embeddings must be finite; not finite: row 3"):
        zero_shot(bad, labels[2:], [(species, names)], 20.0)
    with pytest.raises(DataError, match="embeddings of names must be finite; not finite: taxon 4"):
        zero_shot(vectors, labels[2:], [(species, broken)], 20.0)
    with pytest.raises(ValueError, match="in ascending order, each once"):
        zero_shot(vectors, labels[2:], [(species[::-1], names)], 20.0)
    with pytest.raises(ValueError, match="expected names of shape"):
        zero_shot(vectors, labels[2:], [(species, names[:, :3])], 20.0)
    with pytest.raises(ValueError, match="expected names for 3 ranks, got them for 1"):
        zero_shot(vectors, labels, [(species, names)], 20.0)
    with pytest.raises(ValueError, match="expected ancestors of shape"):
        zero_shot_summed(vectors, labels, (species, names), ancestors[:2], 20.0)
    for scale in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="expected a positive logit scale"):
            zero_shot(vectors, labels[2:], [(species, names)], scale)


@pytest.mark.slow
def test_the_world_equals_open_clip_by_hand():
    """open_clip alone classifies the same pictures, as in its own examples."""
    folder = WORLD / "world-taxonomic"
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))
    encoder = encoders.load("world-taxonomic")
    taxa = world.taxa()
    rows = np.arange(0, len(taxa), 6)
    texts = [f"a photo of {name}." for name in taxa["species"]]
    pictures = [encoder.preprocess(world.render(int(row), 0)) for row in rows]
    with torch.no_grad():
        image, text, scale = model(torch.stack(pictures), tokens(texts))
        mass = (scale * image @ text.T).softmax(dim=-1).numpy()
    family, at_species = taxa["family"].factorize()[0], np.arange(len(taxa))
    args = encoder.encode(pictures), np.stack([family[rows], rows])
    vectors = encoder.encode_text(texts)
    summed = zero_shot_summed(*args, (at_species, vectors), np.stack([family, at_species]), encoder.logit_scale)
    by_family = np.stack([mass[:, family == one].sum(axis=1) for one in range(family.max() + 1)], axis=1)
    for found, hand in zip(summed, (by_family, mass), strict=True):
        np.testing.assert_array_equal(found.predicted, hand.argmax(axis=1))
        np.testing.assert_allclose(found.confidence, hand.max(axis=1), rtol=1e-3)
    assert np.mean(summed[0].place == 1) > 3 / (family.max() + 1)
