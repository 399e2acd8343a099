from __future__ import annotations

import sys

import pytest

from communica_like.exceptions import FeatureNotAvailable
from communica_like.features import optional_package


def test_gives_the_module() -> None:
    assert optional_package("json.decoder", extra="x") is sys.modules["json.decoder"]


def test_missing() -> None:
    with pytest.raises(FeatureNotAvailable) as caught:
        optional_package("no_such_package_here", extra="thing")
    assert "no_such_package_here" in str(caught.value)
    assert "pip install 'no_such_package_here', the extra [thing]" in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


def test_names_the_requirement_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not ``communica_like[rmq]``, which pip finds in no index after an installation from a clone."""
    monkeypatch.setitem(sys.modules, "aiormq", None)
    with pytest.raises(FeatureNotAvailable, match=r"pip install 'aiormq<8,>=7\.0\.0', the extra \[rmq\]"):
        optional_package("aiormq", "rmq")
