"""Sound, subtitles, chapters, attachments, languages and metadata: as they were, or said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import streams
from rewrite import rewrite

from streamct.errors import OutputError
from streamct.media.output import resolve_output
from streamct.media.probe import is_cover, probe
from streamct.media.writer import Writer
from streamct.settings import OutputSettings


def described(path: Path) -> list[tuple[str, str, int, str | None]]:
    with av.open(str(path), metadata_errors="replace") as container:
        return [
            (s.type, s.codec_context.name if s.codec_context else "", int(s.disposition), s.metadata.get("language"))
            for s in container.streams
        ]


def chapters(path: Path) -> list[tuple[object, object, str]]:
    with av.open(str(path)) as container:
        return [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
                for c in container.chapters()]  # fmt: skip


CASES = [
    (".mp4", ("aac", "aac"), "mov_text", False),
    (".mov", ("aac", "pcm_s16le"), "mov_text", False),
    (".mkv", ("aac", "flac", "pcm_s16le"), "subrip", True),
]


@pytest.mark.parametrize(("ending", "audios", "subtitle", "attachment"), CASES)
def test_every_other_stream_is_copied_bit_for_bit(
    tmp_path: Path, ending: str, audios: tuple[str, ...], subtitle: str, attachment: bool
) -> None:
    path = streams.write_rich(tmp_path / f"a{ending}", audios=audios, subtitle=subtitle, attachment=attachment)
    plan, notes = rewrite(path)
    assert notes == ()
    assert described(plan.path) == described(path)
    hashes = streams.packet_hashes(path)
    assert len(hashes) == len(audios) + 1
    assert streams.packet_hashes(plan.path) == hashes
    for number in range(len(audios)):
        assert streams.packet_times(plan.path, "audio", number) == streams.packet_times(path, "audio", number)
    assert streams.packet_times(plan.path, "subtitle") == streams.packet_times(path, "subtitle")
    assert streams.packet_times(plan.path, "video") == streams.packet_times(path, "video")


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_chapters_and_metadata_are_copied(tmp_path: Path, ending: str) -> None:
    path = streams.write_rich(tmp_path / f"a{ending}")
    plan, _ = rewrite(path)
    assert chapters(plan.path) == chapters(path)
    assert len(chapters(path)) == 2
    with av.open(str(plan.path)) as container:
        kept = {key.lower(): value for key, value in container.metadata.items()}
    assert (kept["title"], kept["comment"], kept["artist"]) == ("A day at sea", "made by code", "nobody")


def test_attachments_are_copied_into_matroska_and_named_where_they_can_not_be(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=("aac",), attachment=True)
    plan, notes = rewrite(path)
    assert notes == ()
    with av.open(str(path)) as before, av.open(str(plan.path)) as after:
        (wanted,), (found,) = (
            [(s.data, s.metadata.get("filename"), s.mimetype) for s in c.streams if s.type == "attachment"]
            for c in (before, after)
        )
    assert found == wanted
    assert found[0] == b"not really a font" * 10
    _, notes = rewrite(path, tmp_path / "b.mp4")
    assert notes == ("stream 2 (attachment) is left out: .mp4 files take no attachments",)


def test_mov_text_becomes_plain_text_in_matroska_with_its_words_and_times(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mp4", subtitle="mov_text")
    _, notes = rewrite(path, tmp_path / "b.mkv")
    assert notes == ("subtitle stream 3 becomes plain text (SubRip): Matroska has no mov_text",)
    start = streams.packet_times(tmp_path / "b.mkv", "video")[0]  # Matroska begins with the sound's first packet
    with av.open(str(tmp_path / "b.mkv")) as container:
        words = [
            (bytes(p), p.pts * p.time_base - start, p.duration * p.time_base)
            for p in container.demux(subtitles=0)
            if p.size
        ]
    with av.open(str(path)) as container:
        original = [
            (bytes(p)[2:], p.pts * p.time_base, p.duration * p.time_base)
            for p in container.demux(subtitles=0)
            if p.size > 2
        ]
    assert words == original
    assert words[0][0] == b"line 0"


@pytest.mark.parametrize(("ending", "spoken"), [(".mp4", "nld"), (".mov", "dut")])
@pytest.mark.parametrize(
    ("kind", "name", "payload"),
    [
        ("subrip", "SubRip", "A <i>slanted</i> word\nin two lines"),
        ("webvtt", "WebVTT", "A <i>slanted</i> word\nin two lines"),
        ("ass", "ASS", "0,0,Default,,0,0,0,,A {\\i1}slanted{\\i0} word\\Nin two lines"),
    ],
)
def test_text_subtitles_become_those_of_a_film_with_their_words_times_and_italics(
    tmp_path: Path, ending: str, spoken: str, kind: str, name: str, payload: str
) -> None:
    path = tmp_path / "a.mkv"
    silent = streams.write_rich(tmp_path / "silent.mkv", audios=(), chapters=False)
    times = [(0, 300), (300, 200), (300, 200), (700, 50)]  # two of them at once
    with av.open(str(silent)) as before, av.open(str(path), "w") as after:
        copy = after.add_stream_from_template(before.streams[0])
        text = after.add_mux_stream(kind, time_base=Fraction(1, 1000))
        text.metadata["language"] = "nld"
        for packet in before.demux():
            if packet.size:
                packet.stream = copy
                after.mux(packet)
        for start, length in times:
            packet = av.Packet(payload.encode())
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = length, Fraction(1, 1000), text
            after.mux(packet)
    plan, notes = rewrite(path, tmp_path / f"b{ending}")
    assert notes == (
        f"subtitle stream 1 ({name}) becomes mov_text, all that {ending} files take; it keeps bold and italics, not "
        "places and other styles",
    )
    assert described(plan.path)[1] == ("subtitle", "mov_text", int(av.stream.Disposition.default), spoken)
    with av.open(str(plan.path)) as container:
        samples = [(p.pts * p.time_base * 1000, bytes(p)) for p in container.demux(subtitles=0) if p.size > 2]
    words = b"A slanted word\nin two lines"
    assert [time for time, _ in samples] == [0, 300, 300, 700]
    for _, sample in samples:
        assert sample[: 2 + len(words)] == len(words).to_bytes(2, "big") + words
        assert sample[2 + len(words) + 4 :][:4] == b"styl"
        styles = sample[2 + len(words) + 10 :]
        slanted = [styles[n : n + 7] for n in range(0, len(styles), 12) if styles[n + 6 : n + 7] == b"\2"]
        assert slanted == [b"\0\2\0\x09\0\1\2"]
        assert styles[7] > 0  # a size
        assert styles[11] == 255  # and no transparent colour


@pytest.mark.parametrize(("codec", "ending"), [("flac", ".mov"), ("flac", ".ts"), ("opus", ".mov")])
def test_a_film_does_not_lose_all_its_sound_where_another_file_would_keep_it(
    tmp_path: Path, codec: str, ending: str
) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=({"opus": "libopus"}.get(codec, codec),), chapters=False)
    with pytest.raises(OutputError, match=rf"{ending} files take no {codec} sound.*all of it would be lost.*\.mkv"):
        rewrite(path, tmp_path / f"b{ending}")
    assert [name.name for name in tmp_path.iterdir()] == ["a.mkv"]


def test_a_cover_picture_is_copied(tmp_path: Path) -> None:
    path = streams.write_with_cover(tmp_path / "a.mp4", video=True)
    plan, notes = rewrite(path)
    assert notes == ()
    assert described(plan.path) == described(path)
    assert sorted(streams.packet_hashes(plan.path, ("audio",))) == sorted(streams.packet_hashes(path, ("audio",)))
    cover = next(n for n, d in enumerate(described(path)) if d[1] == "mjpeg")
    with av.open(str(path)) as before, av.open(str(plan.path)) as after:
        pictures = [[bytes(p) for p in c.demux(c.streams[cover]) if p.size] for c in (before, after)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("chaptered", "timecode"), [(True, None), (False, "01:02:03:04"), (True, "01:02:03:04")])
def test_cover_art_is_found_behind_the_tracks_of_chapters_and_timecode(
    tmp_path: Path, first: bool, chaptered: bool, timecode: str | None
) -> None:
    path = streams.write_with_cover(tmp_path / "a.mp4", video=True, first=first, chapters=chaptered, timecode=timecode)
    plan, notes = rewrite(path)
    assert not any("stream" in note for note in notes)
    assert [kind[:2] for kind in described(plan.path)] == [kind[:2] for kind in described(path)]
    assert chapters(plan.path) == chapters(path)
    hashes = [streams.packet_hashes(file, ("audio", "video"))[-1] for file in (path, plan.path)]
    assert hashes[0] == hashes[1]
    with av.open(str(plan.path)) as container:
        assert container.streams.video[0].metadata.get("timecode") == timecode


def test_sound_that_starts_late_or_ends_late_keeps_its_times(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", frames=5, audios=("aac",))
    late = streams.shift_audio(path, tmp_path / "late.mkv", seconds=2)
    plan, _ = rewrite(late)
    assert streams.packet_times(plan.path, "audio") == streams.packet_times(late, "audio")
    assert streams.packet_times(plan.path, "audio")[0] > 1.9


def test_several_videos_are_copied_beside_the_graded_one(tmp_path: Path) -> None:
    path = streams.write_two_videos(tmp_path / "a.mkv")
    plan, _ = rewrite(path)
    with av.open(str(path)) as before, av.open(str(plan.path)) as after:
        assert len(after.streams.video) == 2
        best = before.streams.best("video").index
        other = 1 - best
        packets = [[bytes(p) for p in c.demux(c.streams[other]) if p.size] for c in (before, after)]
    assert packets[0] == packets[1]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_stream_without_packets_is_left_out_where_the_container_writes_none(tmp_path: Path, ending: str) -> None:
    """The other streams keep their order and are checked under their new numbers."""
    path = tmp_path / "a.mkv"
    rich = streams.write_rich(tmp_path / "rich.mkv", audios=("aac", "aac", "aac"), chapters=False)
    with av.open(str(rich)) as before, av.open(str(path), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        for packet in before.demux():
            if packet.size and packet.stream.index != 2:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    plan, notes = rewrite(path, tmp_path / f"b{ending}")
    kinds = [stream[0] for stream in described(plan.path)]
    if ending == ".mp4":
        assert notes == ("stream 2 (audio) is left out: it is empty",)
        assert kinds == ["video", "audio", "audio"]
    else:
        assert notes == ()
        assert kinds == ["video", "audio", "audio", "audio"]
    hashes = [digest for _, digest in streams.packet_hashes(path)]
    assert [d for _, d in streams.packet_hashes(plan.path)] == [
        hashes[n] for n in range(3) if n != 1 or ending == ".mkv"
    ]


@pytest.mark.parametrize("again", [False, True])
def test_cover_art_is_an_attachment_of_a_matroska_file_and_cover_art_again(tmp_path: Path, again: bool) -> None:
    path = streams.write_with_cover(tmp_path / "a.mp4", video=True)
    with av.open(str(path)) as container:
        cover = next(stream for stream in container.streams.video if is_cover(stream))
        picture = next(bytes(packet) for packet in container.demux(cover) if packet.size)
    _, notes = rewrite(path, tmp_path / "b.mkv")
    found = tmp_path / "b.mkv"
    if again:
        _, notes = rewrite(found, tmp_path / "c.mkv")
        found = tmp_path / "c.mkv"
    assert notes == ()
    with av.open(str(found)) as container:
        (cover,) = [stream for stream in container.streams.video if is_cover(stream)]
        assert (cover.metadata["filename"], cover.metadata["mimetype"]) == ("cover.jpg", "image/jpeg")
        assert [bytes(packet) for packet in container.demux(cover) if packet.size] == [picture]


@pytest.mark.parametrize("name", ["b.mov", "b.ts"])
def test_cover_art_that_a_container_does_not_take_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    path = streams.write_with_cover(tmp_path / "a.mp4", video=True)
    _, notes = rewrite(path, tmp_path / name)
    assert [note for note in notes if "cover" in note] == [
        f"stream 2 (video) is left out: {(tmp_path / name).suffix} files take no cover art"
    ]


@pytest.mark.parametrize(
    ("name", "codec", "kind"), [("b.ts", "flac", "flac"), ("b.ts", "pcm_s16le", "pcm_s16le"), ("b.mov", "flac", "flac")]
)
def test_sound_that_a_container_has_no_name_for_is_left_out_and_named_before_the_first_frame(
    tmp_path: Path, name: str, codec: str, kind: str
) -> None:
    film = probe(streams.write_rich(tmp_path / "a.mkv", audios=("aac", codec), chapters=False))
    plan = resolve_output(film, tmp_path / name, OutputSettings())
    with Writer(film, plan, tmp_path / f"temporary{plan.path.suffix}") as writer:
        assert (
            f"stream 2 (audio) is left out: {plan.path.suffix} files take no {kind} streams; .mkv files do"
            in writer.notes
        )
    rewrite(film.path, plan.path)  # what is left passes the check
    assert [kind for kind, *_ in described(plan.path)] == ["video", "audio"]


def test_subtitles_that_a_transport_stream_has_no_name_for_are_left_out_and_said(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=("aac",), subtitle="ass")
    _, notes = rewrite(path, tmp_path / "b.ts")
    assert "stream 2 (subtitle) is left out: .ts files take no ass subtitles; .mkv files do" in notes
    assert "metadata are left out: .ts files hold no ARTIST, COMMENT, title" in notes


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_titles_of_tracks_are_kept_however_often_a_clip_is_graded(tmp_path: Path, ending: str) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=("aac", "aac"), chapters=False)
    with av.open(str(path)) as before, av.open(str(tmp_path / "b.mkv"), "w") as after:
        copies = [after.add_stream_from_template(s, opaque=True) for s in before.streams]
        for copy, title in zip(copies, ("Film", "Original", "Commentary"), strict=True):
            copy.metadata["title"] = title
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    rewrite(tmp_path / "b.mkv", tmp_path / f"c{ending}")
    rewrite(tmp_path / f"c{ending}", tmp_path / f"d{ending}")
    rewrite(tmp_path / f"d{ending}", tmp_path / "e.mkv")
    with av.open(str(tmp_path / "e.mkv")) as container:
        assert [s.metadata.get("title") for s in container.streams] == ["Film", "Original", "Commentary"]


@pytest.mark.parametrize(("name", "german"), [("b.mp4", "deu"), ("b.mov", "ger"), ("b.mkv", "deu")])
def test_languages_are_kept_in_a_spelling_that_the_container_knows(tmp_path: Path, name: str, german: str) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=("aac", "aac", "aac"), chapters=False)
    rewrite(path, tmp_path / name)
    assert [language for kind, _, _, language in described(tmp_path / name) if kind == "audio"] == [
        "eng",
        german,
        "fra",
    ]


def film(path: Path, metadata: dict[str, str], named: bool = False, **of_stream: str) -> Path:
    options = {"movflags": "use_metadata_tags"} if named else {}
    with av.open(str(path), "w", container_options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=25, width=64, height=48)
        stream.metadata.update(of_stream)
        for index in range(3):
            frame = streams.frame_of(streams.moving_planes(index, 64, 48), "yuv420p", 64, 48)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def entries(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return dict(container.metadata)


FROM_A_CAMERA = {
    "title": "A day at sea",
    "artist": "nobody",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.creationdate": "2024-01-01T00:00:00+0100",
    "com.apple.quicktime.location.ISO6709": "+48.1+011.5/",
    "com.android.version": "14",
    "REPLAYGAIN_TRACK_GAIN": "-3 dB",
}


@pytest.mark.parametrize("source", [".mp4", ".mov"])
@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
def test_what_a_camera_writes_into_a_film_is_kept_under_its_names(tmp_path: Path, source: str, target: str) -> None:
    path = film(tmp_path / f"a{source}", FROM_A_CAMERA, named=True)
    assert rewrite(path, tmp_path / f"b{target}")[1] == ()
    found = {key.lower(): value for key, value in entries(tmp_path / f"b{target}").items()}
    assert {key: found.get(key.lower()) for key in FROM_A_CAMERA} == FROM_A_CAMERA


def test_usual_metadata_stay_where_players_look_for_them(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", {"title": "A day at sea"})
    rewrite(path, tmp_path / "b.mp4")
    assert b"\xa9nam" in (tmp_path / "b.mp4").read_bytes()


def test_metadata_of_another_kind_of_file_that_films_have_no_place_for_are_named(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", {"title": "A day at sea", "MOOD": "calm"})
    assert rewrite(path, tmp_path / "b.mp4")[1] == ("metadata are left out: .mp4 files have no usual place for MOOD",)
    assert entries(tmp_path / "b.mp4")["title"] == "A day at sea"


def test_a_timecode_and_its_reel_are_kept_as_a_track_and_nothing_says_that_they_are_lost(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", {"timecode": "01:02:03:04"})
    assert rewrite(path, tmp_path / "b.mov")[1] == ()
    path = film(tmp_path / "c.mov", {"timecode": "01:02:03:04"}, reel_name="A001")
    assert rewrite(path, tmp_path / "d.mov")[1] == ()
    for name in ("b.mov", "d.mov"):
        with av.open(str(tmp_path / name)) as container:
            (track,) = container.streams.data
            assert track.metadata["timecode"] == "01:02:03:04"
    assert track.metadata["reel_name"] == "A001"


def test_a_role_that_a_container_does_not_tell_is_named_and_one_that_it_tells_is_kept(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mp4", audios=("aac", "aac"), chapters=False)
    assert rewrite(path, tmp_path / "b.mov")[1] == (
        "stream 2 (audio) loses its role: .mov files have no place for comment",
    )
    assert rewrite(path, tmp_path / "b.mkv")[1] == ()
    assert described(tmp_path / "b.mkv")[2][2] & av.stream.Disposition.comment
