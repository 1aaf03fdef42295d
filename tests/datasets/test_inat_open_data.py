import gzip

import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import paint

TAXA = """taxon_id	ancestry	rank_level	rank	name	active
48460		100	stateofmatter	Life	true
1	48460	70	kingdom	Animalia	true
2	48460/1	60	phylum	Chordata	true
3	48460/1/2	50	class	Aves	true
7	48460/1/2/3	40	order	Passeriformes	true
8	48460/1/2/3/7	30	family	Corvidae	true
9	48460/1/2/3/7/8	20	genus	Pica	true
10	48460/1/2/3/7/8/9	10	species	Pica pica	true
11	48460/1/2/3/7/8/9/10	5	subspecies	Pica pica melanotos	true
12	48460/1/2/3/7/8	20	genus	Corvus	true
"""
PHOTOS = """photo_uuid	photo_id	observation_uuid	observer_id	extension	license	width	height	position
p1	9000	o1	5	jpg	CC-BY	500	400	0
p2	9001	o2	6	jpg	CC-BY	500	400	0
p3	9002	o3	6	jpeg	CC-BY	500	400	0
p4	9003	o1	5	jpg	CC-BY	500	400	1
p5	9004	o1	5	jpg	CC-BY	500	400	1
p5	9004	o3	5	jpg	CC-BY	500	400	1
p6	9999	o9	7	jpg	CC-BY	500	400	0
"""
OBSERVATIONS = """observation_uuid	observer_id	taxon_id	quality_grade	observed_on
o1	5	11	research	2020-01-01
o2	6	12	needs_id	2020-01-01
o3	6		casual	2020-01-01
o9	7	10	research	2020-01-01
"""
FILES = ("photos/9000/medium.jpg", "photos/9001/original.jpg", "9002.jpeg", "other/9003_large.jpg", "9004.jpg")


def build(root, files=FILES, packed=False, folder=""):
    (root / folder).mkdir(exist_ok=True)
    for name, text in (("taxa", TAXA), ("photos", PHOTOS), ("observations", OBSERVATIONS)):
        if packed:
            (root / folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (root / folder / f"{name}.csv").write_text(text)
    for file in files:
        paint(root / file)
    return root


@pytest.mark.parametrize(("packed", "folder"), [(False, ""), (True, ""), (True, "metadata")])
def test_photos_get_the_names_of_the_ancestors_of_their_taxon(tmp_path, packed, folder):
    dataset = datasets.load(f"inat-open-data:{build(tmp_path, packed=packed, folder=folder)}")
    images = dataset.images.set_index("image_id")
    assert sorted(images.index) == ["9000", "9001", "9002", "9003"]
    lineage = ["Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica pica"]
    assert images.loc["9000", list(RANKS)].tolist() == images.loc["9003", list(RANKS)].tolist() == lineage
    assert images.loc["9001", "genus"] == "Corvus"
    assert images.loc["9001", ["species"]].isna().all()
    assert images.loc["9002", list(RANKS)].isna().all()
    assert images.loc["9000", ["group", "source"]].tolist() == ["5", "photos/9000/medium.jpg"]
    assert set(dataset.notes) >= {
        "1 photos left out, their observations show different taxa: 9004",
        "1 photos have no taxon in the tables: 9002",
        "photos by the grade of their observation: 2 research, 1 needs_id, 1 casual",
    }


def test_the_largest_size_is_used_and_other_files_are_noted(tmp_path):
    build(tmp_path, ("photos/9000/small.jpg", "photos/9000/large.jpg", "77.jpg", "cover.jpg"))
    dataset = datasets.load(f"inat-open-data:{tmp_path}")
    assert dataset.images["source"].tolist() == ["photos/9000/large.jpg"]
    assert set(dataset.notes) >= {
        "1 photos have several sizes, of which the largest was used: 9000",
        "1 files left out, photos.csv does not list them: 77.jpg",
        "1 files left out, their names have no photo_id: cover.jpg",
    }


def test_a_taxon_of_two_names_is_refused(tmp_path):
    build(tmp_path)
    (tmp_path / "taxa.csv").write_text(TAXA + "12\t48460\t20\tgenus\tPica\ttrue\n")
    with pytest.raises(DataError, match="1 rows that contradict others with the same id: 12"):
        datasets.load(f"inat-open-data:{tmp_path}")


def test_missing_tables_and_photos_are_named(tmp_path):
    build(tmp_path, ())
    with pytest.raises(DataError, match="no usable image: expected photos"):
        datasets.load(f"inat-open-data:{tmp_path}")
    paint(tmp_path / "77.jpg")
    with pytest.raises(DataError, match="lists none of the 1 photos"):
        datasets.load(f"inat-open-data:{tmp_path}")
    (tmp_path / "taxa.csv").unlink()
    with pytest.raises(DataError, match=r"has no taxa\.csv or taxa\.csv\.gz"):
        datasets.load(f"inat-open-data:{tmp_path}")
