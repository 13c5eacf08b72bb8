"""The order of the files; fixtures that several files share."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files with slow tests first.

    Processes that take whole files in this order (`--dist loadfile
    --no-loadscope-reorder`) end at about the same time: what is left at the
    end is short.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
