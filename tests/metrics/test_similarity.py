import math
import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import similarity as module
from bioclip_probe.metrics.embedding_pairs import EmbeddingPair
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.similarity import BOUNDS
from bioclip_probe.stats.all_pairs.distance_sums import centred_points, distance_sums
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import jackknife_groups
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement
from tests.definitions import hierarchy as pairs
from tests.definitions import similarity as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, unit_vectors, vectors_on_trees
from tests.support.taxa import DEFAULT, jackknife_of, rng, star_phylogeny

pytestmark = pytest.mark.slow

DEFINITIONS = {"cka": definitions.cka, "rsa": definitions.rsa}


FEW_DRAWS = MeasureSettings(n_model_permutations=19)


def similarity(a, b, placement, rng, settings=FEW_DRAWS):
    taxa, other = Rows.taxa(a, placement), Rows.taxa(b, placement)
    return module.estimate_similarity(taxa, other, jackknife_of(taxa, settings.n_groups), rng, settings)


def star(n: int) -> Placement:
    """An image of each of n species."""
    tree = star_phylogeny(n)
    return Placement(tree, tree.tips)


@st.composite
def some_species(draw) -> tuple[np.ndarray, Placement]:
    """Four to seven species with one image or more, and images of none."""
    n = draw(st.integers(4, 7))
    more = draw(st.lists(st.integers(-1, n - 1), max_size=5))
    placement = star(n)
    node = np.r_[placement.node, [placement.node[species] if species >= 0 else -1 for species in more]].astype(int)
    return draw(unit_vectors(len(node))), Placement(placement.tree, node)


def two_encoders(n_species=40, noise=1.0, widths=(16, 24), seed=0):
    """Two encoders that see one evolution, each through its own projection and with its own noise."""
    placement = random_taxonomy(n_species, 3 * n_species, rng(seed))
    seen = signal_vectors(placement, 12, 1.0, 0.2, rng(seed + 1)).astype(float)
    draw = rng(seed + 2)
    views = []
    for width in widths:
        view = seen @ draw.standard_normal((12, width)) / np.sqrt(12)
        views.append(unit_rows(view + noise * draw.standard_normal(view.shape)))
    return *views, placement


def rotation(d: int) -> np.ndarray:
    return np.linalg.qr(rng(7).standard_normal((d, d)))[0]


def assert_same(one, other, tolerance=1e-9):
    assert one.keys() == other.keys()
    for name in one:
        for a, b in zip(astuple(one[name]), astuple(other[name]), strict=True):
            assert a == b if isinstance(a, str) else a == pytest.approx(b, abs=tolerance, nan_ok=True)


# What the numbers are.


@settings(max_examples=60)
@given(st.one_of(vectors_on_trees(max_images=9), some_species(), some_species()), st.data())
def test_cka_and_rsa_are_their_definition(made, data):
    vectors, placement = made
    other = data.draw(unit_vectors(len(placement)))
    found = similarity(vectors, other, placement, rng())
    taxa = pairs.images_of_taxa(placement)
    try:
        a, b = (list(pairs.directions(each, placement).values()) for each in (vectors, other))
    except ZeroDivisionError:  # a centroid without direction
        a = b = []
    for name, definition in DEFINITIONS.items():
        expected = definition(a, b) if len(a) >= 4 else math.nan
        assert found[name].value == pytest.approx(expected, abs=1e-7, nan_ok=True)
        assert found[name].note.startswith("no interval") or (found[name].note == "") == math.isfinite(expected)
        assert (found[name].n_taxa, found[name].n_images) == (len(taxa), sum(map(len, taxa.values())))
        assert found[name].n_images + found[name].n_excluded == len(placement)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(5, 14), st.integers(2, 5))
def test_mutual_knn_is_its_definition(seed, n, d):
    a, b = (unit_rows(rng(seed).standard_normal((n, width))) for width in (d, 3))
    settings = MeasureSettings(n_model_permutations=19, n_mutual_neighbors=2)  # so that five species are enough
    found = similarity(a, b, star(n), rng(), settings)["mutual_knn"]
    assert found.value == pytest.approx(definitions.mutual_knn(a, b, 2))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(7, 12))
