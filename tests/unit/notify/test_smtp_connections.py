"""The mailer's connections to real SMTP servers that drop, stall and go away."""

import asyncio

import pytest

from services.notify.ports import Verdict
from shared.domain.errors import Unavailable
from tests.helpers import eventually, free_port
from tests.servers.smtp import DROP, SILENCE, ScriptedSmtp
from tests.unit.notify.samples import QUICK, mailer_to
from tests.unit.notify.smtp_relays import AsyncRestart, Crowded, Gate, mail


async def test_mails_one_after_the_other_share_a_connection() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        for _ in range(20):
            await mailer.send(mail(), Gate())

        assert (len(relay.accepted), relay.connections) == (20, 1)


async def test_mails_side_by_side_take_no_more_connections_than_allowed() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        answers = await asyncio.gather(*(mailer.send(mail(), Gate()) for _ in range(40)))

        assert {answer.verdict for answer in answers} == {Verdict.TAKEN}
        assert len(relay.accepted) == 40
        assert 2 <= relay.connections <= QUICK.connections


async def test_a_worn_or_old_connection_is_replaced() -> None:
    worn = QUICK.model_copy(update={"connection_mails": 3})
    async with ScriptedSmtp() as relay, mailer_to(relay.address, worn) as mailer:
        for _ in range(7):
            await mailer.send(mail(), Gate())
        assert (len(relay.accepted), relay.connections) == (7, 3)

    old = QUICK.model_copy(update={"connection_seconds": 1e-6})
    async with ScriptedSmtp() as relay, mailer_to(relay.address, old) as mailer:
        for _ in range(3):
            await mailer.send(mail(), Gate())
        assert relay.connections == 3


async def test_an_idle_connection_that_answers_is_used_again() -> None:
    asking = QUICK.model_copy(update={"idle_seconds": 1e-9})
    async with ScriptedSmtp() as relay, mailer_to(relay.address, asking) as mailer:
        for _ in range(3):
            await mailer.send(mail(), Gate())

        assert (len(relay.accepted), relay.connections) == (3, 1)


async def test_a_connection_that_the_relay_gave_up_while_idle_costs_no_mail_its_try() -> None:
    async with AsyncRestart() as relay, mailer_to(relay.address) as mailer:
        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
        await relay.restart()

        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN


async def test_a_kept_connection_that_dies_at_its_first_command_is_replaced_at_once() -> None:
    for dying in ("421 4.4.2 idle for too long", DROP):
        async with ScriptedSmtp({"MAIL": ["250 OK", dying]}) as relay, mailer_to(relay.address) as mailer:
            gate = Gate()
            assert (await mailer.send(mail(), gate)).verdict is Verdict.TAKEN
            assert (await mailer.send(mail(), gate)).verdict is Verdict.TAKEN
            assert (relay.connections, gate.asked) == (2, 2)


async def test_a_relay_that_wants_no_more_connections_gets_its_mails_over_those_it_has() -> None:
    async with Crowded(most=2) as relay, mailer_to(relay.address) as mailer:
        answers = await asyncio.gather(*(mailer.send(mail(), Gate()) for _ in range(20)))

        assert {answer.verdict for answer in answers} == {Verdict.TAKEN}
        assert relay.taken == 20
        assert relay.turned_away > 0


async def test_a_relay_that_is_away_is_unavailable_and_comes_back_without_a_restart() -> None:
    address = ("127.0.0.1", free_port())
    async with mailer_to(address) as mailer:
        with pytest.raises(Unavailable):
            await mailer.send(mail(), Gate())
        with pytest.raises(Unavailable):
            await mailer.ping()

        relay = AsyncRestart()
        relay.address = address
        async with relay:
            await mailer.ping()
            assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN


async def test_without_a_relay_in_the_settings_it_says_which_one_is_missing() -> None:
    async with mailer_to(("", 25)) as mailer:
        with pytest.raises(Unavailable, match="OMBUD_SMTP__HOST"):
            await mailer.ping()


async def test_a_relay_that_never_greets_is_given_up_in_time() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        short = QUICK.model_copy(update={"connect_seconds": 0.1})
        async with mailer_to(server.sockets[0].getsockname()[:2], short) as mailer:
            with pytest.raises(Unavailable):
                await mailer.send(mail(), Gate())
        await hung_up.wait()


async def test_a_ping_does_not_wait_for_ever_for_a_busy_relay() -> None:
    one = QUICK.model_copy(update={"connections": 1, "connect_seconds": 0.1, "accept_seconds": 30.0})
    async with ScriptedSmtp({"DATA": [SILENCE]}) as relay, mailer_to(relay.address, one) as mailer:
        sending = asyncio.create_task(mailer.send(mail(), Gate()))
        await eventually(lambda: relay.received)
        with pytest.raises(Unavailable, match="busy"):
            await mailer.ping()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_send_that_is_cancelled_leaves_no_connection_half_used() -> None:
    async with ScriptedSmtp({"RCPT": [SILENCE]}) as relay, mailer_to(relay.address) as mailer:
        sending = asyncio.create_task(mailer.send(mail("first@customer.example"), Gate()))
        await eventually(lambda: relay.connections)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        assert (await mailer.send(mail("second@customer.example"), Gate())).verdict is Verdict.TAKEN
        assert [taken.recipients for taken in relay.received] == [("second@customer.example",)]
