#!/bin/bash
# Folders under ill treatment, over real processes: prints what happened and how long it took, ends non-zero at the first
# promise that is broken.
#
#   bash scripts/soak_batch.sh DATA [ENGINE]     DATA: clips/ and refs/ (see CONTRIBUTING.md). ENGINE: local (default), ray
#   PYTHON=... chooses the interpreter.
set -euo pipefail
data=$(realpath "${1:?DATA}")
engine=${2:-local}
python=${PYTHON:-python}
scene=$(mktemp -d /tmp/streamct-soak-XXXXXX)
trap 'rm -rf "$scene"' EXIT
main=("$python" -c "from streamct.cli import main; main()")
streamct() { "${main[@]}" "$@"; }
seconds() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(seconds)" 'BEGIN { printf "%.1f s", b - a }'; }
said() { printf '%-58s %s\n' "$1" "$2"; }
broken() { printf 'BROKEN: %s\n' "$1" >&2; exit 1; }
digests() { (cd "$1" && find . -name "*.mkv" -exec sha256sum {} + | sort -k2); }
frames() { "$python" - "$1" <<'PY'
import hashlib, sys
from pathlib import Path
import av
for path in sorted(Path(sys.argv[1]).rglob("*.mkv")):
    whole = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            whole.update(str(frame.pts).encode())
            for plane in frame.planes:
                whole.update(bytes(plane))
    print(path.name, whole.hexdigest()[:16])
PY
}

mkdir "$scene/in"
cp "$data"/clips/{mdn-flower,tc-nasa_13013,davis-blackswan}.mp4 "$scene/in/"
reference=$data/refs/jr-woods.jpg
batch=(batch "$scene/in" "$reference" --engine "$engine" --cpu-workers 2 --codec ffv1 --spans 3)

began=$(seconds)
streamct "${batch[@]}" -o "$scene/clean" -q >/dev/null
frames "$scene/clean" > "$scene/clean.txt"
said "clean run" "$(since "$began")"

# The driver is killed, three times, and the same command run again.
for round in 1 2 3; do
    out=$scene/killed$round
    "${main[@]}" "${batch[@]}" -o "$out" -q --json > "$scene/events" 2>/dev/null &
    driver=$!
    until [ "$(ls "$out/.streamct" 2>/dev/null | grep -c 'part.span$')" -ge "$round" ] || ! kill -0 $driver 2>/dev/null; do
        sleep 0.1
    done
    kill -9 $driver 2>/dev/null || true
    wait $driver 2>/dev/null || true
    (cd "$out/.streamct" && stat -c '%n %Y.%y' ./*.part.span 2>/dev/null || true) > "$scene/parts"
    finished=$(find "$out" -maxdepth 1 -name "*.mkv" | wc -l)
    began=$(seconds)
    streamct "${batch[@]}" -o "$out" -q --json > "$scene/events"
    took=$(since "$began")
    reused=$("$python" - "$scene/events" <<'PY'
import json, sys
report = json.loads(open(sys.argv[1]).read().splitlines()[-1])["report"]
print(sum(f["details"].get("parts reused", 0) for f in report["files"] if f["status"] == "done"))
PY
    )
    frames "$out" > "$scene/again.txt"
    cmp -s "$scene/clean.txt" "$scene/again.txt" || broken "after kill -9 the frames differ"
    [ -z "$(find "$out" -name '*partial*')" ] || broken "temporary files are left: $(find "$out" -name '*partial*')"
    [ "$(wc -l < "$scene/parts")" -le $((reused + 1)) ] || broken "$(wc -l < "$scene/parts") parts were there, $reused were used"
    said "kill -9 with $(wc -l < "$scene/parts") parts, $finished outputs; again" "$took, $reused parts reused, frames identical"
done

# Ctrl-C: 130, in two seconds, with what is finished kept.
out=$scene/stopped
"${main[@]}" "${batch[@]}" -o "$out" > /dev/null 2> "$scene/said" &
driver=$!
until ls "$out/.streamct"/*.part.span > /dev/null 2>&1; do sleep 0.1; done
began=$(seconds)
kill -INT $driver
code=0
wait $driver || code=$?
took=$(since "$began")
[ $code = 130 ] || broken "Ctrl-C left with $code: $(cat "$scene/said")"
[ -z "$(find "$out" -name '*partial*')" ] || broken "temporary files are left after Ctrl-C"
streamct "${batch[@]}" -o "$out" -q > /dev/null
frames "$out" > "$scene/again.txt"
cmp -s "$scene/clean.txt" "$scene/again.txt" || broken "after Ctrl-C the frames differ"
said "Ctrl-C" "exit 130 after $took; again: frames identical"

# The same command again does nothing.
before=$(find "$out" -name "*.mkv" -exec stat -c '%n %y' {} + | sort)
began=$(seconds)
streamct "${batch[@]}" -o "$out" -q > /dev/null
[ "$before" = "$(find "$out" -name "*.mkv" -exec stat -c '%n %y' {} + | sort)" ] || broken "finished outputs were touched"
said "nothing to do" "$(since "$began")"

# Odd files among good ones.
: > "$scene/in/empty.mp4"
echo "no video" > "$scene/in/text.mp4"
code=0
streamct batch "$scene/in" "$scene/in/gone.mp4" "$reference" --engine "$engine" --codec ffv1 -o "$scene/odd" -q \
    > "$scene/listed" 2> "$scene/said" || code=$?
[ $code = 1 ] || broken "odd files left with $code: $(cat "$scene/said")"
[ "$(wc -l < "$scene/listed")" = 3 ] || broken "of three good files these came out: $(cat "$scene/listed")"
[ "$(grep -c '^failed: ' "$scene/said")" = 3 ] || broken "of three odd files these were told: $(cat "$scene/said")"
said "0 bytes, text, missing" "3 told, 3 graded, exit 1"

# Through Ray's own job queue, for which its dashboard has to be installed.
if "$python" -c "import aiohttp, ray.dashboard.modules.job.sdk" 2>/dev/null; then
    port=$((20000 + RANDOM % 10000))
    export RAY_AUTH_MODE=disabled RAY_TMPDIR=$scene/ray
    "$python" -m ray.scripts.scripts start --head --block --num-cpus 2 --port "$port" --dashboard-port $((port + 1)) --disable-usage-stats \
        > "$scene/ray.log" 2>&1 &
    cluster=$!
    until (exec 3<> "/dev/tcp/127.0.0.1/$((port + 1))") 2> /dev/null || ! kill -0 $cluster; do sleep 0.5; done
    began=$(seconds)
    for _ in $(seq 60); do  # the queue answers before there is anybody to give a job to
        code=0
        "$python" -m ray.scripts.scripts job submit --address "http://127.0.0.1:$((port + 1))" -- \
            "$python" -c "from streamct.cli import main; main()" batch "$scene/clean" "$reference" -o "$scene/job" -q \
            > "$scene/said" 2>&1 || code=$?
        grep -q "No available agent" "$scene/said" || break
        sleep 1
    done
    kill -TERM $cluster && wait $cluster || true
    [ $code = 0 ] || broken "ray job submit left with $code: $(tail -20 "$scene/said")"
    [ "$(find "$scene/job" -maxdepth 1 -name "*.mkv" | wc -l)" = 3 ] || broken "the job's outputs are missing"
    said "ray job submit -- streamct batch" "$(since "$began"), 3 graded"
else
    broken "ray job submit can't be tried: pip install \"ray[default]\" (the extra [cluster]) first"
fi
