"""What every test may use, and what no test may do: leave an ERROR in the log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # no test depends on a clock
settings.load_profile("unhurried")

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("STREAMCT_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real clips and pictures; without it a test is skipped, but fails where CI is set."""
    if not (DATA / "clips").is_dir():
        missing = f"no test data at {DATA}; set STREAMCT_TEST_DATA"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return DATA


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a GPU are not part of a run without one, unless FAIL_WITHOUT_CUDA says that there has to be one."""
    if Path("/dev/nvidiactl").exists() or os.environ.get("FAIL_WITHOUT_CUDA"):
        return
    away = [item for item in items if item.get_closest_marker("gpu")]
    config.hook.pytest_deselected(items=away)
    items[:] = [item for item in items if item not in away]


@pytest.fixture(autouse=True)
def _no_error_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    for when in ("setup", "call"):
        for record in caplog.get_records(when):
            assert record.levelno < logging.ERROR, f"logged: {record.getMessage()}"
