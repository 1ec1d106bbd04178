"""Errors of the domain as the two APIs word them."""

import pytest

from services.gateway.refusals import headers_of, ollama_error, openai_error, status_of, unsupported
from shared import errors


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.InvalidArgument("x"), 400, "invalid_request_error"),
        (errors.FailedPrecondition("x"), 400, "invalid_request_error"),
        (errors.PermissionDenied("x"), 403, "permission_error"),
        (errors.PermissionDenied("x", reason="TOKEN_WRONG"), 401, "authentication_error"),
        (errors.NotFound("x"), 404, "invalid_request_error"),
        (errors.Aborted("x"), 409, "invalid_request_error"),
        (errors.ResourceExhausted("x"), 429, "rate_limit_error"),
        (errors.Internal("x"), 500, "server_error"),
        (errors.DataLoss("x"), 500, "server_error"),
        (errors.FailedPrecondition("x", reason="EMBEDDINGS_MISSING"), 501, "server_error"),
        (errors.Unavailable("x"), 503, "server_error"),
        (errors.DeadlineExceeded("x"), 504, "server_error"),
    ],
)
def test_every_error_has_its_status(error, status, kind):
    assert status_of(error) == status
    told = openai_error(error)["error"]
    assert (told["type"], told["message"], told["code"]) == (kind, "x", error.reason.lower())
    assert ollama_error(error) == {"error": "x"}


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.ResourceExhausted("x", retry_after=2.1), "3"),
        (errors.Unavailable("x"), "1"),
        (errors.Internal("x", retry_after=2), None),
    ],
)
def test_retry_after_is_in_whole_seconds_where_it_helps(error, seconds):
    assert headers_of(error).get("retry-after") == seconds


def test_a_refused_parameter_is_named():
    told = openai_error(unsupported("tools", "no"))["error"]
    assert (told["param"], told["code"]) == ("tools", "unsupported_parameter")
