"""The way into a Ray cluster, or to an instance of our own, and what is said where there is none."""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from streamct.errors import ClusterEndedError, ClusterError
from streamct.execute.pool_size import Machine
from streamct.execute.ray_instance import Instance, Raylet, our_signals
from streamct.execute.ray_token import Token
from streamct.work import machine_cores

_REACH_SECONDS = 5.0
_NODE_SECONDS = 10.0
"""For finding the cluster's node on this machine, for which Ray would look for a minute."""
_SETTINGS = 4
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0))
"""With which HTTP/2 begins (RFC 9113, 3.4), and so gRPC; whoever speaks it answers with settings of its own."""
_STORE_BYTES = 256 << 20
"""Of a private instance: proxies, masks and palettes are all that lies in it."""
_RAYLET = "RAY_RAYLET_PID"
"""Read when Ray is imported: whose end ends us. By itself Ray takes a process that has lost its parent, as behind
`nohup`, for a worker whose raylet is gone, and ends it as soon as a message does not get through."""
_OUT_OF_MEMORY = ("running low on memory", "how to address the out of memory issue")
"""What Ray says where it killed somebody for it; of memory as such it speaks whenever a worker is gone."""


class Connection:
    """Ray, connected to a cluster or to an instance of our own.

    address: None for the latter. named: what the address was given by. cores: at least so many of an instance of ours.

    Raises:
        ClusterError: it can't be reached in some seconds, or does not let us in.
    """

    def __init__(self, address: str | None, named: str = "--address", cores: int = 0) -> None:
        self.private = address is None
        self._where = "a private Ray instance" if address is None else f"the cluster at {named} {address}"
        self.ray = _imported()
        if self.ray.is_initialized():
            raise ClusterError("this process uses Ray already. Call ray.shutdown() first, or use --engine local.")
        self._instance = Instance()
        self._token = Token()
        self._raylet: Raylet | None = None
        self._worker = self.ray._private.worker
        self._print = self._worker.print_to_stdstream
        self._worker.print_to_stdstream = lambda *_, **__: None  # of workers that die we tell ourselves
        try:
            with our_signals(self.ray), _node_here(self.ray, address, named):
                _connect(self.ray, self._token, address, self._where, named, max(cores, machine_cores()))
            self._raylet = Raylet(self.ray)
            self._node = str(self.ray.get_runtime_context().get_node_id())
        except BaseException:
            self.close()
            raise

    def machines(self) -> list[Machine]:
        """All that are there now."""
        found = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [Machine(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in found]

    @property
    def ended(self) -> bool:
        """Whether Ray is gone from this machine: nothing of it may be used any more, only `close`."""
        return self._raylet is not None and self._raylet.ended()

    def check(self) -> None:
        """To be called before Ray is used.

        Raises:
            ClusterEndedError: it is gone from this machine.
        """
        if self.ended:
            raise ClusterEndedError(
                "Ray has ended on this machine: its process raylet was killed, stopped, or out of memory. What is "
                "finished is kept; run the same command again to go on."
            )

    def note(self, node: str, number: int) -> None:
        """A worker of ours is there, as a process of this number. If Ray ends without it, we end it."""
        if self.private:
            self._instance.look()
        elif node == self._node:
            self._instance.note(number)

    def refused(self, cause: Exception) -> ClusterError:
        """What Ray says when it does not do as it is told, as an error of ours."""
        return _refused(self._where, cause)

    def no_worker(self, label: str, cause: BaseException) -> ClusterError:
        """A worker that dies before it is ready."""
        told = (str(cause).strip().splitlines() or [repr(cause)])[-1].strip("' .")
        if out_of_memory(cause):
            told = "its machine ran out of memory"
        text = f"the worker {label} could not start on {self._where} ({told})."
        if os.environ.get("RAY_AUTH_MODE") == "token":
            text += " RAY_AUTH_MODE=token is set: if the cluster was started without a token, unset it."
        return ClusterError(text + " Ray's logs say more: session_latest/logs below /tmp/ray, on the worker's machine.")

    def close(self) -> None:
        """Leave the cluster, or end the instance with all its processes."""
        alone = self.private or self.ended
        if self.private:
            self._instance.look()
        if self._raylet is not None:
            self._raylet.close()
        with suppress(Exception):
            self.ray.shutdown()
        self._worker.print_to_stdstream = self._print
        if alone:
            self._instance.end()
        self._token.close()


def out_of_memory(cause: BaseException) -> bool:
    """Whether Ray killed somebody because a machine ran out of memory."""
    told = " ".join(str(cause).split())
    return any(sign in told for sign in _OUT_OF_MEMORY)


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")  # of a second each, to find the cluster's address
    before = os.environ.get(_RAYLET)
    os.environ[_RAYLET] = str(os.getpid())
    try:
        import ray
    finally:
        os.environ.pop(_RAYLET)
        if before is not None:
            os.environ[_RAYLET] = before
    return ray


def _connect(ray: Any, token: Token, address: str | None, where: str, named: str, cores: int) -> None:
    options: dict[str, Any] = {
        "log_to_driver": False, "logging_level": logging.CRITICAL, "namespace": f"streamct-{uuid4().hex[:12]}",
    }  # fmt: skip
    if address is None:
        token.make()
        os.environ.setdefault("RAY_worker_niceness", "0")  # else 15: our own workers are as urgent as we are
        options |= {
            "num_cpus": cores, "include_dashboard": False, "object_store_memory": _STORE_BYTES,
        }  # fmt: skip
    else:
        _reach(address, named)
    try:
        _init(ray, address, where, options)
    except _TurnedAwayError as away:
        if not token.take_along():
            raise _refused(where, away) from away
        try:
            _init(ray, address, where, options)
        except _TurnedAwayError as again:
            raise _refused(where, again) from again
    if address is None:
        _left_alone(ray)


def _left_alone(ray: Any) -> None:
    """End what an instance of our own does not need: the process that would ask a cloud for more machines, and the one
    that passes on logs. They take memory, and the first a second to end when all is stopped."""
    with suppress(Exception):
        node = ray._private.worker._global_node
        node.kill_monitor(check_alive=False)
        node.kill_log_monitor(check_alive=False)


class _TurnedAwayError(Exception):
    """A cluster wants a token, or another one."""


def _init(ray: Any, address: str | None, where: str, options: dict[str, Any]) -> None:
    with _hushed() as said:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address="local" if address is None else address, **options)
        except Exception as cause:
            with suppress(Exception):
                ray.shutdown()
            if isinstance(cause, ClusterError):
                raise
            if "Auth" in said():
                raise _TurnedAwayError("its token is missing or another") from cause
            raise _refused(where, cause) from cause


