"""The benchmarks: what a guarded call costs, beside its yardsticks and every peer, all in the same run.

Run them with ``make bench``, or ``python -m bench --help``. A map, from the bottom up:

* ``timers`` runs one thing many times; ``measure`` times many of them in turn;
* ``yardsticks``, ``peers`` and ``ours`` say what is timed; ``calls`` puts them side by side, ``many`` asks whether the
  number of fuses matters;
* ``processes`` and ``start`` measure what takes processes of its own;
* ``aims`` says which of our aims are reached; ``report`` and ``plots`` write it all down;
* ``versions`` puts runs on several Pythons side by side.
"""
