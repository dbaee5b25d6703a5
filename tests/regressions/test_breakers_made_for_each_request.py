"""A breaker that is made for each request, at two places with two thresholds, filled the log."""

import pytest

from fuseboard import CircuitBreaker, Store


@pytest.mark.usefixtures("folder")
def test_two_thresholds_are_told_once_however_many_breakers_have_them(caplog: pytest.LogCaptureFixture) -> None:
    """R15: once for a fuse and two settings in a process, not for each breaker that comes with them."""
    store = Store.shared("requests")
    for _ in range(200):
        CircuitBreaker("db", store=store, threshold=3).call(int)
        CircuitBreaker("db", store=store, threshold=5).call(int)
    (record,) = caplog.records
    assert "threshold 3 -> 5" in record.getMessage()
    assert 399 == store.snapshot()["db"].settings_changes
