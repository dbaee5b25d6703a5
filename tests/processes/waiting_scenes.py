"""Processes that wait until a call may pass. Free of pytest."""

from workers import FUSE, Post

from fuseboard import CircuitBreaker, CircuitOpenError, Store


def wait(post: Post, name: str) -> object:
    """Waits for as long as it takes; in a word, how it ended."""
    breaker = CircuitBreaker(FUSE, store=Store.shared(name, strict=True))
    try:
        post.say("waits")
        return breaker.wait()
    except KeyboardInterrupt:
        return "interrupted"


def handle(post: Post, name: str, messages: int) -> int:
    """Handles messages, each once, as a worker does that holds it meanwhile; how many calls were rejected."""
    breaker = CircuitBreaker(FUSE, reset_timeout=0.2, store=Store.shared(name, strict=True))
    post.say("waits")
    rejected = 0
    while messages and breaker.wait():
        try:
            breaker.call(int)
            messages -= 1
        except CircuitOpenError:
            rejected += 1
    return rejected
