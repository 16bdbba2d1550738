"""What Kafka's errors mean to Ombud: the one place where they are translated.

    a message larger than the broker takes            Permanent     send something smaller
    a topic that the cluster refuses to make          Refused       the text holds the broker's reason
    anything else (no broker, no leader, no right …)  Unavailable   wait; nothing is lost by waiting

The text names the kind of failure alone: aiokafka's own texts may hold keys and addresses.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.domain.errors import OmbudError, Permanent, Unavailable


def ours(error: BaseException) -> OmbudError:
    """Our error for aiokafka's."""
    if isinstance(error, OmbudError):
        return error
    if isinstance(error, MessageSizeTooLargeError):
        return Permanent("this message is larger than Kafka takes")
    return Unavailable("Kafka", _kind(error))


def _kind(error: BaseException) -> str:
    # aiokafka wraps what went wrong inside a background task: KafkaError("GroupAuthorizationFailedError()").
    inner = str(error.args[0]).split("(")[0] if type(error) is KafkaError and error.args else ""
    return inner if inner.isidentifier() else type(error).__name__


@asynccontextmanager
async def calling(seconds: float) -> AsyncIterator[None]:
    """Give the calls of the body `seconds` together and turn their errors into ours."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unavailable("Kafka", f"no answer within {seconds:g} s") from error
    except (KafkaError, OSError) as error:
        raise ours(error) from error
