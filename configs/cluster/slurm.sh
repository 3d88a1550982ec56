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

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent ahostsv4 "$head" | awk 'NR == 1 { print $1 }'):$((20000 + SLURM_JOB_ID % 20000))

# One token for all nodes: nobody else on the network may use this cluster.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_ADDRESS=$address
export NUMBA_CACHE_DIR=${NUMBA_CACHE_DIR:-/tmp/streamct-$USER}

# The first node becomes the head and runs the command; the others join it and leave when it ends.
srun --kill-on-bad-exit=0 ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
    streamct batch "$@" &
step=$!
trap 'kill -TERM "$step"' TERM
code=0
wait "$step" || code=$?
if kill -0 "$step" 2>/dev/null; then  # the signal ended the first wait
    wait "$step" || code=$?
fi
exit "$code"
