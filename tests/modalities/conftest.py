"""What the contract test suite is run on."""

import pytest

from tests.modalities.contract import Member


@pytest.fixture(scope="class")
def member(request: pytest.FixtureRequest, tmp_path_factory) -> Member:
    """The member of the class of tests, with files of its own."""
    return Member(request.cls, tmp_path_factory.mktemp("rows"))
