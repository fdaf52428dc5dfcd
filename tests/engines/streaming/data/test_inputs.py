import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowspec.engines.paths import FileSystems
from flowspec.engines.streaming.data import inputs
from flowspec.engines.streaming.data.readers import SplitReader
from flowspec.engines.streaming.hadoop.classes import TEXT_INPUT
from flowspec.engines.streaming.hadoop.configuration import Configuration


def configuration(**properties):
    return Configuration(
        [(name.replace("__", "."), str(value)) for name, value in properties.items()], environ={}, system={}
    )


def splits_of(path, maps=1, **properties):
    file = inputs.InputFile(path, f"file:{path}", path.stat().st_size)
    splits = inputs.in_task_order(inputs.split_files([file], configuration(**properties), maps))
    return [(split.start, split.length) for split in splits]


@pytest.mark.parametrize(
    ("size", "block", "splits"),
    [
        (0, 100, [(0, 0)]),
        (100, 100, [(0, 100)]),
        (110, 100, [(0, 110)]),  # a tenth more is not cut off
        (111, 100, [(0, 100), (100, 11)]),
        (330, 64, [(0, 64), (64, 64), (128, 64), (192, 64), (256, 64), (320, 10)]),
    ],
)
def test_splits(tmp_path, size, block, splits):
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(size))
    assert splits_of(path, fs__local__block__size=block) == splits


MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "maps", "properties", "sizes"),
    [
        (20, 1, {}, [20]),
        (20, 2, {}, [10, 10]),
        (20, 8, {}, [4, 4, 4, 4, 4]),
        (3, 8, {}, [3]),
        (100, 1, {}, [32, 32, 32, 4]),  # LocalJobRunner's
        (100, 2, {}, [50, 50]),
        (300, 2, {}, [75, 75, 75, 75]),  # three of 100 would leave a core without work
        (1000, 2, {}, [125] * 8),
        (260, 2, {}, [130, 130]),  # a little above two blocks
        (100, 2, {"fs__local__block__size": 33554432}, [32, 32, 32, 4]),
        (20, 2, {"fs__local__block__size": 33554432}, [20]),
        (20, 2, {"mapreduce__input__fileinputformat__split__minsize": 1}, [20]),
    ],
)
def test_inputs_are_cut_evenly_for_several_maps(tmp_path, size, maps, properties, sizes):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(size * MIB)
    assert [length // MIB for _, length in splits_of(path, maps, **properties)] == sizes


def test_the_largest_split_comes_first(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(121))
    assert splits_of(path, fs__local__block__size=40) == [(80, 41), (0, 40), (40, 40)]


COMBINED = {  # what CombineTextInputFormat of Hadoop 3.5.0 returned for these files, in this order
    (): ["b:0+0 c:0+86 f:0+0 e:0+12 g.gz:0+28 a:0+6 d:0+2"],
    ("maxsize=30",): ["c:0+30", "c:30+28 c:58+28", "e:0+12 g.gz:0+28", "b:0+0 f:0+0 a:0+6 d:0+2"],
    ("maxsize=5",): [
        *(
            [
                "c:0+5",
                "c:5+5",
                "c:10+5",
                "c:15+5",
                "c:20+5",
                "c:25+5",
                "c:30+5",
                "c:35+5",
                "c:40+5",
                "c:45+5",
                "c:50+5",
                "c:55+5",
                "c:60+5",
                "c:65+5",
            ]
        ),
        *(
            [
                "c:70+5",
                "c:75+5",
                "c:80+3 c:83+3",
                "e:0+5",
                "e:5+3 e:8+4",
                "g.gz:0+28",
                "a:0+3 a:3+3",
                "b:0+0 f:0+0 d:0+2",
            ]
        ),
    ],
    ("minsize.per.node=10",): ["c:0+86 e:0+12 g.gz:0+28 a:0+6 d:0+2", "b:0+0 f:0+0"],
    ("maxsize=1000", "minsize.per.node=999"): ["b:0+0 c:0+86 f:0+0 e:0+12 g.gz:0+28 a:0+6 d:0+2"],
    ("maxsize=40", "minsize.per.node=2", "minsize.per.rack=3"): [
        *(["c:0+40", "c:40+23 c:63+23", "e:0+12 g.gz:0+28", "b:0+0 f:0+0 a:0+6 d:0+2"]),
    ],
}


@pytest.mark.parametrize("given", COMBINED)
def test_files_are_combined(given):
    sizes = {"b": 0, "c": 86, "f": 0, "e": 12, "g.gz": 28, "a": 6, "d": 2}
    found = [inputs.InputFile(Path(name), name, size) for name, size in sizes.items()]
    properties = dict(text.split("=") for text in given)
    conf = Configuration(
        [(f"mapreduce.input.fileinputformat.split.{name}", size) for name, size in properties.items()],
        environ={},
        system={},
    )
    splits = inputs.combine_files(found, inputs.combined_sizes(conf))
    shown = [" ".join(f"{part.file.path}:{part.start}+{part.length}" for part in split.parts) for split in splits]
    assert shown == COMBINED[given]


def test_compressed_files_are_not_cut(tmp_path):
    path = tmp_path / "a.GZ"
    path.write_bytes(bytes(500))
    assert splits_of(path, fs__local__block__size=50) == [(0, 500)]


@given(
    st.binary(max_size=80).map(lambda data: data.translate(bytes.maketrans(b"abcd", b"\r\n\r\n"))), st.integers(1, 20)
)
@example(b"yz\n\xef\xbb\xbfab\n", 3)  # a byte order mark where a split's first line begins: only a file's first is none
def test_every_line_is_in_exactly_one_split(tmp_path_factory, data, block):
    path = tmp_path_factory.getbasetemp() / "split.txt"
    path.write_bytes(b"x" + data)  # no byte order mark
    conf = configuration(fs__local__block__size=block)
    file = inputs.InputFile(path, f"file:{path}", path.stat().st_size)
    chunks, records = [], []
    for split in inputs.split_files([file], conf):
        reader = SplitReader(split, conf, TEXT_INPUT)
        chunks.append(b"".join(reader.text_chunks()))
        records += [value for _, value in reader.records()]
        reader.close()
    whole = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    whole = whole if whole.endswith(b"\n") else whole + b"\n"
    assert b"".join(chunks) == whole
    assert b"".join(record + b"\n" for record in records) == whole


@pytest.mark.parametrize(("lines", "splits"), [(2, [(0, 7), (7, 8), (15, 3)]), (5, [(0, 17)]), (1, 5)])
def test_splits_by_lines_have_odd_borders(tmp_path, lines, splits):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\r\nthree\rx\ny")
    file = inputs.InputFile(path, f"file:{path}", path.stat().st_size)
    found = inputs.split_lines_of([file], lines)
    reader_lines = []
    for split in found:
        reader = SplitReader(split, configuration(), TEXT_INPUT)
        reader_lines.append(len(list(reader.records())))
        reader.close()
    assert sum(reader_lines) == 5
    assert all(count == lines for count in reader_lines[:-1])
    if isinstance(splits, int):
        assert len(found) == splits


@pytest.fixture
def tree(tmp_path):
    for name in (
        "a1.txt",
        "a2.txt",
        "b1.txt",
        "b2.log",
        "_hidden",
        ".crc",
        "sub/c.txt",
        "sub/_x/d.txt",
        "sub/e [1].txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def listed(tree, *given, **properties):
    files = FileSystems(working=tree)
    found = inputs.list_files(tuple(files.qualify(text) for text in given), files, configuration(**properties))
    return [file.uri.removeprefix(f"file:{tree}/") for file in found]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.txt", ["a1.txt", "a2.txt", "b1.txt"]),
        ("?[2-9].*", ["a2.txt", "b2.log"]),
        ("[^a]*.txt", ["b1.txt"]),
        ("{a?,b[2-9]}.*", ["a1.txt", "a2.txt", "b2.log"]),
        ("{a{1,2},sub/c}.txt", ["a1.txt", "a2.txt", "sub/c.txt"]),
        ("s?b/*", ["sub/c.txt", "sub/e [1].txt"]),
        ("sub/e \\[1\\].txt*", ["sub/e [1].txt"]),
    ],
)
def test_globs(tree, pattern, names):
    (tree / "sub" / "_x").rename(tree / "_x")
    assert listed(tree, pattern) == names


