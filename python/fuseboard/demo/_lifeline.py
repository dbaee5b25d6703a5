"""What keeps a child from outliving the conductor, whatever ends that."""

import os
import signal
import threading

from fuseboard.demo._plan import LIFETIME_SECONDS


def tie() -> None:
    """Ends this process at the latest after the demo's lifetime. Call first."""
    signal.alarm(LIFETIME_SECONDS)
    # A Ctrl-C is the conductor's business: it ends its children itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def follow_parent() -> None:
    """Ends this process when its standard input does, as it does when the conductor is gone."""
    threading.Thread(target=_wait_for_the_end, name="lifeline", daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)