def test_permuted_and_thinned_scores_are_those_of_the_species_that_are_left(seed, n):
    draw = rng(seed)
    a, b = unit_rows(draw.standard_normal((n, 6))), unit_rows(draw.standard_normal((n, 3)))
    orders, group = np.array([draw.permutation(n) for _ in range(2)]), jackknife_groups(n, draw, 4)
    found = module.scores_by_distance(centred_points(a), centred_points(b), orders, group)
    found["mutual_knn"] = module.scores_by_neighbors(a, b, orders, group, k=2)
    for name, definition in (*DEFINITIONS.items(), ("mutual_knn", lambda u, v: definitions.mutual_knn(u, v, 2))):
        assert found[name].null == pytest.approx([definition(a, b[order]) for order in orders], abs=1e-7)
        kept = [group != left_out for left_out in range(4)]
        assert found[name].deleted == pytest.approx([definition(a[k], b[k]) for k in kept], abs=1e-7, nan_ok=True)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(-3, 3))
def test_the_threshold_is_its_definition(null, score):
    scores = module.Scores(float(score), np.array(null, dtype=float), np.empty(0))
    assert scores.threshold == definitions.threshold(score, null, module.ALPHA)


def test_calibrated_scores_are_what_lies_beyond_the_threshold():
    settings = MeasureSettings(n_model_permutations=39)
    for noise in (0.5, 20.0):
        found = similarity(*two_encoders(noise=noise), rng(), settings)
        for name in BOUNDS:
            raw, calibrated = found[name], found[f"{name}_calibrated"]
            threshold = float(calibrated.note.split()[1].rstrip(","))
            for field in ("value", "ci_low", "ci_high"):
                expected = max(0, (getattr(raw, field) - threshold) / (1 - threshold))
                assert getattr(calibrated, field) == pytest.approx(expected, abs=1e-3)
            assert (calibrated.value > 0) == (raw.p_value <= 0.05)
            assert calibrated.chance == 0 and calibrated.p_value == raw.p_value


def test_scipy_scikit_bio_and_scikit_learn_agree():
    from scipy.spatial.distance import pdist, squareform
    from scipy.stats import pearsonr
    from skbio.stats.distance import DistanceMatrix, mantel
    from sklearn.neighbors import NearestNeighbors

    a, b, placement = two_encoders()
    found = similarity(a, b, placement, rng())
    a, b = centroids(a, placement).directions, centroids(b, placement).directions
    distances = pdist(a, "cosine"), pdist(b, "cosine")
    assert found["rsa"].value == pytest.approx(pearsonr(*distances).statistic)
    matrices = [DistanceMatrix(squareform(each)) for each in distances]
    assert found["rsa"].value == pytest.approx(mantel(*matrices, permutations=0)[0])
    near = [NearestNeighbors(n_neighbors=10).fit(each).kneighbors(return_distance=False) for each in (a, b)]
    common = np.mean([len(np.intersect1d(*both)) for both in zip(*near, strict=True)]) / 10
    assert found["mutual_knn"].value == pytest.approx(common)


# What they claim.


@pytest.mark.parametrize("turn", [False, True])
def test_an_encoder_with_itself_or_a_rotation_of_it(turn):
    vectors, _, placement = two_encoders()
    other = vectors @ rotation(16) if turn else vectors
    for name, estimate in similarity(vectors, other, placement, rng(), DEFAULT).items():
        ends = (estimate.value, estimate.ci_low, estimate.ci_high)
        # A share of 1 has the exact interval of 40 species.
        low = 0.85 if name.startswith("mutual_knn") else 1 - 1e-6
        assert ends == pytest.approx((1, max(low, estimate.ci_low), 1)), name
        assert estimate.p_value == 1 / (DEFAULT.n_model_permutations + 1)


def test_order_of_encoders_order_of_rows_and_rotation_are_irrelevant():
    a, b, placement = two_encoders()
    order = rng(3).permutation(len(a))
    found = similarity(a, b, placement, rng())
    assert_same(found, similarity(b, a, placement, rng()))
    assert_same(found, similarity(a[order], b[order], placement.take(order), rng()))
    assert_same(found, similarity(a @ rotation(16), b @ rotation(24), placement, rng()))


def test_names_of_species_are_irrelevant_to_the_raw_scores():
    a, b = unit_rows(rng(1).standard_normal((30, 6))), unit_rows(rng(2).standard_normal((30, 9)))
    found = similarity(a, b, star(30), rng())
    renamed = similarity(a, b, star(30).take(rng(3).permutation(30)), rng())
    for name in BOUNDS:
        assert renamed[name].value == pytest.approx(found[name].value, abs=1e-12)


