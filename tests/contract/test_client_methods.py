"""The client cannot import the services' tables, so it is held against them here."""

from batos.client import methods
from batos.client.channels import MESSAGE_LIMIT_BYTES
from batos.client.errors import BatosError
from batos.client.refusals import _CLASSES

from shared import allowed_callers, channel, deadlines, errors
from shared.rpc_status import _CODES

METHODS = [each for each in vars(methods).values() if isinstance(each, methods.Method)]


def test_calls_are_given_up_when_services_would_give_them_up():
    assert METHODS
    assert {each.path: each.seconds for each in METHODS} == {
        each.path: deadlines.seconds_for(each.path) for each in METHODS
    }


def test_an_operator_may_call_all_of_them():
    for each in METHODS:
        assert allowed_callers.is_allowed("operator", each.path), each.path


def test_every_error_of_the_services_has_one_of_the_client():
    assert {cls.__name__: code for cls, code in _CODES.items()} == {
        cls.__name__: code for code, cls in _CLASSES.items()
    }
    for cls in _CODES:
        theirs = getattr(errors, cls.__name__)
        (ours,) = [each for each in _CLASSES.values() if each.__name__ == cls.__name__]
        assert issubclass(ours, BatosError)
        assert ours.default_reason == theirs.default_reason


def test_messages_may_be_as_large_as_services_take_them():
    assert MESSAGE_LIMIT_BYTES == channel.MESSAGE_LIMIT_BYTES
