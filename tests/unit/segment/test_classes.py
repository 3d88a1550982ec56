from __future__ import annotations

import pytest

from streamct.errors import SettingsError
from streamct.segment.classes import VOC_CLASSES, class_numbers


def test_without_names_all_but_background_is_foreground() -> None:
    assert class_numbers((), 21) == tuple(range(1, 21))
    assert class_numbers((), 2) == (1,)


def test_voc_names_stand_for_the_numbers_of_the_voc_class_maps() -> None:
    assert class_numbers(("person", "dog"), 21) == (12, 15)
    assert class_numbers((" Person ", "15"), 21) == (15,)
    assert len(VOC_CLASSES) == 21


def test_an_unknown_class_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no class 'persn' \(did you mean 'person'\?\)"):
        class_numbers(("persn",), 21)


def test_background_is_no_foreground_class() -> None:
    with pytest.raises(SettingsError, match="no class 'background'"):
        class_numbers(("background",), 21)


def test_a_network_of_other_classes_takes_numbers_only() -> None:
    assert class_numbers(("2",), 3) == (2,)
    with pytest.raises(SettingsError, match=r"no class 'person'.*numbers: 1, 2"):
        class_numbers(("person",), 3)
    with pytest.raises(SettingsError, match="no class '3'"):
        class_numbers(("3",), 3)
