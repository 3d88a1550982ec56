"""Files for clusters: they parse, fit the schemas that are at hand, and name only what the command has."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from streamct.cli.app import app

ROOT = Path(__file__).parents[3]
CLUSTER = ROOT / "configs" / "cluster"


def test_no_file_of_a_cluster_is_left_untested() -> None:
    assert sorted(p.name for p in CLUSTER.iterdir()) == ["autoscaler.yaml", "kuberay-rayjob.yaml", "slurm.sh"]


def flags() -> set[str]:
    """The flags of `streamct batch`."""
    command = typer.main.get_command(app).commands["batch"]  # type: ignore[attr-defined]
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts) if name[0] == "-"}


def commands() -> list[list[str]]:
    """Every `streamct batch` that the files show, as words."""
    found = []
    for path in (*CLUSTER.iterdir(), ROOT / "Dockerfile"):
        text = re.sub(r"\\\n\s*#?", " ", path.read_text())
        for line in re.findall(r"streamct batch ([^\n#&`]*)", text):
            found.append(shlex.split(line))
    text = (CLUSTER / "slurm.sh").read_text()
    found += [shlex.split(line) for line in re.findall(r"slurm\.sh ([^\n]*)", text)]
    return found


def test_every_flag_of_every_command_exists() -> None:
    known = flags()
    shown = commands()
    assert len(shown) >= 5
    for words in shown:
        assert [word for word in words if word.startswith("-") and word not in known] == [], words


def test_the_autoscaler_s_file_fits_ray_s_own_schema_and_has_both_kinds_of_workers() -> None:
    cluster = yaml.safe_load((CLUSTER / "autoscaler.yaml").read_text())
    schema = json.loads(files("ray.autoscaler").joinpath("ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)
    types = cluster["available_node_types"]
    assert cluster["head_node_type"] in types
    assert types["gpu"]["resources"]["GPU"] >= 1
    assert types["cpu"]["resources"]["CPU"] >= 1
    assert sum(kind.get("max_workers", 0) for kind in types.values()) <= cluster["max_workers"]


def test_the_autoscaler_s_machines_ask_for_a_token_that_all_get_and_its_steps_are_ray_s() -> None:
    text = (CLUSTER / "autoscaler.yaml").read_text()
    cluster = yaml.safe_load(text)
    assert cluster["file_mounts"] == {"/root/.ray/auth_token": "~/.ray/auth_token"}
    for commands in (cluster["head_start_ray_commands"], cluster["worker_start_ray_commands"]):
        starts = [command for command in commands if "ray start" in command]
        assert len(starts) == 1
        assert "RAY_AUTH_MODE=token ray start" in starts[0]
    shown = re.findall(r"^#   .*?\bray ([a-z-]+)", text, re.MULTILINE)
    assert shown == ["get-auth-token", "up", "dashboard", "job", "down"]  # without `ray dashboard` nothing is at 8265


def pods(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_the_ray_job_is_one_of_kuberay_and_all_its_pods_share_image_and_folder() -> None:
    job = yaml.safe_load((CLUSTER / "kuberay-rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job["spec"]) <= {
        "entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "rayClusterSpec",
    }  # fmt: skip
    cluster = job["spec"]["rayClusterSpec"]
    assert {group["groupName"] for group in cluster["workerGroupSpecs"]} == {"cpu", "gpu"}
    assert cluster["authOptions"] == {"mode": "token"}
    specs = pods(job)
    assert len({pod["containers"][0]["image"] for pod in specs}) == 1
    folder = specs[0]["containers"][0]["volumeMounts"][0]["mountPath"]
    for pod in specs:
        assert pod["containers"][0]["volumeMounts"] == [{"name": "shared", "mountPath": folder}]
        assert pod["volumes"][0]["name"] == "shared"
        resources = pod["containers"][0]["resources"]
        assert resources["requests"] == resources["limits"], "Ray counts what a pod may use"
    paths = [word for word in shlex.split(job["spec"]["entrypoint"]) if word.startswith("/")]
    assert all(path.startswith(f"{folder}/") for path in paths)
    assert [pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu") for pod in specs] == [None, None, "1"]


def test_the_ray_of_the_files_is_the_one_that_is_pinned() -> None:
    job = yaml.safe_load((CLUSTER / "kuberay-rayjob.yaml").read_text())
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned[1]


def test_the_slurm_script_is_bash_and_its_options_are_slurm_s() -> None:
    script = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    for line in re.findall(r"^#SBATCH (.*)$", script.read_text(), re.MULTILINE):
        assert re.fullmatch(r"--[a-z-]+(=\S+)?", line), line


STUBS = {
    "scontrol": "echo one; echo two; echo three",
    "getent": "echo 10.0.0.1 STREAM one",
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "python": """[ -n "${READY:-}" ] && exit $READY
        until [ "$(grep -c 'begun -' log 2>/dev/null)" = 2 ]; do sleep 0.05; done""",
    "ray": """[ $1 = status ] && { grep -q 'begun --head' log 2>/dev/null; exit; }
        [ $1 = start ] || exit 2
        trap 'echo "ended $2" >> log; exit 0' TERM; echo "begun $2" >> log
        [ "$2" = "${BROKEN:-none}" ] && exit 1
        while :; do sleep 0.05; done""",
    "streamct": """trap 'echo "ended streamct" >> log; exit 143' TERM; echo "begun streamct $*" >> log
        [ -n "${CODE:-}" ] && exit $CODE
        while :; do sleep 0.05; done""",
}
"""Programs of a cluster: steps of SLURM run here; Ray and the command wait to be ended, unless told otherwise."""


def slurm(folder: Path, **variables: str) -> subprocess.Popen[str]:
    """The script under way, on three nodes."""
    for name, text in STUBS.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    given = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3", "SLURM_JOB_ID": "7", "USER": "me"}
    given |= {"PATH": f"{folder}:{os.environ['PATH']}"}
    command = ["bash", str(CLUSTER / "slurm.sh"), "in", "ref.jpg", "-o", "out"]
    return subprocess.Popen(command, env=os.environ | given | variables, cwd=folder, stderr=subprocess.PIPE, text=True)


def log(folder: Path) -> list[str]:
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_slurm_script_ends_as_the_command_does_and_ends_ray(tmp_path: Path, code: int) -> None:
    process = slurm(tmp_path, CODE=str(code))
    assert process.communicate()[1] == ""
    assert process.returncode == code
    assert [line for line in log(tmp_path) if line.startswith("begun")] == [
        "begun --head", "begun --address=10.0.0.1:20007", "begun streamct batch in ref.jpg -o out",
    ]  # fmt: skip
    assert sorted(line for line in log(tmp_path) if "streamct" not in line) == sorted(
        ["begun --head", "begun --address=10.0.0.1:20007", "ended --head", "ended --address=10.0.0.1:20007"]
    )


@pytest.mark.parametrize("broken", ["--head", "--address=10.0.0.1:20007"])
def test_the_slurm_script_fails_where_ray_does_not_start(tmp_path: Path, broken: str) -> None:
    process = slurm(tmp_path, BROKEN=broken)
    assert "error: Ray ended on a node (1) before" in process.communicate()[1]
    assert process.returncode == 1
    assert "ended streamct" in log(tmp_path) or not any("streamct" in line for line in log(tmp_path))


def test_the_slurm_script_fails_where_not_all_nodes_come(tmp_path: Path) -> None:
    process = slurm(tmp_path, READY="1")
    process.communicate()
    assert process.returncode == 1
    assert not any("streamct" in line for line in log(tmp_path))


def test_the_slurm_script_ends_the_command_before_ray_when_it_is_told_to_stop(tmp_path: Path) -> None:
    process = slurm(tmp_path)
    while not any("begun streamct" in line for line in log(tmp_path)):
        assert process.poll() is None
    process.terminate()
    process.communicate()
    assert process.returncode == 143
    ended = [line for line in log(tmp_path) if line.startswith("ended")]
    assert ended == ["ended streamct", "ended --address=10.0.0.1:20007", "ended --head"]


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: name and arguments, without comments."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text()))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_the_image_has_what_clusters_use_of_it() -> None:
    """Kubernetes asks for health with wget, the launcher copies with rsync; Ray comes as --build-arg EXTRAS says."""
    lines = instructions()
    runs = [argument for name, argument in lines if name == "RUN"]
    installed = next(argument for argument in runs if "apt-get install" in argument).split("&&")[1].split()
    assert {"rsync", "wget"} <= set(installed)
    assert ("ARG", "EXTRAS=") in lines
    (pip,) = [argument for argument in runs if "pip install" in argument]
    assert pip.split()[-1] == '".${EXTRAS}"'
    assert lines.index(("ARG", "EXTRAS=")) < lines.index(("RUN", pip))


def test_the_image_is_built_with_an_extra_that_exists_and_holds_the_cluster_s_ray() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for path in (ROOT / "Dockerfile", CLUSTER / "autoscaler.yaml", CLUSTER / "kuberay-rayjob.yaml"):
        (extra,) = set(re.findall(r"docker build --build-arg EXTRAS=\[(\w+)\]", path.read_text()))
        assert extras[extra][0].startswith("ray[default]"), path


def test_kernels_are_compiled_into_the_image_where_its_containers_look() -> None:
    lines = instructions()
    (cache,) = [a.partition("=")[2] for name, a in lines if name == "ENV" and a.startswith("NUMBA_CACHE_DIR=")]
    (compiled,) = [argument for name, argument in lines if name == "RUN" and "streamct video" in argument]
    assert 'mkdir -p "$NUMBA_CACHE_DIR"' in compiled
    assert cache.startswith("/opt/")
