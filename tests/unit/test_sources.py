"""What folders, patterns and lists come to, in which order, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import unprivileged

from streamct import sources
from streamct.errors import InputError, SettingsError, UsageError
from streamct.manifest import read_manifest, with_row
from streamct.references import references
from streamct.settings import Settings
from streamct.sources import Collected, collect

REF = Path("ref.jpg")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("b10.mp4", "b9.mp4", "A.JPG", "sub/c.mkv", "sub/deep/d.heic", "notes.txt", ".x.mp4", ".y/z.mp4"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def gathered(root: Path, *sources: Path | str, recursive: bool = True, ref: Path | None = REF) -> Collected:
    return collect(list(map(Path, sources)), ref, root / "out", Settings(), recursive=recursive)


def outputs(found: Collected) -> list[str]:
    return [str(item.output) for item in found.items]


def test_a_folder_is_taken_in_the_order_that_people_number_things(tree: Path, tmp_path: Path) -> None:
    found = gathered(tmp_path, tree)
    assert outputs(found) == ["A.JPG", "b9.mp4", "b10.mp4", "sub/c.mkv", "sub/deep/d.heic.png"]
    assert [item.kind for item in found.items] == ["picture", "clip", "clip", "clip", "picture"]
    assert found.notes == (f"{tree}: neither videos nor pictures by their endings: notes.txt",)


def test_folders_below_wait_for_r_and_the_user_is_told(tree: Path, tmp_path: Path) -> None:
    found = gathered(tmp_path, tree, recursive=False)
    assert outputs(found) == ["A.JPG", "b9.mp4", "b10.mp4"]
    assert "1 folder in it left out; -r goes into them" in found.notes[-1]


def test_outputs_within_the_input_folder_are_no_inputs_of_the_next_run(tree: Path) -> None:
    for name in ("out/b9.mp4", "other/.streamct/x.done", "other/b9.mp4"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"")
    found = gathered(tree, tree)
    assert outputs(found) == ["A.JPG", "b9.mp4", "b10.mp4", "sub/c.mkv", "sub/deep/d.heic.png"]
    assert "outputs of an earlier run" in " ".join(found.notes)
    assert outputs(gathered(tree, tree / "other")) == ["b9.mp4"]


def test_a_pattern_names_outputs_below_its_fixed_part(tree: Path, tmp_path: Path) -> None:
    assert outputs(gathered(tmp_path, f"{tree}/**/*.mp4")) == ["b9.mp4", "b10.mp4"]
    assert outputs(gathered(tmp_path, f"{tree}/*/c.*")) == ["sub/c.mkv"]
    with pytest.raises(UsageError, match="matches no file"):
        gathered(tmp_path, f"{tree}/*.mpg")


def test_a_pattern_takes_what_a_folder_would(tree: Path, tmp_path: Path) -> None:
    (tree / "broken.mp4").symlink_to(tmp_path / "gone.mp4")
    (tree / "round.mp4").symlink_to(tree / "round.mp4")
    (tree / "odd.xyz").write_bytes(b"")
    by_pattern, by_folder = gathered(tmp_path, f"{tree}/*"), gathered(tmp_path, tree, recursive=False)
    assert outputs(by_pattern) == outputs(by_folder) == ["A.JPG", "b9.mp4", "b10.mp4", "broken.mp4", "round.mp4"]
    assert by_pattern.notes == (f"{tree}/*: neither videos nor pictures by their endings: notes.txt, odd.xyz",)
    assert outputs(gathered(tmp_path, f"{tree}/*.xyz")) == ["odd.xyz.mkv"], "who names an ending means it"
    with pytest.raises(UsageError, match=r"no videos or pictures.*notes\.txt"):
        gathered(tmp_path, f"{tree}/n*")


def test_a_file_that_can_not_be_looked_at_is_no_reason_to_stop() -> None:
    with unprivileged() as root:
        for name in ("locked/a.mp4", "b.mp4"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"")
        (root / "locked").chmod(0)
        assert outputs(gathered(root, root / "locked" / "a.mp4")) == ["a.mp4"]
        assert outputs(gathered(root, root / "b.mp4", f"{root}/locked/c.mp4:2")) == ["b.mp4", "c.mp4:2.mkv"]


def test_a_file_is_taken_whatever_its_ending_and_whether_or_not_it_is_there(tree: Path, tmp_path: Path) -> None:
    found = gathered(tmp_path, tree / "gone.mov", tree / "b9.mp4", tree / "odd.xyz")
    assert outputs(found) == ["gone.mov", "b9.mp4", "odd.xyz.mkv"]


def test_a_pattern_that_ends_in_two_stars_is_all_that_lies_below(tree: Path, tmp_path: Path) -> None:
    found = gathered(tmp_path, f"{tree}/**")
    assert outputs(found) == ["A.JPG", "b9.mp4", "b10.mp4", "sub/c.mkv", "sub/deep/d.heic.png"]


def test_a_folder_that_can_not_be_read_is_told_and_the_others_are_taken() -> None:
    with unprivileged() as root:
        for name in ("a.mp4", "locked/b.mp4", "open/c.mp4"):
            (root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "in" / name).write_bytes(b"")
        (root / "in" / "locked").chmod(0)
        found = gathered(root, root / "in")
        assert outputs(found) == ["a.mp4", "open/c.mp4"]
        (line,) = found.unread
        assert line.startswith(f"{root / 'in' / 'locked'}: can't be read as a folder (Permission denied)")
        with pytest.raises(InputError, match="locked: can't be read as a folder"):
            gathered(root, root / "in" / "locked")


def test_links_to_folders_are_followed_once(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "more").mkdir(parents=True)
    (tmp_path / "far" / "e.mp4").write_bytes(b"")
    (tree / "link").symlink_to(tmp_path / "far")
    (tree / "again").symlink_to(tree / "sub")
    (tmp_path / "far" / "more" / "back").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "more" / "up").symlink_to(tmp_path)
    found = gathered(tmp_path, tree)
    assert outputs(found) == ["A.JPG", "b9.mp4", "b10.mp4", "link/e.mp4", "sub/c.mkv", "sub/deep/d.heic.png"]
    assert found.notes[-1] == (
        f"{tree}: links to folders that are taken where they lie are left out: again, link/more/back, link/more/up"
    )
    assert outputs(gathered(tmp_path, tree, recursive=False)) == ["A.JPG", "b9.mp4", "b10.mp4"]


def test_a_folder_of_numbered_pictures_comes_with_advice(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3, 30):
        (tmp_path / "in" / f"take_{number:04d}.png").write_bytes(b"")
        (tmp_path / "in" / f"IMG{number * 2}.jpg").write_bytes(b"")
    found = gathered(tmp_path, tmp_path / "in")
    assert len(found.items) == 54
    (line,) = found.notes
    assert "27 numbered pictures are graded one by one; if they are frames of a video, use streamct video" in line
    assert line.endswith("in/take_%04d.png")


def test_a_weight_belongs_to_a_reference(tree: Path, tmp_path: Path) -> None:
    several = references(["a.jpg", "b.jpg:0.5"])
    assert {item.reference for item in collect([tree], several, tmp_path / "out", Settings()).items} == {several}
    with pytest.raises(UsageError, match=r"b9\.mp4:0\.5: a weight is for a reference.*--ref"):
        gathered(tmp_path, f"{tree / 'b9.mp4'}:0.5")


def test_what_is_named_twice_is_done_once(tree: Path, tmp_path: Path) -> None:
    assert len(gathered(tmp_path, tree, tree / "b9.mp4", tree).items) == 5


def named(root: Path) -> dict[str, tuple[str, str]]:
    """Outputs of a folder, and what they are where the container can't be kept, by the names of their inputs."""
    return {item.name: (str(item.output), str(item.fallback)) for item in gathered(root, root).items}


