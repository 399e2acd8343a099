"""What tests of several files share: such tests run one after another, also where others run beside."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

SHARED = {
    # The kernel has 800 KiB for all POSIX queues of one user.
    "POSIX queues": ("posix", "blocking_queues", "howto/queues.md", "howto/blocking.md"),
    # They look for a free port in the same small range.
    "ports of an own connector": ("own_connector",),
    # Each takes a while to start, and much of the machine.
    "private brokers": ("amqp/test_faults", "amqp/test_chaos", "amqp/inbox/test_chaos"),
    "clusters": ("amqp/inbox/test_cluster",),
}


class OneAfterAnother(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives all tests that share something to one worker, and every other test to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        words = nodeid.lower()
        for shared, names in SHARED.items():
            if any(name in words for name in names):
                return shared
        return nodeid
