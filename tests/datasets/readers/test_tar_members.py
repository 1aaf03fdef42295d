"""Tars that are complete, cut, flipped and hostile: the pictures that were put in, or one clear line."""

import io
import os
import re
import struct
import tarfile
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.datasets.readers.tar_members import _parse_common_header, index_tar
from bioclip_probe.errors import DataError
from tests.support.pictures import encode_picture
from tests.support.tars import COLOURS, load_colours, write_tar, write_three

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def header(name=b"1.png", size=b"%011o\0", kind=b"0", n_bytes=0, magic=b"ustar\x0000"):
    """Return one block with the given fields and a correct checksum."""
    block = bytearray(512)
    struct.pack_into(
        "100s8s8s8s12s12s", block, 0, name, b"644", b"0", b"0", size % n_bytes if b"%" in size else size, b"0"
    )
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content):
    return content + bytes(-len(content) % 512)


GOOD = header(b"good.png", n_bytes=len(encode_picture())) + padded(encode_picture())
GOOD += header(b"good.taxonTag.txt", n_bytes=10) + padded(b"genus Pica")


END = bytes(1024)


@pytest.mark.parametrize("form", FORMATS)
def test_the_bytes_are_those_that_tarfile_gives(tmp_path, form):
    """Long names and names that are not ASCII need extended headers."""
    names = ["a.png", "é" * 40 + ".png", "d/" * 60 + "b.png", "./c.png"]
    names += ["é" * 90 + ".png"] if form != tarfile.USTAR_FORMAT else []
    content = [encode_picture(size=(n + 1, 5)) for n in range(len(names))]
    path = write_tar(tmp_path / "a.tar", list(zip(names, content, strict=True)), format=form)
    index = index_tar(tmp_path, "a.tar")
    assert index.damage == ""
    assert [member.name for member in index.members] == [name.removeprefix("./") for name in names]
    with tarfile.open(path) as tar:
        assert [member.start for member in index.members] == [info.offset_data for info in tar]
    assert [path.read_bytes()[member.start :][: member.size] for member in index.members] == content