def test_what_an_input_becomes_does_not_depend_on_what_lies_beside_it(tmp_path: Path) -> None:
    alone = {}
    for name in ("a.bmp", "a.gif", "a.heic", "a.mkv", "a.mov", "a.mp4", "a.png", "a.wmv"):
        for folder in (tmp_path / f"only {name}", tmp_path / "all"):
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"")
        alone |= named(tmp_path / f"only {name}")
    assert named(tmp_path / "all") == alone
    assert {name: output for name, (output, _) in alone.items()} == {
        "a.bmp": "a.bmp.png", "a.gif": "a.gif.mp4", "a.heic": "a.heic.png", "a.mkv": "a.mkv", "a.mov": "a.mov",
        "a.mp4": "a.mp4", "a.png": "a.png", "a.wmv": "a.wmv.mkv",
    }  # fmt: skip
    names = [name for pair in alone.values() for name in set(pair)]
    assert len(names) == len(set(names)), "no two may ever write the same file"


def test_a_fallback_gives_way_to_the_file_that_has_its_name(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mp4.mkv"):
        (tmp_path / name).write_bytes(b"")
    clip, other = gathered(tmp_path, tmp_path).items
    assert (clip.output, other.output, other.contested) == (Path("a.mp4"), Path("a.mp4.mkv"), ())
    assert clip.contested == (
        (
            Path("a.mp4.mkv"),
            f"{tmp_path}/a.mp4.mkv and {tmp_path}/a.mp4 would both become a.mp4.mkv. "
            "Grade them into different folders, or name the outputs in a CSV list.",
        ),
    )


def test_two_inputs_with_one_output_are_refused_by_name(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.mp4").write_bytes(b"")
    with pytest.raises(UsageError, match="would both become") as caught:
        gathered(tmp_path, tmp_path / "one", tmp_path / "two")
    assert f"{tmp_path}/one/x.mp4 and {tmp_path}/two/x.mp4" in str(caught.value)


@pytest.mark.parametrize("tells", [True, False])
def test_names_that_differ_in_case_alone_are_two_where_they_are_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    monkeypatch.setattr(sources, "tells_case", lambda folder: tells)
    for name in ("A.mp4", "a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    found = gathered(tmp_path, tmp_path).items
    assert [str(item.output) for item in found] == ["A.mp4", "a.mp4", "b.mp4"]
    late = {str(name): why for item in found for name, why in item.contested}
    assert list(late) == ([] if tells else ["a.mp4", "a.mp4.mkv"])
    assert tells or late["a.mp4"].startswith(
        f"{tmp_path}/A.mp4 and {tmp_path}/a.mp4 would both become a.mp4, "
        f"because {tmp_path / 'out'} does not tell upper from lower case."
    )


def test_two_lines_of_a_list_with_one_output_are_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "input,output\na.mp4,x.mp4\nb.mp4,x.mp4\nc.mp4,y.mp4\nc.mp4,y.mp4\nd.mp4,y.mp4\n"
    )
    with pytest.raises(UsageError) as caught:
        gathered(tmp_path, tmp_path / "list.csv")
    where = tmp_path / "list.csv"
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/{one}.mp4 ({where}: line {a}) and {tmp_path}/{two}.mp4 ({where}: line {b}) would both become "
        f"{output}.mp4. Give one of them another name, in the column 'output' of a CSV list."
        for one, a, two, b, output in (("a", 2, "b", 3, "x"), ("c", 4, "d", 6, "y"))
    ]


def test_an_output_that_is_an_input_of_the_run_is_refused(tree: Path) -> None:
    with pytest.raises(UsageError, match="an input is never overwritten"):
        collect([tree], REF, tree, Settings())


def test_nothing_to_do_is_an_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_bytes(b"")
    with pytest.raises(UsageError, match=r"no videos or pictures.*a\.doc"):
        gathered(tmp_path, tmp_path)


def test_numbered_pictures_belong_to_another_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="streamct video"):
        gathered(tmp_path, tmp_path / "frame_%05d.png")


