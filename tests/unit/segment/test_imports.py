"""Nothing of torch is loaded by who does not segment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clips import moving_picture, write_clip

from streamct.media.image import save_png

_CHECK = "import sys; heavy = {'torch', 'torchvision', 'ray'} & set(sys.modules); assert not heavy, heavy"


def test_importing_streamct_and_its_command_line_loads_no_torch() -> None:
    subprocess.run(
        [sys.executable, "-c", f"import streamct, streamct.pipeline, streamct.cli.app; {_CHECK}"], check=True
    )


def test_a_run_without_a_segmenter_loads_no_torch(tmp_path: Path) -> None:
    pictures = moving_picture(4)
    clip = write_clip(tmp_path / "in.mkv", pictures, codec="ffv1")
    save_png(tmp_path / "ref.png", pictures[0])
    code = f"""
import streamct
report = streamct.transfer_video({str(clip)!r}, {str(tmp_path / "ref.png")!r}, {str(tmp_path / "out.mkv")!r})
assert report.segmenter == "none" and report.frames == 4
{_CHECK}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
