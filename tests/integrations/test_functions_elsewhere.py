"""Guarded functions where others look at them: task queues, schedulers, frameworks, validators, wrappers."""

import asyncio
from typing import Any

import celery
import pydantic
import pytest
import wrapt
from apscheduler import util
from rq import job
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fuseboard import CircuitBreaker, Store

breaker = CircuitBreaker("elsewhere", store=Store.private())


@breaker
def named(to: str = "me") -> str:
    """A function that others find by its name."""
    return f"sent to {to}"


def test_celery_takes_one_as_a_task() -> None:
    """``@app.task`` above ``@breaker``, bound or not, with its check of arguments."""
    app = celery.Celery("x", broker="memory://", backend="cache+memory://")

    @app.task
    @breaker
    def send(to: str) -> str:
        return f"sent to {to}"

    @app.task(bind=True)
    @breaker
    def bound(self: Any, to: str) -> str:
        return f"{self.name.rpartition('.')[2]} to {to}"

    assert ["sent to me", "bound to me"] == [task.apply(("me",)).get() for task in (send, bound)]
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        send.delay()


def test_starlette_takes_one_as_an_endpoint() -> None:
    """A function endpoint is asked with a request; what is no function would be taken for an application."""

    @breaker
    def home(_request: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    sent: list[Any] = []

    async def ask() -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "root_path": "",
            "http_version": "1.1",
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: object) -> None:
            sent.append(message)

        await Starlette(routes=[Route("/", home)])(scope, receive, send)

    asyncio.run(ask())
    assert 200 == sent[0]["status"]


def test_apscheduler_finds_one_by_its_name() -> None:
    """A job store keeps a reference, by which the function is found after a restart."""
    reference = util.obj_to_ref(named)
    assert "test_functions_elsewhere:named" == reference.rpartition(".")[2]
    assert named is util.ref_to_obj(reference)


def test_rq_calls_a_job_by_its_name() -> None:
    """As for any function."""
    made = job.Job.create(named, connection=object())
    assert f"{__name__}.named" == made.func_name


def test_pydantic_validates_its_calls() -> None:
    """``validate_call`` takes functions, not instances; arguments are converted by the annotations."""

    def double(number: int) -> int:
        return number * 2

    assert 6 == pydantic.validate_call(breaker(double))("3")


def test_wrapt_wraps_one_as_a_function() -> None:
    """Its decorators tell functions from methods by what they bind to."""

    @wrapt.decorator
    def noted(wrapped: Any, instance: object, args: Any, kwargs: Any) -> object:
        return instance, wrapped(*args, **kwargs)

    class Client:
        @noted
        @breaker
        def method(self, number: int) -> int:
            return number

    client = Client()
    assert (client, 3) == client.method(3)
    assert (None, "sent to me") == noted(named)("me")
