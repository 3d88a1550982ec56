"""Files for clusters: they parse, fit the schemas that are at hand, and name only what the command has."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from importlib.resources import files
from importlib.util import find_spec
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


def test_the_slurm_script_is_bash_and_starts_ray_with_what_ray_has() -> None:
    script = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    assert find_spec("ray.scripts.symmetric_run") is not None
    assert "ray symmetric-run --address" in text
    for line in re.findall(r"^#SBATCH (.*)$", text, re.MULTILINE):
        assert re.fullmatch(r"--[a-z-]+(=\S+)?", line), line


@pytest.mark.parametrize("said", ["--shm-size", "EXTRAS=[cluster]", "wget"])
def test_the_image_is_fit_for_a_cluster(said: str) -> None:
    assert said in (ROOT / "Dockerfile").read_text()
