"""What the clients are told."""

import ssl

import pytest

from shared.adapters.kafka_options import KafkaOptions, milliseconds


def test_a_member_may_drain_and_still_join_before_the_group_goes_on_without_it() -> None:
    """aiokafka's own default evicts a member that drains for longer than its session."""
    options = KafkaOptions("broker:9092", drain_seconds=25)

    assert options.rebalance_seconds > options.drain_seconds


@pytest.mark.parametrize("drain", [1.0, 20.0, 60.0])
@pytest.mark.parametrize("session", [6.0, 30.0, 120.0])
def test_a_dead_members_session_is_over_before_the_group_goes_on_with_it(
    drain: float, session: float
) -> None:
    options = KafkaOptions("broker:9092", drain_seconds=drain, session_seconds=session)

    assert options.rebalance_seconds > options.session_seconds


def test_a_member_speaks_several_times_before_its_session_is_over() -> None:
    options = KafkaOptions("broker:9092")

    assert options.session_seconds >= 3 * options.heartbeat_seconds


def test_security_is_passed_to_every_client_as_it_is() -> None:
    context = ssl.create_default_context()
    security = {
        "security_protocol": "SASL_SSL",
        "ssl_context": context,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ombud",
        "sasl_plain_password": "word",
    }

    connection = KafkaOptions("one:9092,two:9092", security=security).connection("client")

    assert connection == {
        "bootstrap_servers": "one:9092,two:9092",
        "client_id": "client",
        "request_timeout_ms": 10_000,
        **security,
    }


def test_a_request_may_be_given_longer_than_the_rest() -> None:
    assert KafkaOptions("broker:9092").connection("client", 40.0)["request_timeout_ms"] == 40_000


def test_seconds_become_milliseconds() -> None:
    assert milliseconds(0.25) == 250