def test_sizes_in_extended_headers(tmp_path):
    """Members of more than 8 GiB have them, and times with fractions, which webdataset's writer puts into each."""
    content = encode_picture()
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("1.png", "2.png"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.pax_headers = len(content), 1.5, {"size": str(len(content))}
            tar.addfile(info, io.BytesIO(content))
    index = index_tar(tmp_path, "a.tar")
    assert [(member.name, member.size) for member in index.members] == [
        ("1.png", len(content)),
        ("2.png", len(content)),
    ]


FIELDS = st.sampled_from(
    [
        b"%011o\0",
        b"%011o ",
        b"%012o",
        b"%o",
        b"%o \0",
        b" %o\0",
        b"00000000009\0",
        b"\x80" + bytes(10) + b"\1",
        b"77777777777\0",
    ]
)


@pytest.mark.slow
@settings(QUICK, max_examples=200)
@given(st.binary(min_size=1, max_size=100), FIELDS, st.sampled_from([*b"0015Lx"]), st.binary(max_size=3), st.data())
def test_common_headers_are_parsed_as_tarfile_parses_them(name, size, kind, prefix, data):
    """Headers with a wrong, unusual or signed checksum are left to tarfile."""
    block = bytearray(header(name, size, bytes([kind]), 700))
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b" " * 8
    total = sum(block) + data.draw(st.sampled_from([0, 0, 0, 1, -256 * sum(byte > 127 for byte in block)]))
    block[148:156] = data.draw(st.sampled_from([b"%06o\0 ", b"%06o \0", b"%07o\0", b"%06o00"])) % abs(total)
    if info := _parse_common_header(bytes(block)):
        expected = tarfile.TarInfo.frombuf(bytes(block), "utf-8", "surrogateescape")
        assert (info.name, info.size, info.type) == (expected.name, expected.size, expected.type)


def test_headers_of_current_tarfile_are_common():
    for form in FORMATS:
        info = tarfile.TarInfo("00000000000000000000000000000001.jpg")
        info.size, info.mtime, info.uname = 320_123, 1_700_000_000, "somebody"
        assert _parse_common_header(info.tobuf(form)).size == 320_123


NAMES = st.one_of(
    st.sampled_from(
        ["../x.png", "/etc/passwd", "a/../../b.png", "..", ".", "", "/", "a\0b.png", "a\nb.png", "\x1b[31m.png",
         ".hid.png", "good.png", "good.jpg", "GOOD.PNG", "a:1:2.png", "x" * 5000 + ".png", "学名.png", "\u202egnp.exe",
         "a.tar", "C:\\a.png"]
    ),
    st.text(max_size=12).map(lambda text: text + ".png"),
)  # fmt: skip


KINDS = st.sampled_from([tarfile.REGTYPE, *b"1234567DKLMNSVXgxAZ~".decode()])


@st.composite
def members(draw):
    """A member of any kind and name, with any of the ways to write a long name."""
    name = draw(NAMES).encode("utf-8", "surrogatepass")
    content = draw(st.sampled_from([b"", b"x", encode_picture()]))
    kind = draw(KINDS)
    kind = kind if isinstance(kind, bytes) else kind.encode()
    size = draw(
        st.sampled_from([b"%011o\0"] * 8 + [b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"-1", b"9" * 12, b"77777777777\0"])
    )
    before = b""
    name_form = draw(st.sampled_from(["short", "gnu", "pax", "bytes"]))
    if name_form == "gnu":
        before = header(b"././@LongLink", kind=b"L", n_bytes=len(name) + 1) + padded(name + b"\0")
    elif name_form == "pax":
        key = draw(st.sampled_from([b"path", b"path", b"size", b"GNU.sparse.major", b"GNU.sparse.map", b"hdrcharset"]))
        record = b" " + key + b"=" + name + b"\n"
        length = len(record) + draw(st.sampled_from([0, 0, 1, -3])) + len(str(len(record) + 4))
        record = b"%d" % length + record
        before = header(b"pax", kind=draw(st.sampled_from([b"x", b"g", b"X"])), n_bytes=len(record)) + padded(record)
    elif name_form == "bytes":
        name += b"\xff\xfe.png"
    return before + header(name[:100], size, kind, len(content)) + padded(content)


@pytest.mark.slow
@settings(QUICK, max_examples=60)
@given(before=st.lists(members(), max_size=3), after=st.lists(members(), max_size=2))
def test_a_good_picture_survives_hostile_members(tmp_path, before, after):
    """The picture opens unless the members before it damaged the tar."""
    (tmp_path / "a.tar").write_bytes(b"".join([*before, header(b"between"), GOOD, *after, END]))
    colours, notes = load_colours(tmp_path / "a.tar")
    for image_id, got in (colours or {}).items():
        assert got in ((200, 100, 50), None)
        assert ".." not in image_id.split("/")
        assert not image_id.startswith("/")
    if colours is not None and not any("not complete" in note for note in notes):
        assert (200, 100, 50) in colours.values()


def test_links_devices_and_paths_out_of_the_tar_are_noted(tmp_path):
    path = tmp_path / "a.tar"
    secret = tmp_path / "secret.png"
    secret.write_bytes(encode_picture(COLOURS[0]))
    odd = [header(b"s.png", kind=b"2"), header(b"h.png", kind=b"1"), header(b"d.png", kind=b"3")]
    odd += [header(b"p/", kind=b"5"), header(b"../secret.png"), header(os.fsencode(secret)), header(b"\xff.png")]
    odd += [header(b"._1.png"), header(b"sparse.png", kind=b"S")]
    path.write_bytes(b"".join([*odd, GOOD, END]))
    colours, notes = load_colours(path)
    assert colours == {"good": (200, 100, 50)}
    assert notes[0].startswith("4 members left out, they are links, devices, sparse")
    assert "a.tar: s.png, a.tar: h.png, a.tar: d.png, a.tar: sparse.png" in notes[0]
    assert notes[1].startswith("2 members left out, their names lead out of the tar: a.tar: ../secret.png")
    assert notes[2] == "1 members left out, their names are not one line of text: a.tar: \\udcff.png"
    assert notes[3] == "1 members left out, they are hidden files: a.tar: ._1.png"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD, "without the mark that ends a tar"),
        (GOOD + END + GOOD + END, "more follows the mark that ends a tar, at byte 2,048"),
        (GOOD + header(size=b"\xff" * 12), "a negative size at byte 2,048"),
        (GOOD + header(n_bytes=9999), "its bytes end within the member 1.png, at byte 2,560"),
        (GOOD + b"x" * 512, r"no header at byte 2,048 \(invalid header\)"),
        (GOOD + b"x" * 9, "it ends within a header, at byte 2,057"),
        (GOOD + header(kind=b"x", n_bytes=1 << 21), "a header of 2,097,152 bytes"),
        (GOOD + header(kind=b"x", n_bytes=9) + padded(b"0 path=a\n"), "an extended header that does not parse"),
        (GOOD + header(kind=b"x", n_bytes=13) + padded(b"13 size=-512\n"), "an extended header with the size b'-512'"),
    ],
)
def test_members_before_the_damage_are_used(tmp_path, content, reason):
    (tmp_path / "a.tar").write_bytes(content)
    colours, notes = load_colours(tmp_path / "a.tar")
    assert colours["good"] == (200, 100, 50)
    assert colours.get("1") is None
    assert re.search("1 tars are not complete; what comes before was used: a.tar: .*" + reason, notes[0])


