"""Where weights come from, and what is said where they can't be had. Nothing here reaches a network."""

from __future__ import annotations

import hashlib
import pickle
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import random_network

from streamct.errors import SegmenterError, SettingsError, UsageError
from streamct.run import Teller, chosen_network
from streamct.segment import weights
from streamct.segment.choose import EVERY, SIZES, load, resolve
from streamct.settings import SegmentSettings, Settings

MOBILENET = "deeplabv3-mobilenet"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return dict(random_network(MOBILENET, classes=3).state_dict())


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """No name resolves; the attempts are listed."""
    attempts: list[object] = []

    def fail(host: object, *_: object, **__: object) -> object:
        attempts.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return attempts


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/tiny-0123456789.pth"


def test_a_state_dict_comes_back_whole(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "w.pth")
    network = weights.network_of(MOBILENET, weights.read_state(tmp_path / "w.pth"), tmp_path / "w.pth")
    assert not network.training
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_what_training_scripts_save_is_taken_too(tmp_path: Path, state: dict[str, torch.Tensor], wrapper: str) -> None:
    torch.save({wrapper: state, "epoch": 3}, tmp_path / "w.pth")
    assert weights.read_state(tmp_path / "w.pth").keys() == state.keys()


def test_half_precision_and_old_checkpoints_are_taken(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    slim = {k: v.half() for k, v in state.items() if not k.endswith("num_batches_tracked")}
    network = weights.network_of(MOBILENET, slim, tmp_path)
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_the_auxiliary_classifier_is_left_out(tmp_path: Path) -> None:
    state = random_network(MOBILENET, auxiliary=True).state_dict()
    assert weights.network_of(MOBILENET, state, tmp_path).aux_classifier is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SegmenterError, match=r"nowhere\.pth: no such weights file"):
        weights.read_state(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 torn zip", b"\x80\x04torn pickle"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(SegmenterError, match=r"w\.pth: can't be read as a checkpoint"):
        weights.read_state(tmp_path / "w.pth")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "exploded",)

    torch.save({"model": Bomb()}, tmp_path / "w.pth", pickle_module=pickle)
    with pytest.raises(SegmenterError, match="can't be read as a checkpoint"):
        weights.read_state(tmp_path / "w.pth")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, torch.zeros(3)])
def test_a_checkpoint_without_tensors_by_name_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(SegmenterError, match="holds no tensors by name"):
        weights.read_state(tmp_path / "w.pth")


