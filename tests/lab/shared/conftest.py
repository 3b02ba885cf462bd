"""The hosts that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import hosts
from tests.lab.serving import Serving, make_serving


@pytest.fixture(scope="session")
def serving(
    request: pytest.FixtureRequest, upstream: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Hosts that one run of the main job made serve. Whoever changes them puts them back."""
    with hosts(request.session) as create:
        yield make_serving(create, tmp_path_factory.mktemp("serving"))
