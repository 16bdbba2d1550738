"""aiokafka's errors become ours."""

import asyncio

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
)

from shared.adapters.kafka_errors import calling, ours
from shared.domain.errors import OmbudError, Permanent, Refused, Unavailable


@pytest.mark.parametrize(
    ("theirs", "expected", "text"),
    [
        (MessageSizeTooLargeError("2097153 bytes"), Permanent, "larger than Kafka takes"),
        (KafkaConnectionError("10.0.0.7:9092"), Unavailable, "KafkaConnectionError"),
        (OutOfOrderSequenceNumber(), Unavailable, "OutOfOrderSequenceNumber"),
        (KafkaError(repr(GroupAuthorizationFailedError())), Unavailable, "GroupAuthorizationFailedError"),
        (KafkaError("anna@example.com is here"), Unavailable, "KafkaError"),
        (KafkaError(), Unavailable, "KafkaError"),
        (OSError(111, "refused"), Unavailable, "ConnectionRefusedError"),
        (asyncio.CancelledError(), Unavailable, "CancelledError"),
    ],
)
def test_each_error_becomes_the_one_that_says_what_to_do(
    theirs: BaseException, expected: type[OmbudError], text: str
) -> None:
    assert type(ours(theirs)) is expected
    assert text in str(ours(theirs))


def test_no_error_tells_what_the_message_or_the_address_was() -> None:
    assert "anna" not in str(ours(KafkaError("anna@example.com is here")))
    assert "10.0.0.7" not in str(ours(KafkaConnectionError("10.0.0.7:9092")))


def test_an_error_of_ours_stays_what_it_is() -> None:
    error = Refused("no such topic")

    assert ours(error) is error


async def test_a_call_that_takes_too_long_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no answer within"):
        async with calling(0.01):
            await asyncio.Event().wait()


@pytest.mark.parametrize("error", [KafkaConnectionError(), OSError()])
async def test_a_call_that_fails_raises_ours_with_theirs_as_its_cause(error: Exception) -> None:
    with pytest.raises(Unavailable) as caught:
        async with calling(1):
            raise error

    assert caught.value.__cause__ is error


async def test_a_fault_of_our_own_is_not_taken_for_an_outage() -> None:
    with pytest.raises(ZeroDivisionError):
        async with calling(1):
            raise ZeroDivisionError
