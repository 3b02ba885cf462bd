"""The hosts that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import hosts
from tests.lab.serving import Originals, Serving


@pytest.fixture(scope="module")
def serving(
    request: pytest.FixtureRequest, originals: Originals, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Hosts that serve, for the tests of one file; a file that follows gets others."""
    with hosts(request.session) as create:
        yield Serving(originals, create, tmp_path_factory.mktemp("serving"))