def test_long_headers_do_not_hang(tmp_path):
    """`tarfile` takes minutes for digits like these, and recurses on chained headers."""
    digits = header(kind=b"x", n_bytes=1 << 20) + b"1" * (1 << 20)
    chain = header(kind=b"L", n_bytes=6) + padded(b"a.png\0")
    begin = time.perf_counter()
    for odd in (digits, chain * 5000):
        (tmp_path / "a.tar").write_bytes(GOOD + odd + END)
        assert load_colours(tmp_path / "a.tar")[0] == {"good": (200, 100, 50)}
    assert time.perf_counter() - begin < 10


@QUICK
@given(st.lists(st.binary(min_size=512, max_size=512), max_size=3), st.binary(max_size=700))
def test_random_bytes_are_refused(tmp_path, blocks, rest):
    (tmp_path / "any.tar").write_bytes(b"".join(blocks) + rest)
    assert load_colours(tmp_path / "any.tar")[0] is None


@pytest.mark.slow
@QUICK
@given(st.data())
def test_flipped_bytes_give_pictures_or_one_line(tmp_path, data):
    """Every picture opens, or fails, or is missing and noted."""
    content = bytearray(write_three(tmp_path / "a.tar").read_bytes())
    for position in data.draw(st.lists(st.integers(0, 6 * 1024), min_size=1, max_size=4)):
        content[position] ^= data.draw(st.integers(1, 255))
    (tmp_path / "flipped.tar").write_bytes(content)
    load_colours(tmp_path / "flipped.tar")


@pytest.mark.slow
@QUICK
@given(st.data(), st.sampled_from(FORMATS))
def test_a_truncated_tar_gives_the_pictures_before_the_cut(tmp_path, data, form):
    content = write_three(tmp_path / "a.tar", format=form).read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    colours, notes = load_colours(cut)
    for image_id, got in (colours or {}).items():
        assert got in (COLOURS[int(image_id)], None)
    with tarfile.open(tmp_path / "a.tar") as tar:
        end = max(info.offset_data + 512 * -(-info.size // 512) for info in tar)
    if colours is not None and cut.stat().st_size < end + tarfile.BLOCKSIZE:
        assert any("1 tars are not complete" in note for note in notes)
    elif cut.stat().st_size >= end:
        assert colours == dict(zip("012", COLOURS, strict=True))


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_a_compressed_tar_with_a_plain_name_is_refused(tmp_path, mode):
    with tarfile.open(tmp_path / "b.tar", f"w:{mode}") as tar:
        tar.addfile(tarfile.TarInfo("1.png"))
    with pytest.raises(DataError, match=r"b\.tar is compressed \(\w+\), so its members cannot be reached; unpack it"):
        datasets.load(f"webdataset:{tmp_path}")