@contextmanager
def _hushed() -> Iterator[Callable[[], str]]:
    """Keep what Ray's own libraries write to standard error from the terminal; gives what it was."""
    with suppress(Exception):
        sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        own = os.dup(2)
        os.dup2(kept.fileno(), 2)

        def said() -> str:
            kept.seek(0)
            return kept.read().decode(errors="replace")

        try:
            yield said
        finally:
            os.dup2(own, 2)
            os.close(own)


def _reach(address: str, named: str) -> None:
    """Knock at the cluster's door, because Ray itself would wait for long."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        if address in ("auto", "local"):
            return
        raise ClusterError(f"{named} {address}: is no address. Write HOST:PORT, such as head:6379, or auto.")
    if os.environ.get("RAY_USE_TLS", "0") == "1":
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS) as line:
            line.sendall(_HELLO)
            answer = line.recv(9)
    except OSError as cause:
        raise ClusterError(
            f"{named} {address}: no cluster answers there ({cause.strerror or cause}). Check that it runs (ray "
            "status) and that this machine may reach it, or leave the address out to use this machine alone."
        ) from cause
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise ClusterError(
            f"{named} {address}: what answers there is no Ray cluster. Give the address that `ray start --head` "
            "printed, mostly port 6379."
        )


@contextmanager
def _node_here(ray: Any, address: str | None, named: str) -> Iterator[None]:
    """Have Ray look no longer than some seconds for the node of a cluster on this machine, over which it goes in."""
    services = ray._private.services
    find = services.get_node_to_connect_for_driver

    def find_soon(*arguments: Any, **options: Any) -> Any:
        try:
            return find(*arguments, **{**options, "timeout_seconds": _NODE_SECONDS})
        except RuntimeError as cause:
            if "No node info found" not in str(cause):
                raise
            start = "ray start --address=" + ("HOST:PORT" if address in (None, "auto") else str(address))
            raise ClusterError(
                f"{named} {address}: the cluster answers, but none of its nodes is alive on this machine, over which a "
                f"run goes in. Run `{start}` here, or begin the run on a machine of the cluster."
            ) from cause

    services.get_node_to_connect_for_driver = find_soon
    try:
        yield
    finally:
        services.get_node_to_connect_for_driver = find


def _refused(where: str, cause: Exception) -> ClusterError:
    told = " ".join(str(cause).split())
    if "auth" in told.lower() or "token" in told.lower():
        return ClusterError(
            f"{where} does not let us in ({told[:200]}). It wants a token: set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH as on the cluster."
        )
    return ClusterError(f"{where} can't be used ({told[:300]}). --engine local does without.")
