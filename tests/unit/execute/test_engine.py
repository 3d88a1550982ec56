"""Which executor a run gets, and what is said where there is no cluster."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from streamct.errors import ClusterError, UsageError
from streamct.execute import engine
from streamct.execute.engine import Engine, chosen, open_executor, visible_gpus
from streamct.execute.ray_cluster import Connection


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(engine, "visible_gpus", lambda: 0)


def test_without_a_cluster_and_gpus_work_is_done_here() -> None:
    assert chosen(Engine())[0] == "local"


def test_an_address_or_several_gpus_call_for_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(Engine(address="head:6379")) == ("ray", "--address head:6379")
    monkeypatch.setattr(engine, "visible_gpus", lambda: 2)
    assert chosen(Engine()) == ("ray", "2 GPUs")
    monkeypatch.setenv("RAY_ADDRESS", "other:6379")
    assert chosen(Engine()) == ("ray", "RAY_ADDRESS other:6379")
    assert Engine(address="head:6379").where == "head:6379"
    assert chosen(Engine("local"))[0] == "local"


@pytest.mark.parametrize(("value", "count"), [("", 0), ("-1", 0), ("0", 1), ("0,1,3", 3), ("GPU-12ab,GPU-34cd", 2)])
def test_gpus_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch, value: str, count: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == count


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "spark"}, "--engine spark: no such engine"),
        ({"name": "local", "address": "head:1"}, "--engine local uses no cluster"),
        ({"cpu_workers": 0}, "at least one"),
        ({"gpu_workers": -1}, "can't be negative"),
        ({"gpus_per_worker": 0.0}, "above 0"),
        ({"gpus_per_worker": 1.5}, "beyond 1 only whole GPUs"),
    ],
)
def test_contradictions_are_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Engine(**arguments)  # type: ignore[arg-type]


def test_the_choice_is_said_in_one_line() -> None:
    said: list[str] = []
    with open_executor(Engine(cpu_workers=2), said.append) as executor:
        assert (executor.name, executor.workers) == ("local", 2)
    assert len(said) == 1
    assert said[0].startswith("engine: local")


@pytest.mark.parametrize("name", ["local", "ray"])
def test_more_workers_than_make_sense_on_this_machine_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(engine, "machine_cores", lambda: 8)
    with pytest.raises(UsageError) as caught:
        open_executor(Engine(name, cpu_workers=33), lambda line: None)
    assert str(caught.value) == (
        "--cpu-workers 33: this machine has 8 cores, and at most 32 workers are begun on it. Ask for fewer, or leave "
        "it out."
    )


def test_more_workers_than_cores_are_begun_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "machine_cores", lambda: 2)
    said: list[str] = []
    with open_executor(Engine("local", cpu_workers=3), said.append) as executor:
        assert executor.workers == 3
    assert said == [
        "--cpu-workers 3: this machine has 2 cores, which they share", "engine: local (--engine), 3 workers",
    ]  # fmt: skip


def test_a_cluster_that_does_not_answer_is_named_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for named in ("--address", "RAY_ADDRESS"):
        with pytest.raises(ClusterError, match=f"^{named} {address}: no cluster answers there"):
            Connection(address, named)
    assert (Engine(address=address).named, Engine().named) == ("--address", "RAY_ADDRESS")


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match="is no address"):
        Connection(address)


def test_what_answers_but_is_no_cluster_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            line, _ = server.accept()
            with line:
                line.recv(100)
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        other = threading.Thread(target=greet)
        other.start()
        with pytest.raises(ClusterError, match="is no Ray cluster"):
            Connection(f"127.0.0.1:{server.getsockname()[1]}")
        other.join()


@pytest.mark.parametrize(("ready", "tries"), [(True, 2), (False, 1)])
def test_a_token_that_lies_ready_is_shown_to_a_cluster_that_asks_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], ready: bool, tries: int
) -> None:
    shown: list[str | None] = []

    def init(*_: Any, **__: Any) -> None:
        shown.append(os.environ.get("RAY_AUTH_MODE"))
        os.write(2, b"gcs_client.cc:210: Unauthenticated: InvalidAuthToken\n")
        raise ConnectionError("Failed to connect")

    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    monkeypatch.delenv("RAY_AUTH_MODE")
    if ready:
        (tmp_path / "token").write_text("a" * 64)
    monkeypatch.setattr("ray.init", init)
    with pytest.raises(ClusterError, match="RAY_AUTH_MODE=token"):
        Connection("auto")
    assert shown == [None, "token"][:tries]
    assert capfd.readouterr().err == ""
