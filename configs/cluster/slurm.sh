#!/bin/bash
# One batch on the nodes of a SLURM allocation, which have to share the folders of inputs and outputs.
#
#   sbatch --nodes 8 configs/cluster/slurm.sh -r /shared/in /shared/ref.jpg -o /shared/out
#   sbatch --nodes 4 --gpus-per-task 1 configs/cluster/slurm.sh -r in ref.jpg -o out --segmenter auto
#
# The arguments are those of `streamct batch`. Submit the same again and only what is missing is done: also after the
# time limit, of which SLURM tells two minutes before.
#SBATCH --job-name=streamct
#SBATCH --output=streamct-%j.log
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

# source /path/to/venv/bin/activate    # yours: pip install -c constraints.txt ".[cluster]"

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | awk 'NR == 1')
address=$(getent ahostsv4 "$head" | awk 'NR == 1 { print $1 }'):$((20000 + SLURM_JOB_ID % 20000))

# One token for all nodes: nobody else on the network may use this cluster.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_ADDRESS=$address
export NUMBA_CACHE_DIR=${NUMBA_CACHE_DIR:-/tmp/streamct-$USER}

# Steps of the job, which share nodes: Ray on the first node, the head, and on all others; the command beside the head.
steps=()
begin() { srun --overlap "$@" & steps+=("$!"); }
end() {  # the last first, so that the command can clean up; srun passes signals on
    trap - TERM INT EXIT
    for ((i = ${#steps[@]} - 1; i >= 0; i--)); do
        kill -TERM "${steps[i]}" 2>/dev/null || continue
        wait "${steps[i]}" 2>/dev/null || true
    done
}
trap end EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
until_ended() {  # wait for one step; Ray may not end before it. Leaves its exit code in `code`.
    code=0
    wait -n || code=$?
    if kill -0 "$1" 2>/dev/null; then
        echo "error: Ray ended on a node ($code) before $2" >&2
        exit 1
    fi
}

begin --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="${address%:*}" --port="${address#*:}" --include-dashboard=false --block
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    others=$((SLURM_JOB_NUM_NODES - 1))
    begin --nodes="$others" --ntasks="$others" --exclude="$head" --kill-on-bad-exit=0 bash -c '
        for try in 1 2 3; do ray status --address "$0" >/dev/null 2>&1 && break; sleep 1; done  # each waits for 40 s
        exec ray start --address="$0" --block' "$address"
fi

# All nodes first: how many workers segment is decided when the command begins.
begin --nodes=1 --ntasks=1 --nodelist="$head" python -c '
import sys, time, ray
wanted, there = int(sys.argv[1]), 0
end = time.monotonic() + 180
while there < wanted and time.monotonic() < end:
    time.sleep(1)
    try:
        ray.is_initialized() or ray.init("auto", log_to_driver=False, logging_level="CRITICAL")
        there = sum(node["Alive"] for node in ray.nodes())
    except Exception as error:
        print(error, file=sys.stderr)
sys.exit(there < wanted and f"error: {there} of {wanted} nodes run Ray")' "$SLURM_JOB_NUM_NODES"
until_ended "${steps[-1]}" "all nodes had joined"
[ "$code" = 0 ] || exit 1

begin --nodes=1 --ntasks=1 --nodelist="$head" streamct batch "$@"
until_ended "${steps[-1]}" "streamct did"
exit "$code"
