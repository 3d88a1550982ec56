#!/usr/bin/env bash
# Grade a video with the colours of a picture; installs streamct first.
#
#   bash scripts/quickstart.sh                    grades a clip that it makes itself
#   bash scripts/quickstart.sh IN.mp4 REF.jpg     grades yours; further options go to `streamct video`
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -eq 1 ]; then
    echo "usage: bash scripts/quickstart.sh [VIDEO REFERENCE [options of streamct video]]" >&2
    exit 2
fi
. "$here/venv.sh"
if [ $# -eq 0 ]; then
    folder="$here/../quickstart"
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    echo "Making a clip with sound and a reference picture in $folder" >&2
    python "$here/make_example.py" "$folder"
    set -- "$folder/clip.mp4" "$folder/reference.png" -y
fi
exec streamct video "$@"