def test_scores_lie_in_their_bounds_and_intervals_round_them():
    for noise in (0.1, 3.0, 30.0):
        for name, estimate in similarity(*two_encoders(noise=noise), rng()).items():
            low, high = BOUNDS.get(name, (0.0, 1.0))
            assert low <= estimate.ci_low <= estimate.value <= estimate.ci_high <= high
            assert estimate.resampled == "species" and "jackknife" in estimate.ci_method


def test_more_noise_is_less_similarity():
    found = [similarity(*two_encoders(60, noise), rng()) for noise in (0.05, 0.3, 1.0, 4.0)]
    for name in found[0]:
        values = [each[name].value for each in found]
        assert values == sorted(values, reverse=True) and values[0] > 0.4 > 0.25 > values[-1]


def test_independent_embeddings_have_no_cka_at_any_width_whereas_the_biased_one_drifts():
    draw, debiased, biased = rng(1), [], []
    for width in (8, 64, 512):
        each = []
        for _ in range(20):
            a, b = unit_rows(draw.standard_normal((30, width))), unit_rows(draw.standard_normal((30, width)))
            sides = centred_points(a), centred_points(b)
            sums = [distance_sums(*pair) for pair in (sides, sides[:1] * 2, sides[1:] * 2)]
            each.append((module.debiased_alignment(*sums), definitions.biased_cka(a, b)))
        debiased.append(np.mean(each, axis=0)[0])
        biased.append(np.mean(each, axis=0)[1])
    assert np.abs(debiased).max() < 0.03
    assert biased[0] < 0.3 and biased[1] > biased[0] + 0.3 and biased[2] > 0.9


def test_independent_embeddings_give_a_uniform_p_and_a_calibrated_score_of_none():
    from scipy.stats import kstest

    draw, p, beyond, chance = rng(2), [], [], []
    for _ in range(150):
        a, b = unit_rows(draw.standard_normal((24, 8))), unit_rows(draw.standard_normal((24, 5)))
        found = similarity(a, b, star(24), draw)
        p.append([found[name].p_value for name in BOUNDS])
        beyond.append([found[f"{name}_calibrated"].value > 0 for name in BOUNDS])
        chance.append([found[name].value - found[name].chance for name in BOUNDS])
    # p takes the values 1/20 … 20/20: spread within its step, it is uniform on [0, 1].
    for column in range(2):
        assert kstest(np.array(p)[:, column] - draw.random(150) / 20, "uniform").pvalue > 0.001
    # Mutual k-NN takes few values; those that tie make its p larger.
    assert np.mean(np.array(p) <= 0.05, axis=0).max() <= 0.11
    assert np.mean(beyond, axis=0) == pytest.approx(np.mean(np.array(p) <= 0.05, axis=0))
    assert np.abs(np.mean(chance, axis=0)).max() < 4 * np.max(np.std(chance, axis=0)) / np.sqrt(150)


def test_the_interval_covers_what_more_species_would_give():
    settings = MeasureSettings(n_model_permutations=1)
    draw = rng(4)
    projections = [draw.standard_normal((6, width)) for width in (10, 20)]

    def sample(n):
        seen = draw.standard_normal((n, 6)) * (3, 2, 1, 1, 1, 1)
        a, b = (unit_rows(seen @ each + 2 * draw.standard_normal((n, each.shape[1]))) for each in projections)
        return similarity(a, b, star(n), draw, settings)

    truth, covered = sample(2500), {"cka": 0, "rsa": 0}
    for _ in range(100):
        found = sample(60)
        for name in covered:
            covered[name] += found[name].ci_low <= truth[name].value <= found[name].ci_high
    assert all(88 <= times <= 100 for times in covered.values())


def test_vectors_that_nearly_coincide_keep_their_similarity():
    """Networks before centring can have all cosines at 0.999."""
    a, b, placement = two_encoders(noise=0.3)
    found = similarity(a, b, placement, rng())
    close = [unit_rows(np.pad(each, ((0, 0), (1, 0)), constant_values=30.0)) for each in (a, b)]
    assert np.min(close[0] @ close[0].T) > 0.995
    for name, estimate in similarity(*close, placement, rng()).items():
        assert estimate.value == pytest.approx(found[name].value, abs=0.15)


