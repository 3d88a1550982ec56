"""Options that commands share. Their defaults live in `streamct.settings`; here None means "not given"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streamct.references import References as References_
    from streamct.settings import Settings

LOOK, TIME, REGIONS, ENCODING, BEHAVIOUR = "Look", "Time", "Foreground", "Encoding", "Behaviour"
ENGINE = "Machines"


def _option(*names: str, help: str, panel: str, values: tuple[str, ...] = ()) -> Any:
    """values: what shell completion offers; the settings themselves say what is valid."""

    def complete(begun: str) -> list[str]:
        return [value for value in values if value.startswith(begun)]

    return typer.Option(
        *names, help=help, rich_help_panel=panel, show_default=False, autocompletion=complete if values else None
    )


References = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REF...",
        help="The wanted colours: a picture, a video or a palette (.json); several by weight as a.jpg b.jpg:0.5.",
        show_default=False,
    ),
]
PaletteFile = Annotated[
    Path | None, _option("--palette", help="A palette (.json) from `streamct palette`, instead of REF.", panel=LOOK)
]
Map = Annotated[
    Path | None, _option("--map", help="A map (.json) from `streamct map`, edited or not, instead of REF.", panel=LOOK)
]
RefFrom = Annotated[
    str | None, _option("--ref-from", help="Of a reference video, begin here: [[hh:]mm:]ss[.fff].", panel=LOOK)
]
RefTo = Annotated[str | None, _option("--ref-to", help="Of a reference video, end here.", panel=LOOK)]
Preset = Annotated[
    str | None,
    _option(
        "--preset",
        "-p",
        help="film (default), paper (as published) or draft (fast).",
        values=("film", "paper", "draft"),
        panel=LOOK,
    ),
]
Config = Annotated[Path | None, _option("--config", help="TOML file of settings; flags go over it.", panel=LOOK)]
Strength = Annotated[
    float | None,
    _option("--strength", help="How much of the shift: 0 none, 1 all (default), up to 2.", panel=LOOK),
]
Alpha = Annotated[
    float | None,
    _option("--alpha", "--lightness", help="Weight of the mapped lightness, 0..1; 0.3 by default.", panel=LOOK),
]
PaletteSize = Annotated[
    int | None, _option("--palette-size", help="Most colours in a palette, 1..64; 32 by default.", panel=LOOK)
]
Correspondence = Annotated[
    str | None,
    _option(
        "--correspondence",
        help="transport (film) or nearest (paper): how palettes are matched.",
        values=("transport", "nearest"),
        panel=LOOK,
    ),
]
Propagation = Annotated[
    str | None,
    _option(
        "--propagation",
        help="offset (film) or absolute (paper): what unmatched colours follow.",
        values=("offset", "absolute"),
        panel=LOOK,
    ),
]
Assignment = Annotated[
    str | None,
    _option(
        "--assignment",
        help="soft (film) or hard (paper): how a pixel follows the palette.",
        values=("soft", "hard"),
        panel=LOOK,
    ),
]
Reach = Annotated[
    float | None,
    _option(
        "--reach", help="Matches farther than this (Delta E) are not taken; 40 by default, 500: no limit.", panel=LOOK
    ),
]
Chroma = Annotated[
    float | None,
    _option("--chroma", help="How much of the shift in a,b: 0 none, 1 all (default), up to 2.", panel=LOOK),
]
Regions = Annotated[
    str | None,
    _option(
        "--regions",
        help="What is graded where there is a mask: both (default), fg or bg.",
        values=("both", "fg", "bg"),
        panel=REGIONS,
    ),
]
LutIn = Annotated[
    Path | None,
    _option("--lut-in", help="For log footage: a .cube to Rec.709 that comes before analysis and grade.", panel=LOOK),
]
ProtectSkin = Annotated[
    bool | None,
    _option("--protect-skin", help="Hues in the skin range turn by 8 degrees at most.", panel=LOOK),
]
Temporal = Annotated[
    str | None,
    _option(
        "--temporal",
        help="window (default): steady over time; shot: one grade a shot, in two passes; off: frame by frame.",
        values=("window", "shot", "off"),
        panel=TIME,
    ),
]
Radius = Annotated[
    int | None,
    _option("--radius", help="Frames either side that steady a frame, 1..120; 16 by default.", panel=TIME),
]
Start = Annotated[
    str | None,
    _option("--from", help="Begin here: seconds, hh:mm:ss.mmm or hh:mm:ss:ff from the first frame.", panel=TIME),
]
Stop = Annotated[str | None, _option("--to", help="End before this time; counted likewise.", panel=TIME)]
Cuts = Annotated[
    Path | None,
    _option(
        "--cuts",
        help="Where shots begin: a list of frames (from 0), hh:mm:ss.mmm or hh:mm:ss:ff, or an EDL. Else found; a "
        "flash of up to 4 frames is no cut.",
        panel=TIME,
    ),
]
Track = Annotated[
    Path | None, _option("--track", help="With --temporal shot: a saved track, which spares a pass.", panel=TIME)
]
SaveTrack = Annotated[
    Path | None, _option("--save-track", help="With --temporal shot: file for the shots and palettes.", panel=TIME)
]
Segmenter = Annotated[
    str | None,
    _option(
        "--segmenter",
        help="none (default): one region; auto; or deeplabv3-resnet101, deeplabv3-resnet50, deeplabv3-mobilenet.",
        panel=REGIONS,
        values=("none", "auto", "deeplabv3-resnet101", "deeplabv3-resnet50", "deeplabv3-mobilenet"),
    ),
]
Classes = Annotated[
    str | None,
    _option("--classes", help="What is foreground: person,dog,... (Pascal VOC); all by default.", panel=REGIONS),
]
Weights = Annotated[
    Path | None,
    _option("--weights", help="A DeepLabV3 checkpoint instead of torchvision's, which is fetched.", panel=REGIONS),
]
SegmentSize = Annotated[
    int | None,
    _option("--segment-size", help="Long edge of the network's input; 520 on a GPU, 384 on a CPU.", panel=REGIONS),
]
SegmentDevice = Annotated[
    str | None,
    _option(
        "--segment-device",
        help="Where the network runs: auto (default: a GPU if there is one), cpu or cuda.",
        values=("auto", "cpu", "cuda"),
        panel=REGIONS,
    ),
]
SegmentEvery = Annotated[
    int | None,
    _option("--segment-every", help="The network sees every n-th frame; 1 on a GPU, 4 on a CPU.", panel=REGIONS),
]
SaveMasks = Annotated[
    Path | None,
    _option(
        "--save-masks",
        help="Folder for the masks, upright PNGs; --mask takes them back, with --segmenter or --ref-mask for REF.",
        panel=REGIONS,
    ),
]
Mask = Annotated[
    Path | None,
    _option(
        "--mask",
        help="White = foreground, upright: a picture, a folder with one a frame, or a video. Of class maps: all.",
        panel=REGIONS,
    ),
]
StillMask = Annotated[
    Path | None, _option("--mask", help="A picture, white = foreground; or a class map.", panel=REGIONS)
]
SaveMask = Annotated[
    Path | None,
    _option("--save-mask", help="PNG for the foreground of a picture; --ref-mask takes it back.", panel=REGIONS),
]
RefMask = Annotated[
    Path | None, _option("--ref-mask", help="The reference's foreground, a picture like --mask.", panel=REGIONS)
]
Codec = Annotated[
    str | None,
    _option(
        "--codec",
        help="The source's by default; h264, hevc, ffv1 (lossless), vp9, av1, prores, ..., h264_nvenc, hevc_qsv, ...",
        values=("auto", "h264", "hevc", "ffv1", "vp9", "av1", "prores", "dnxhr", "mjpeg"),
        panel=ENCODING,
    ),
]
Crf = Annotated[
    float | None,
    _option(
        "--crf",
        help="Constant quality, lower is better; visually clean by default (16 for h264).",
        panel=ENCODING,
    ),
]
EncoderPreset = Annotated[
    str | None,
    _option("--encoder-preset", help="Encoder speed; veryfast by default for h264.", panel=ENCODING),
]
PixFmt = Annotated[str | None, _option("--pix-fmt", help="Pixel format; the source's by default.", panel=ENCODING)]
Format = Annotated[
    str | None,
    _option(
        "--format",
        help="Container of -o -: matroska (default), nut, y4m or mpegts; a file's follows its ending.",
        values=("matroska", "nut", "y4m", "mpegts"),
        panel=ENCODING,
    ),
]
Quality = Annotated[
    int | None,
    _option("--quality", help="JPEG, WebP and AVIF quality, 1..100; 95 by default.", panel=ENCODING),
]
Stream = Annotated[
    int | None,
    _option("--stream", "-s", help="Index of the video stream to grade; the best by default.", panel=ENCODING),
]
Rate = Annotated[str | None, _option("--rate", help="Frames/s of numbered pictures; 24 by default.", panel=ENCODING)]
Hwaccel = Annotated[
    str | None,
    _option(
        "--hwaccel",
        help="Decode on a device if it can: cuda, qsv, vaapi, videotoolbox, ...",
        values=("cuda", "qsv", "vaapi", "videotoolbox"),
        panel=ENCODING,
    ),
]
TolerateCorrupt = Annotated[
    bool, _option("--tolerate-corrupt", help="Grade what decodes of a damaged file, and report it.", panel=BEHAVIOUR)
]
Engine = Annotated[
    str,
    _option(
        "--engine",
        help="auto (default): ray with an address or several GPUs, else local; ray without an address: all cores here.",
        values=("auto", "local", "ray"),
        panel=ENGINE,
    ),
]
Spans = Annotated[
    int | None,
    _option("--spans", help="Divide a clip into so many parts; on ray about 600 frames each by default.", panel=ENGINE),
]
Address = Annotated[
    str | None, _option("--address", help="Of a Ray cluster, HOST:PORT or auto; else RAY_ADDRESS.", panel=ENGINE)
]
CpuWorkers = Annotated[
    int | None,
    _option("--cpu-workers", help="Workers that grade; on ray one for two cores by default.", panel=ENGINE),
]
GpuWorkers = Annotated[
    int | None,
    _option("--gpu-workers", help="Workers that segment on GPUs; as many as fit by default, 0: on CPU.", panel=ENGINE),
]
GpusPerWorker = Annotated[
    float | None, _option("--gpus-per-worker", help="GPUs of each of them, such as 0.5; 1 by default.", panel=ENGINE)
]
Overwrite = Annotated[bool, _option("--overwrite", "-y", help="Replace an existing output.", panel=BEHAVIOUR)]
Quiet = Annotated[bool, _option("--quiet", "-q", help="Only errors.", panel=BEHAVIOUR)]
Verbose = Annotated[
    bool, _option("--verbose", "-v", help="More detail; errors come with their cause.", panel=BEHAVIOUR)
]
Json = Annotated[bool, _option("--json", help="One JSON object per event on stdout.", panel=BEHAVIOUR)]


def wanted(
    given: list[str] | Path | None,
    palette: Path | None = None,
    map: Path | None = None,
    start: str | None = None,
    stop: str | None = None,
) -> References_ | None:
    """What the colours come from; None where a map says it.

    Raises:
        UsageError: nothing, or too much, says it.
    """
    from streamct.errors import UsageError
    from streamct.references import references

    if palette is not None and (given or map is not None):
        other = f"--map {map}" if not given else given if isinstance(given, Path) else given[0]
        raise UsageError(
            f"--palette {palette}: stands in for {other}. Leave one of them out; to mix palettes and pictures, "
            "name them one after the other, with weights."
        )
    if palette is not None:
        return references(palette, start=start, stop=stop)
    if not given and map is not None:
        return None
    return references(given or None, start=start, stop=stop)


def _class_names(given: str) -> tuple[str, ...]:
    """The names in a list with commas.

    Raises:
        UsageError: there is none.
    """
    from streamct.errors import UsageError

    names = tuple(filter(None, map(str.strip, given.split(","))))
    if not names:
        raise UsageError(f"--classes {given!r}: names no class. Give some, such as person,dog, or leave it out.")
    return names


def build_settings(
    preset: str | None,
    config: Path | None,
    *,
    strength: float | None = None,
    alpha: float | None = None,
    palette_size: int | None = None,
    correspondence: str | None = None,
    propagation: str | None = None,
    assignment: str | None = None,
    reach: float | None = None,
    protect_skin: bool | None = None,
    chroma: float | None = None,
    regions: str | None = None,
    lut_in: Path | None = None,
    temporal: str | None = None,
    radius: int | None = None,
    segmenter: str | None = None,
    classes: str | None = None,
    weights: Path | None = None,
    segment_size: int | None = None,
    segment_device: str | None = None,
    segment_every: int | None = None,
    codec: str | None = None,
    crf: float | None = None,
    encoder_preset: str | None = None,
    pix_fmt: str | None = None,
    pipe_format: str | None = None,
    quality: int | None = None,
) -> Settings:
    """Settings from preset, config file and flags.

    Raises:
        SettingsError: see `streamct.settings.load`. UsageError: `classes` names none.
    """
    from streamct.settings import load

    given = {
        "mapping__strength": ("--strength", strength),
        "mapping__alpha": ("--alpha (--lightness)", alpha),
        "palette__size": ("--palette-size", palette_size),
        "mapping__correspondence": ("--correspondence", correspondence),
        "mapping__propagation": ("--propagation", propagation),
        "mapping__assignment": ("--assignment", assignment),
        "mapping__reach": ("--reach", reach),
        "mapping__protect_skin": ("--protect-skin", protect_skin),
        "mapping__chroma": ("--chroma", chroma),
        "mapping__regions": ("--regions", regions),
        "input__lut": ("--lut-in", lut_in),
        "time__mode": ("--temporal", temporal),
        "time__radius": ("--radius", radius),
        "segment__segmenter": ("--segmenter", segmenter),
        "segment__classes": ("--classes", None if classes is None else _class_names(classes)),
        "segment__weights": ("--weights", weights),
        "segment__size": ("--segment-size", segment_size),
        "segment__device": ("--segment-device", segment_device),
        "segment__every": ("--segment-every", segment_every),
        "output__codec": ("--codec", codec),
        "output__crf": ("--crf", crf),
        "output__encoder_preset": ("--encoder-preset", encoder_preset),
        "output__pix_fmt": ("--pix-fmt", pix_fmt),
        "output__pipe_format": ("--format", pipe_format),
        "output__quality": ("--quality", quality),
    }
    values = {key: value for key, (_, value) in given.items()}
    return load(preset, config, values, {key: flag for key, (flag, _) in given.items()})
