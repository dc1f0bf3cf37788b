"""One dispatcher for all tests of this folder, so that its solver process starts once."""

from collections.abc import Iterator

import pytest

from optimizers.dispatch import Dispatcher


@pytest.fixture(scope="session")
def dispatcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dispatcher]:
    made = Dispatcher(cache_folder=tmp_path_factory.mktemp("stencils"))
    yield made
    made.close()