def test_no_matrix_of_pairs_is_held():
    n = 2500
    a, b = unit_rows(rng(1).standard_normal((n, 8))), unit_rows(rng(2).standard_normal((n, 8)))
    tracemalloc.start()
    similarity(a, b, star(n), rng(), MeasureSettings(n_model_permutations=2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * n * 8 / 2


def test_inputs_stay_and_results_repeat():
    a, b, placement = two_encoders()
    copies = a.copy(), b.copy()
    a.flags.writeable = b.flags.writeable = False
    assert_same(similarity(a, b, placement, rng()), similarity(a, b, placement, rng()), 0)
    assert np.array_equal(a, copies[0]) and np.array_equal(b, copies[1])


def test_groups_and_their_rank_are_those_of_the_jackknife():
    a, b, placement = two_encoders()
    families = Jackknife.of("family", placement.at("family"), rng())
    taxa, other = Rows.taxa(a, placement), Rows.taxa(b, placement)
    found = module.estimate_similarity(taxa, other, families, rng(), FEW_DRAWS)["rsa"]
    assert (found.resampled, found.n_units) == ("family", families.n_units)
    group = families.of_tips(taxa)
    expected = [
        similarity(a[kept], b[kept], placement.take(kept), rng())["rsa"].value
        for kept in (group[taxa.groups] != number for number in range(families.n_groups))
    ]
    assert found.replicates == pytest.approx(expected)
    both = (
        SharedResults(each, placement, MeasureSettings(resample="family", n_model_permutations=1)) for each in (a, b)
    )
    rows = module.encoder_similarity(EmbeddingPair(*both), placement)
    assert {row.estimate.resampled for row in rows} == {"family"}


# Where they do not exist.


def assert_undefined(found, names, note):
    for name in names:
        for estimate in (found[name], found[f"{name}_calibrated"]):
            assert math.isnan(estimate.value) and math.isnan(estimate.p_value) and note in estimate.note


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_species(n):
    found = similarity(np.eye(4)[:n], np.eye(4)[:n], star(4).take(np.arange(n)), rng())
    assert_undefined(found, BOUNDS, f"needs at least 4 taxa, found {n}")
    assert found["cka"].n_taxa == n


def test_mutual_knn_needs_more_species_than_the_others():
    for n, defined in ((20, False), (21, True)):
        a, b = rng(1).standard_normal((2, n, 5))
        found = similarity(unit_rows(a), unit_rows(b), star(n), rng())
        assert math.isfinite(found["cka"].value) and math.isfinite(found["mutual_knn"].value) == defined
    assert_undefined(
        similarity(unit_rows(a[:20]), unit_rows(b[:20]), star(20), rng()), ["mutual_knn"], "at least 21 taxa"
    )


@pytest.mark.parametrize("flat", [np.full((30, 5), 5**-0.5), np.eye(30)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_encoder_whose_distances_do_not_vary(flat, dtype):
    vectors = unit_rows(rng().standard_normal((30, 7)))
    for pair in ((flat.astype(dtype), vectors), (vectors, flat.astype(dtype)), (flat, flat)):
        assert_undefined(similarity(*pair, star(30), rng()), BOUNDS, "distances of one encoder do not vary")


def test_a_permutation_that_changes_nothing_leaves_no_calibrated_score():
    """Four species at the corners of a square: every third permutation gives the distances again."""
    square = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=float)
    found = similarity(square, square, star(4), rng(), DEFAULT)
    assert found["rsa"].value == pytest.approx(1) and abs(found["rsa"].p_value - 1 / 3) < 0.15
    assert found["rsa_calibrated"].note == "chance alone is perfect"


def test_images_without_a_species_are_left_out_and_counted():
    a, b, placement = two_encoders()
    node = placement.node.copy()
    node[::5] = -1
    kept = node >= 0
    found = similarity(a, b, Placement(placement.tree, node), rng())
    alone = similarity(a[kept], b[kept], placement.take(kept), rng())
    assert found["cka"].value == pytest.approx(alone["cka"].value)
    assert (found["cka"].n_images, found["cka"].n_excluded) == (kept.sum(), (~kept).sum())


def test_a_centroid_that_cancels_out():
    a, b, placement = two_encoders()
    first = np.flatnonzero(placement.node == placement.node[0])
    again = np.r_[np.arange(len(a)), first]  # the images of a species twice, once turned round
    turned = np.r_[a, -a[first]]
    for pair in ((turned, b[again]), (b[again], turned)):
        assert_undefined(similarity(*pair, placement.take(again), rng()), BOUNDS, "the images of 1 taxa cancel out")


def test_vectors_that_are_not_finite_are_refused_and_named():
    a, b, placement = two_encoders()
    for value in (np.nan, np.inf):
        broken = b.copy()
        broken[[4, 6], 1] = value
        with pytest.raises(DataError, match="4, 6"):
            similarity(a, broken, placement, rng())
    with pytest.raises(DataError, match="one row per image"):
        module.encoder_similarity((a, b[:-1]), placement)