def test_a_text_list_names_one_input_a_line_below_its_folder(tree: Path, tmp_path: Path) -> None:
    (tree / "list.txt").write_text("# takes\n\nsub/c.mkv\n  b9.mp4  \n/elsewhere/e.mov\n", encoding="utf-8")
    found = gathered(tmp_path, tree / "list.txt")
    assert outputs(found) == ["sub/c.mkv", "b9.mp4", "e.mov"]
    assert found.items[0].input == tree / "sub" / "c.mkv"


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["../one/x/shot.png", "../two/x/shot.png"], ["one/x/shot.png", "two/x/shot.png"]),
        (["{root}/one/shot.png", "{root}/two/shot.png", "b9.mp4"], ["one/shot.png", "two/shot.png", "b9.mp4"]),
        (["{root}/in/sub/c.mkv", "../in/b9.mp4"], ["sub/c.mkv", "b9.mp4"]),
        (["../one/shot.png", "shot.png"], ["one/shot.png", "in/shot.png"]),
        (["../one/shot.png", "../one/shot.png"], ["shot.png"]),
    ],
)
def test_what_a_list_names_elsewhere_keeps_the_tree_below_its_common_folder(
    tree: Path, tmp_path: Path, lines: list[str], wanted: list[str]
) -> None:
    (tree / "list.txt").write_text("\n".join(lines).format(root=tmp_path))
    assert outputs(gathered(tmp_path, tree / "list.txt")) == wanted


def test_paths_among_the_settings_of_a_list_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "look.toml").write_text("[input]\nlut = 'log.cube'\n")
    (tmp_path / "sub" / "list.csv").write_text(
        f"input,settings\na.mp4,input.lut=log.cube\nb.mp4,look.toml\nc.mp4,input.lut={tmp_path / 'far.cube'}\n"
    )
    found = [with_row(Settings(), row).input.lut for row in read_manifest(tmp_path / "sub" / "list.csv")]
    assert found == [tmp_path / "sub" / "log.cube", tmp_path / "sub" / "log.cube", tmp_path / "far.cube"]