@pytest.mark.parametrize(
    ("pattern", "said"),
    [  # what Hadoop 3.4.1's FileSystem.globStatus said
        ("[[]x", "error parsing regexp: Unclosed character class at pos 1: `[[]x`"),
        ("sub/[a", "error parsing regexp: Unclosed character class at pos 2: `[a`"),
        ("{a,b", "error parsing regexp: Unclosed group at pos 4: `{a,b`"),
        ("a[!]", "error parsing regexp: missing closing ]: `[^]`"),
        ("[2-1]", "error parsing regexp: invalid character class range: `2-1`"),
        ("\\1*", "error parsing regexp: invalid escape sequence: `\\1`"),
    ],
)
def test_a_glob_that_cannot_be_read(tree, pattern, said):
    with pytest.raises(inputs.InvalidInput, match=f"^{re.escape(f'Illegal file pattern: {said}')}$"):
        listed(tree, pattern)


def test_a_backslash_stands_before_any_character_of_a_path(tree):
    (tree / "c\\d").write_text("c")
    assert listed(tree, "\\a1\\.txt", "c\\\\d") == ["a1.txt", "c\\d"]
    with pytest.raises(inputs.InvalidInput, match="Input path does not exist"):
        listed(tree, "c\\d")


def test_matches_are_ordered_as_uris_are(tree):
    for name in ("x]y", "x-y", "x y", "x(y", "xy"):
        (tree / name).write_text(name)
    assert listed(tree, "x*") == ["x y", "x]y", "x(y", "x-y", "xy"]


def test_a_file_that_two_readings_of_a_pattern_name_is_read_twice(tree):
    assert listed(tree, "{sub/c.txt,sub/c*}") == ["sub/c.txt", "sub/c.txt"]


def test_directories(tree):
    recursive = "mapreduce__input__fileinputformat__input__dir__recursive"
    assert listed(tree, ".", **{recursive: "true"}) == [
        "a1.txt",
        "a2.txt",
        "b1.txt",
        "b2.log",
        "sub/c.txt",
        "sub/e [1].txt",
    ]
    ignore = "mapreduce__input__fileinputformat__input__dir__nonrecursive__ignore__subdirs"
    assert listed(tree, ".", **{ignore: "true"}) == ["a1.txt", "a2.txt", "b1.txt", "b2.log"]
    with pytest.raises(inputs.InvalidInput, match=f"^Not a file: file:{tree}/sub$"):
        listed(tree, ".")


def test_a_link_to_nowhere_in_a_directory_is_no_input(tree):
    (tree / "sub/gone").symlink_to("nowhere")
    assert listed(tree, "sub") == ["sub/c.txt", "sub/e [1].txt"]


def test_bad_paths_are_told_together(tree):
    with pytest.raises(inputs.InvalidInput) as raised:
        listed(tree, "nowhere", "*.csv", "a1.txt", "_hidden")
    assert str(raised.value).splitlines() == [
        f"Input path does not exist: file:{tree}/nowhere",
        f"Input Pattern file:{tree}/*.csv matches 0 files",
        f"Input path does not exist: file:{tree}/_hidden",
    ]
