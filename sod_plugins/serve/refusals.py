"""The exception that ends a request with an error response."""

from __future__ import annotations

from pydantic import BaseModel


class Refusal(Exception):  # noqa: N818 (it is an answer, not an error of the service)
    """A request that is refused, and the reason.

    Args:
        status: The HTTP status.
        sentence: What is wrong and what to do.
        retry_after: Seconds after which to repeat the request, for 429 and 503.
    """

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = {} if retry_after is None else {'Retry-After': str(retry_after)}


class ErrorBody(BaseModel):
    """The body of every error."""

    detail: str