def test_a_csv_list_gives_each_input_its_own_reference_name_and_settings(tree: Path, tmp_path: Path) -> None:
    (tree / "look.toml").write_text("[mapping]\nalpha = 0.7\n")
    (tree / "list.csv").write_text(
        "input,reference,output,settings,cuts\n"
        "b9.mp4,day.jpg,day/nine.mkv,mapping.strength=0.5 output.codec=ffv1,\n"
        '"b9.mp4",,,look.toml,cuts.txt\n'
    )
    base = Settings().updated(mapping__strength=0.9)
    first, second = collect([tree / "list.csv"], REF, tmp_path / "out", base).items
    assert (first.reference.paths, first.output, first.fixed) == ((tree / "day.jpg",), Path("day/nine.mkv"), True)
    assert (first.settings.mapping.strength, first.settings.output.codec) == (0.5, "ffv1")
    assert (second.reference.paths, second.output, second.fixed) == ((REF,), Path("b9.mp4"), False)
    assert (second.settings.mapping.strength, second.settings.mapping.alpha) == (0.9, 0.7)
    assert second.cuts == tree / "cuts.txt"
    assert len({first.name, second.name}) == 2, "one input with two looks has two names"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("inptu\na.mp4\n", UsageError, "line 1: unknown column 'inptu' .did you mean 'input'"),
        ("reference\na.jpg\n", UsageError, "line 1: has no column 'input'"),
        ("input,reference\na.mp4,b.jpg,c\n", UsageError, "line 2: 3 fields in 2 columns"),
        ("input,reference\n,b.jpg\n", UsageError, "line 2: names no input"),
        ("input,output\na.mp4,../a.mp4\n", UsageError, "line 2: output ../a.mp4: should be a name below"),
        ("input,output\na.mp4,a\n", UsageError, "line 2: output a: has no ending"),
        ("input,settings\na.mp4,mapping.strenth=1\n", SettingsError, "line 2: .*did you mean 'mapping.strength'"),
        ("input,settings\na.mp4,strength\n", SettingsError, "line 2: 'strength': should be a .toml file or"),
        ("input,settings\na.mp4,none.toml\n", SettingsError, "line 2: .*none.toml: can't be read as TOML"),
        ("input\n", InputError, "names no inputs"),
        ("# of June\n\ninptu\na.mp4\n", UsageError, "line 3: unknown column 'inptu'"),
        ("input;cuts\na.mp4;b.txt;c\n", UsageError, "line 2: 3 fields in 2 columns. Put quotes round a semicolon"),
        ('input,settings\na.mp4,"input.lut=""a b"\n', SettingsError, "line 2: 'b': should be a .toml file or"),
    ],
)
def test_a_mistake_in_a_list_is_told_with_its_line(
    tmp_path: Path, text: str, error: type[Exception], said: str
) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(error, match=said):
        gathered(tmp_path, tmp_path / "list.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_may_have_comments_and_be_parted_as_spreadsheets_do(tmp_path: Path, separator: str) -> None:
    lines = ['# takes, "of', "", "input,output,settings", ' # "yet', "a.mp4,b.mkv,output.crf=9", ",", "c.mp4,,"]
    (tmp_path / "list.csv").write_text("\n".join(lines).replace(",", separator))
    found = [(row.place, row.input.name, row.output, row.settings) for row in read_manifest(tmp_path / "list.csv")]
    assert found == [
        (f"{tmp_path}/list.csv: line 5", "a.mp4", Path("b.mkv"), "output.crf=9"),
        (f"{tmp_path}/list.csv: line 7", "c.mp4", None, None),
    ]


@pytest.mark.parametrize(
    ("given", "lut"),
    [
        ("input.lut='my luts/x y.cube'", "my luts/x y.cube"),
        ('input.lut="my luts/x y.cube";mapping.strength=0.5', "my luts/x y.cube"),
        ('input.lut="my luts\\x; y.cube"', "my luts\\x; y.cube"),
        ("input.lut=it's.cube", "it's.cube"),
    ],
)
def test_a_setting_may_hold_spaces(tmp_path: Path, given: str, lut: str) -> None:
    whole = f"{given} segment.classes=[ 'dog', 'cat']".replace('"', '""')
    (tmp_path / "list.csv").write_text(f'input,settings\na.mp4,"{whole}"\n')
    (row,) = read_manifest(tmp_path / "list.csv")
    settings = with_row(Settings(), row)
    assert (settings.input.lut, settings.segment.classes) == (tmp_path / lut, ("dog", "cat"))
    assert settings.mapping.strength == (0.5 if "strength" in given else Settings().mapping.strength)


def test_every_input_needs_a_reference(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("input,reference\na.mp4,a.jpg\nb.mp4,\n")
    with pytest.raises(UsageError, match="line 3: has no reference"):
        gathered(tmp_path, tmp_path / "list.csv", ref=None)