def test_another_networks_checkpoint_says_whose_it_is(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(SegmenterError, match=r"no checkpoint of deeplabv3-resnet50.*fits --segmenter deeplabv3-mob"):
        weights.network_of("deeplabv3-resnet50", state, tmp_path / "w.pth")


def test_a_strangers_checkpoint_says_what_does_not_fit(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "w.pth"
    with pytest.raises(SegmenterError, match=r"tensors are missing, such as backbone\."):
        weights.network_of(MOBILENET, {"conv.weight": torch.zeros(1)}, path)
    with pytest.raises(SegmenterError, match="1 tensors do not belong, such as extra"):
        weights.network_of(MOBILENET, {**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(SegmenterError, match=r"classifier.4.bias has the shape \(5,\), not \(3,\)"):
        weights.network_of(MOBILENET, {**state, "classifier.4.bias": torch.zeros(5)}, path)
    with pytest.raises(SegmenterError, match="fits none of"):
        weights.architecture_of({"conv.weight": torch.zeros(1)}, path)


def test_a_failed_training_is_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    broken = {**state, "classifier.4.bias": torch.tensor([0.0, float("nan"), 0.0])}
    with pytest.raises(SegmenterError, match=r"classifier.4.bias holds values that are not finite"):
        weights.network_of(MOBILENET, broken, tmp_path / "w.pth")


def test_offline_a_segmenter_asked_for_by_name_is_an_error(offline: list[object]) -> None:
    with pytest.raises(SegmenterError, match=r"deeplabv3-resnet50: its weights are not in .*--weights"):
        resolve(SegmentSettings(segmenter="deeplabv3-resnet50"), lambda _: None)
    assert len(offline) == 1


def test_offline_auto_warns_and_takes_none(offline: list[object]) -> None:
    settings, why = resolve(SegmentSettings(segmenter="auto", device="cpu"), lambda _: None)
    assert settings.segmenter == "none"
    assert why is not None
    assert "deeplabv3-mobilenet" in why
    assert "--weights" in why
    assert resolve(settings, lambda _: None) == (settings, None)
    assert len(offline) == 1


def test_a_server_that_never_answers_is_given_up(silent_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PATIENCE", 0.2)
    monkeypatch.setattr(weights, "_url", lambda _: silent_server)
    with pytest.raises(SegmenterError, match="can't be fetched"):
        weights.fetched(MOBILENET, lambda _: None)
    assert socket.getdefaulttimeout() is None


def serve(folder: Path, data: bytes, monkeypatch: pytest.MonkeyPatch, digest: str | None = None) -> Path:
    """Weights behind a URL that needs no network, named after their hash as torchvision's are."""
    digest = digest or hashlib.sha256(data).hexdigest()[:8]
    source = folder / f"tiny-{digest}.pth"
    source.write_bytes(data)
    monkeypatch.setattr(weights, "_url", lambda _: source.as_uri())
    return source


def test_weights_are_fetched_once_and_kept(
    tmp_path: Path, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.save(state, tmp_path / "w.pth")
    source = serve(tmp_path, (tmp_path / "w.pth").read_bytes(), monkeypatch)
    said: list[str] = []
    settings, why = resolve(SegmentSettings(segmenter=MOBILENET, device="cpu"), said.append)
    assert why is None
    assert len(said) == 1
    assert "fetching the weights of deeplabv3-mobilenet" in said[0]
    source.unlink()
    assert resolve(settings, said.append)[0] == settings
    assert len(said) == 1
    assert load(settings).name == MOBILENET
    assert capfd.readouterr().out == ""


def test_damaged_downloads_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(tmp_path, b"half of it", monkeypatch, digest="0123456789")
    with pytest.raises(SegmenterError, match="invalid hash value"):
        weights.fetched(MOBILENET, lambda _: None)
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []


def test_auto_takes_the_network_that_the_weights_fit(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "w.pth")
    asked = SegmentSettings(segmenter="auto", weights=tmp_path / "w.pth", device="cpu")
    settings, why = resolve(asked, lambda _: None)
    assert (settings.segmenter, why) == (MOBILENET, None)
    assert (settings.size, settings.every) == (SIZES["cpu"], EVERY["cpu"])
    assert load(settings) is load(settings)


def test_auto_with_wrong_weights_is_an_error_not_a_warning(tmp_path: Path) -> None:
    with pytest.raises(SegmenterError, match="no such weights file"):
        resolve(SegmentSettings(segmenter="auto", weights=tmp_path / "w.pth"), lambda _: None)


def test_weights_or_classes_for_no_segmenter_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--weights needs a network"):
        resolve(SegmentSettings(weights=tmp_path / "w.pth"), lambda _: None)
    with pytest.raises(UsageError, match="--classes needs a network"):
        resolve(SegmentSettings(classes=("person",)), lambda _: None)


@pytest.mark.parametrize(("field", "value"), [("size", 320), ("every", 4), ("device", "cpu")])
def test_how_a_network_runs_is_refused_where_none_is_asked_for(field: str, value: object) -> None:
    asked = SegmentSettings.model_validate({field: value})
    with pytest.raises(UsageError, match=f"--segment-{field} needs a network"):
        resolve(asked, lambda _: None)
    with pytest.raises(UsageError, match=f"--segment-{field} needs a network"):
        chosen_network(Settings(segment=asked), Teller(None), needed=False)


def test_a_segmenter_beside_masks_that_leave_it_nothing_to_do_is_told() -> None:
    say = Teller(None)
    assert chosen_network(Settings(segment=SegmentSettings(segmenter="auto")), say, needed=False)[0] is None
    (line,) = say.said
    assert line.startswith("--segmenter auto: there is nothing to segment, for masks are given")


def test_what_auto_falls_back_to_may_be_resolved_again(offline: list[object]) -> None:
    asked = SegmentSettings(segmenter="auto", size=64, every=2, device="cpu", radius=5)
    settings, _ = resolve(asked, lambda _: None)
    assert resolve(settings, lambda _: None) == (SegmentSettings(radius=5), None)


def test_torn_weights_in_the_cache_are_to_be_deleted_and_auto_does_without(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    path = weights.cached(MOBILENET)
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-5000])
    torn = rf"{re.escape(str(path))}: can't be read as a checkpoint .*\. Delete it; then it is fetched again\."
    settings, why = resolve(SegmentSettings(segmenter="auto", device="cpu"), lambda _: None)
    assert settings.segmenter == "none"
    assert why is not None
    assert re.search(torn, why)
    named = resolve(SegmentSettings(segmenter=MOBILENET, device="cpu"), lambda _: None)[0]
    with pytest.raises(SegmenterError, match=torn):
        load(named)


def test_a_checkpoint_of_parallel_training_is_taken(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "ddp.pth")
    assert weights.read_state(tmp_path / "ddp.pth").keys() == state.keys()


def test_a_class_that_no_weights_know_is_told_before_any_are_fetched(offline: list[object]) -> None:
    for segmenter in ("auto", MOBILENET):
        with pytest.raises(
            SettingsError, match=r"--classes .*no class 'persn' \(did you mean 'person'\?\); known: aero"
        ):
            resolve(SegmentSettings(segmenter=segmenter, classes=("persn",)), lambda _: None)
    assert offline == []


def test_no_gpu_to_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SegmenterError, match=r"--segment-device cuda .*torch sees no GPU"):
        resolve(SegmentSettings(segmenter="auto", device="cuda"), lambda _: None)


def test_a_gpu_changes_what_auto_stands_for(monkeypatch: pytest.MonkeyPatch, offline: list[object]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    why = resolve(SegmentSettings(segmenter="auto"), lambda _: None)[1]
    assert why is not None
    assert "deeplabv3-resnet101" in why


def test_two_runs_may_be_impatient_at_once() -> None:
    inside = threading.Barrier(2, timeout=10)
    seen = []

    def work() -> None:
        inside.wait()
        with weights._impatient():
            seen.append(socket.getdefaulttimeout())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [weights.PATIENCE] * 2
    assert socket.getdefaulttimeout() is None
