"""The command line as a user meets it: exit codes, messages, what is printed where."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct.cli import main
from streamct.media.image import save_png

SCRIPT = [sys.executable, "-W", "error", "-c", "from streamct.cli import main; main()"]
"""The console script, in a process of its own; its warnings are errors."""


@dataclass
class Ran:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def streamct(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command in this process, with its arguments and its streams: no start-up for each."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["streamct", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ran(int(end.value.code or 0), *capfd.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "in.mp4", moving_picture(12), audio=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "ref.png"
    save_png(path, moving_picture(1, seed=5)[0][..., ::-1])
    return path


def test_a_video_is_graded_beside_the_input_and_its_path_printed(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    shutil.copy(clip, tmp_path / "in.mp4")
    run = streamct("video", tmp_path / "in.mp4", reference)
    assert run.returncode == 0, run.stderr
    out = tmp_path / "in.graded.mp4"
    assert run.stdout == f"{out}\n"
    assert [pts for pts, _ in decoded(out)] == [pts for pts, _ in decoded(clip)]
    assert "12 frames in" in run.stderr


def test_a_saved_track_is_taken_back_and_one_of_another_clip_refused(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    track, out = tmp_path / "t.npz", tmp_path / "out.mp4"
    run = streamct("video", clip, reference, "-o", out, "--temporal", "shot", "--save-track", track)
    assert run.returncode == 0, run.stderr
    assert "first pass" in run.stderr
    run = streamct("video", clip, reference, "-o", out, "-y", "--temporal", "shot", "--track", track, "--protect-skin")
    assert run.returncode == 0, run.stderr
    assert "first pass" not in run.stderr
    other = write_clip(tmp_path / "other.mp4", moving_picture(9))
    run = streamct("video", other, reference, "--temporal", "shot", "--track", track)
    assert run.returncode == 1
    assert "t.npz: is the track of in.mp4 (12 frames)" in run.stderr
    assert "other.mp4 has 9 frames" in run.stderr


def test_a_wrong_line_in_a_list_of_cuts_is_named(streamct: Run, clip: Path, reference: Path, tmp_path: Path) -> None:
    (tmp_path / "cuts.txt").write_text("4\nnoon\n")
    run = streamct("video", clip, reference, "-o", tmp_path / "out.mp4", "--cuts", tmp_path / "cuts.txt")
    assert run.returncode == 1
    assert "cuts.txt: line 2: 'noon': is no cut" in run.stderr


def test_an_existing_output_is_refused_without_y_and_untouched(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    run = streamct("video", clip, reference, "-o", out)
    assert run.returncode == 1
    assert "exists already" in run.stderr
    assert "-y" in run.stderr
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize("yes", [[], ["-y"]])
def test_output_equal_to_an_input_is_always_refused(streamct: Run, clip: Path, reference: Path, yes: list[str]) -> None:
    before = clip.read_bytes()
    run = streamct("video", clip, reference, "-o", clip, *yes)
    assert run.returncode == 1
    assert "an input is never overwritten" in run.stderr
    assert clip.read_bytes() == before
    before = reference.read_bytes()
    run = streamct("image", clip.with_name("other.png"), reference, "-o", reference, *yes)
    assert run.returncode == 1
    assert reference.read_bytes() == before


def test_json_events_are_one_object_a_line_on_stdout(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    run = streamct("video", clip, reference, "-o", tmp_path / "out.mp4", "--json", "-q")
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert next(e["event"] for e in events if e["event"] != "note") == "start"
    assert events[-1]["event"] == "done"
    report = events[-1]["report"]
    assert report["frames"] == 12
    assert report["segmenter"] == "none"
    assert report["output"] == str(tmp_path / "out.mp4")
    assert run.stderr == ""


def test_an_error_is_an_event_too_with_json(streamct: Run, reference: Path, tmp_path: Path) -> None:
    run = streamct("video", tmp_path / "missing.mp4", reference, "--json")
    assert run.returncode == 1
    assert json.loads(run.stdout) == {
        "event": "error",
        "message": f"{tmp_path / 'missing.mp4'}: no such file. Check the path.",
    }
    assert "no such file" in run.stderr


def test_a_fault_of_our_own_is_an_event_too_with_json(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("two and two are five")

    monkeypatch.setattr("streamct.pipeline.prepare", fail)
    run = streamct("video", clip, reference, "-o", tmp_path / "out.mp4", "--json")
    assert run.returncode == 1
    message = "internal error: ValueError: two and two are five"
    assert json.loads(run.stdout.splitlines()[-1]) == {"event": "error", "message": message}
    assert message in run.stderr


def test_a_folder_is_refused_as_the_output_of_a_clip_and_a_picture_as_that_of_a_folder(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    assert "is a folder" in streamct("video", clip, reference, "-o", tmp_path).stderr
    (tmp_path / "in").mkdir()
    shutil.copy(reference, tmp_path / "in" / "a.png")
    assert "names a picture" in streamct("image", tmp_path / "in", reference, "-o", tmp_path / "x.png").stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_a_reference_mask_without_a_mask_is_said_to_do_nothing(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    run = streamct("video", clip, reference, "--ref-mask", reference, "-o", tmp_path / "out.mp4")
    assert run.returncode == 0
    assert "--ref-mask alone does nothing" in run.stderr


@pytest.mark.parametrize("given", ["", ",", " , "])
def test_a_list_of_classes_that_names_none_is_wrong_usage(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path, given: str
) -> None:
    run = streamct("video", clip, reference, "--segmenter", "auto", "--classes", given, "-o", tmp_path / "out.mp4")
    assert run.returncode == 2
    assert "names no class" in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flags", [("--segment-every", "2"), ("--segment-size", "64"), ("--segment-device", "cpu")])
def test_how_a_network_runs_is_wrong_usage_without_one(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path, flags: tuple[str, str]
) -> None:
    run = streamct("video", clip, reference, *flags, "-o", tmp_path / "out.mp4")
    assert run.returncode == 2
    assert f"{flags[0]} needs a network" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_json_that_goes_away_gets_no_blame_on_the_file(clip: Path, reference: Path, tmp_path: Path) -> None:
    arguments = ["video", str(clip), str(reference), "-o", str(tmp_path / "out.mp4"), "--json", "-q"]
    process = subprocess.Popen([*SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait() == 141
    assert said == "stopped: the program that reads standard output has ended\n"
    process.stderr.close()


def test_a_still_is_graded_and_a_folder_of_stills_too(streamct: Run, reference: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stills"
    folder.mkdir()
    for index, picture in enumerate(moving_picture(3)):
        save_png(folder / f"{index}.png", picture)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    one = streamct("image", folder / "0.png", reference, "-o", tmp_path / "one.png")
    assert one.returncode == 0, one.stderr
    all_of_them = streamct("image", folder, reference)
    assert all_of_them.returncode == 1
    assert "broken.png" in all_of_them.stderr
    graded = tmp_path / "stills.graded"
    assert sorted(p.name for p in graded.iterdir()) == ["0.png", "1.png", "2.png"]
    assert (graded / "0.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_what_is_told_of_a_mask_is_told_once_and_what_is_told_of_a_picture_names_it(
    streamct: Run, reference: Path, tmp_path: Path
) -> None:
    (tmp_path / "stills").mkdir()
    for index, picture in enumerate(moving_picture(3)):
        save_png(tmp_path / "stills" / f"{index}.png", picture)
    black, half = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96, 3), np.uint8)
    half[:, :48] = 255
    save_png(tmp_path / "black.png", black)
    save_png(tmp_path / "half.png", half[:32])
    masks = ("--mask", tmp_path / "black.png", "--ref-mask", tmp_path / "half.png")
    run = streamct("image", tmp_path / "stills", reference, "-o", tmp_path / "out", *masks)
    assert run.returncode == 0, run.stderr
    lines = run.stderr.splitlines()
    for index in range(3):
        name = tmp_path / "stills" / f"{index}.png"
        assert len([line for line in lines if line.startswith(f"warning: {name}: 0.0% of the picture")]) == 1
    assert len(lines) == len(set(lines))
    assert lines[-1].startswith("3 pictures in ")


def test_no_folder_is_left_where_no_picture_could_be_graded(streamct: Run, reference: Path, tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    save_png(tmp_path / "stills" / "0.png", moving_picture(1)[0])
    masks = ("--mask", tmp_path / "gone.png", "--ref-mask", reference)
    run = streamct("image", tmp_path / "stills", reference, "-o", tmp_path / "new" / "out", *masks)
    assert run.returncode == 1
    assert "gone.png" in run.stderr
    assert not (tmp_path / "new").exists()


def test_what_is_for_a_cluster_is_said_to_change_nothing_here(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    run = streamct("video", clip, reference, "-o", tmp_path / "out.mp4", "--gpu-workers", "1")
    assert run.returncode == 0
    assert "note: --gpu-workers 1: is for --engine ray and changes nothing here" in run.stderr


def test_a_palette_is_printed_as_json_and_drawn(streamct: Run, reference: Path, tmp_path: Path) -> None:
    run = streamct("palette", reference, "-o", tmp_path / "palette.png")
    colours = json.loads(run.stdout)["palettes"][0]["colours"]
    assert sum(c["weight"] for c in colours) == pytest.approx(1, abs=1e-4)
    assert all(len(c["lab"]) == 3 and len(c["hex"]) == 7 for c in colours)
    assert [c["weight"] for c in colours] == sorted((c["weight"] for c in colours), reverse=True)
    assert (tmp_path / "palette.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["vidio"], 2, "No such command 'vidio'"),
        (["video", "CLIP", "REF", "--strenth", "1"], 2, "--strength"),
        (["video", "CLIP"], 2, "REF"),
        (["video", "CLIP", "REF", "--radius", "many"], 2, "--radius"),
        (["video", "CLIP", "REF", "--radius", "0"], 2, "--radius 0: input should be greater than or equal to 1"),
        (["video", "CLIP", "REF", "--strength", "2.5"], 2, "--strength 2.5: input should be less than or equal to 2"),
        (["video", "CLIP", "REF", "--correspondence", "neares"], 2, "did you mean 'nearest'?"),
        (["video", "CLIP", "REF", "--temporal", "windw"], 2, "did you mean 'window'?"),
        (["video", "CLIP", "REF", "-p", "pape"], 2, "unknown preset 'pape' (did you mean 'paper'?)"),
        (
            ["video", "CLIP", "REF", "--codec", "h2644"],
            2,
            "--codec h2644 (output.codec): no such encoder",
        ),
        (["video", "CLIP", "REF", "--encoder-preset", "veryfst"], 2, "did you mean 'veryfast'?"),
        (["video", "CLIP", "REF", "--pix-fmt", "yuv420q"], 2, "did you mean 'yuv420p'?"),
        (["video", "CLIP", "REF", "--crf", "63"], 2, "--crf 63 (output.crf): libx264 takes 0 (best) to 51"),
        (["video", "missing.mp4", "REF"], 1, "missing.mp4: no such file"),
        (["video", "FOLDER", "REF"], 1, "is a folder, not a video"),
        (["video", "REF.txt", "REF"], 1, "text.jpg: "),
        (["video", "REF", "REF"], 2, "ref.png: is a picture, not a video. Grade it with `streamct image`"),
        (["video", "CLIP", "missing.jpg"], 1, "missing.jpg: no such file"),
        (["video", "CLIP", "FOLDER"], 1, "is a folder, not a picture"),
        (["video", "CLIP", "REF.txt"], 1, "is not a picture that can be read"),
        (["video", "CLIP", "REF", "-o", "nowhere/out.mp4"], 1, "does not exist"),
        (["video", "CLIP", "REF", "-o", "out.xyz"], 1, "no container is known for"),
        (["video", "CLIP", "REF", "-o", "out.webm"], 1, "can't hold h264"),
        (["video", "CLIP", "REF", "--mask", "missing.png"], 1, "no such mask"),
        (["image", "REF", "REF", "-o", "out.xyz"], 1, "can't be written"),
        (["image", "missing.png", "REF"], 1, "missing.png: no such file"),
        (["palette", "missing.png"], 1, "missing.png: no such file"),
    ],
)
def test_bad_input_gets_one_clear_line_and_its_exit_code(
    streamct: Run,
    clip: Path,
    reference: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a picture\n")
    places = {"CLIP": clip, "REF": reference, "FOLDER": tmp_path, "REF.txt": text}
    monkeypatch.chdir(tmp_path)
    clip.with_name("in.graded.mp4").unlink(missing_ok=True)
    run = streamct(*[places.get(word, word) for word in arguments])
    assert run.returncode == code, run.stderr
    assert said in " ".join(run.stderr.replace("│", " ").split()), run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["text.jpg"]


def test_an_unknown_config_key_names_the_file_and_the_nearest_key(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    config = tmp_path / "look.toml"
    config.write_text("[mapping]\nstrenght = 0.5\n")
    run = streamct("video", clip, reference, "--config", config, "-o", tmp_path / "out.mp4")
    assert run.returncode == 2
    assert "look.toml: unknown key 'mapping.strenght' (did you mean 'mapping.strength'?)" in " ".join(
        run.stderr.split()
    )


def test_verbose_adds_the_cause(streamct: Run, clip: Path, tmp_path: Path) -> None:
    run = streamct("video", clip, tmp_path / "missing.jpg", "-o", tmp_path / "out.mp4", "--verbose")
    assert run.returncode == 1
    assert "FileNotFoundError" in run.stderr


def test_version_and_help_import_nothing_heavy() -> None:
    code = "import sys; from streamct.cli import main\ntry:\n main()\nexcept SystemExit:\n pass\n"
    code += "print(sorted({'numpy', 'numba', 'torch', 'ray', 'av', 'pyvips'} & set(sys.modules)))"
    for arguments in (["--version"], ["--help"], ["video", "--help"]):
        run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert run.stdout.splitlines()[-1] == "[]", arguments


def test_grading_without_segmentation_imports_neither_torch_nor_ray(
    clip: Path, reference: Path, tmp_path: Path
) -> None:
    code = "import sys, streamct; streamct.transfer_video(*sys.argv[1:4]);"
    code += "print(sorted({'torch', 'torchvision', 'ray'} & set(sys.modules)))"
    arguments = [str(clip), str(reference), str(tmp_path / "out.mp4")]
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_cleanly_and_leaves_nothing(reference: Path, tmp_path: Path, number: int, code: int) -> None:
    long = write_clip(tmp_path / "long.mp4", moving_picture(400, 320, 240))
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    command = [*SCRIPT, "video", str(long), str(reference), "-o", str(out), "-y", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "progress":
            break
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code
    assert "stopped" in said
    assert "Traceback" not in said
    assert out.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4", "out.mp4"]


def test_a_killed_run_leaves_the_old_output_whole_and_the_next_run_clears_its_litter(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    long = write_clip(tmp_path / "long.mp4", moving_picture(400, 320, 240))
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    process = subprocess.Popen(
        [*SCRIPT, "video", str(long), str(reference), "-o", str(out), "-y", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("done", 0) >= 100:  # the encoder looks ahead: at 1, no packet is written yet
            break
    process.kill()
    process.communicate()
    assert out.read_bytes() == b"precious"
    assert any(p.name.endswith(".partial.mp4") for p in tmp_path.iterdir())
    assert streamct("video", clip, reference, "-o", out, "-y").returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.mp4", "out.mp4"]


def test_plain_lines_tell_the_pace_where_stderr_is_no_terminal(
    streamct: Run, clip: Path, reference: Path, tmp_path: Path
) -> None:
    run = streamct("video", clip, reference, "-o", tmp_path / "out.mp4")
    assert "\r" not in run.stderr
    assert "frames/s" in run.stderr


def test_strength_0_gives_the_frames_back(streamct: Run, clip: Path, reference: Path, tmp_path: Path) -> None:
    run = streamct("video", clip, reference, "--strength", "0", "--codec", "ffv1", "-o", tmp_path / "out.mkv")
    assert run.returncode == 0, run.stderr
    for (_, before), (_, after) in zip(decoded(clip), decoded(tmp_path / "out.mkv"), strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


def test_no_space_left_is_said_and_nothing_is_left(clip: Path, reference: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
    limit += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from streamct.cli import main; main()"
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    arguments = ["video", str(clip), str(reference), "-o", str(out), "-y"]
    run = subprocess.run([sys.executable, "-c", limit, *arguments], capture_output=True, text=True)
    assert run.returncode == 1
    assert "no space left" in run.stderr or "File too large" in run.stderr, run.stderr
    assert "Traceback" not in run.stderr
    assert out.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
