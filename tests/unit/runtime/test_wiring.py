"""What a process stands on: the folder, the secret, servers together or none."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.domain.errors import Refused
from shared.runtime.settings import KafkaSettings, MongoSettings, Settings
from shared.runtime.wiring import open_platform


async def secret_of(settings: Settings) -> bytes:
    async with AsyncExitStack() as stack:
        return (await open_platform(settings, stack, "p")).platform.secret


async def refusal(settings: Settings) -> str:
    with pytest.raises(Refused) as refused:
        await secret_of(settings)
    return str(refused.value)


async def test_processes_that_start_at_once_on_new_data_agree_on_the_secret(tmp_path: Path) -> None:
    secrets = await asyncio.gather(*(secret_of(Settings(data=tmp_path)) for _ in range(4)))

    assert len(set(secrets)) == 1
    assert len(secrets[0]) >= 32
    assert {name for name in os.listdir(tmp_path) if name.startswith("secret")} == {"secret"}  # noqa: PTH208 (no await in it)


async def test_a_secret_cut_short_is_refused_rather_than_signed_with(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"")

    assert str(tmp_path / "secret") in await refusal(Settings(data=tmp_path))


async def test_a_secret_that_was_given_wins_over_the_kept_one(tmp_path: Path) -> None:
    assert await secret_of(Settings(data=tmp_path, secret=SecretStr("s" * 20))) == b"s" * 20
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"kafka": KafkaSettings(bootstrap="127.0.0.1:1")}, "OMBUD_MONGO__URL"),
        ({"mongo": MongoSettings(url=SecretStr("mongodb://127.0.0.1:1"))}, "OMBUD_KAFKA__BOOTSTRAP"),
    ],
)
async def test_one_server_without_the_other_is_refused(given: dict[str, object], asked: str) -> None:
    assert asked in await refusal(Settings(**given))  # type: ignore[arg-type]  # pydantic checks them


async def test_an_address_of_mongodb_that_is_none_is_refused() -> None:
    url = "mongodb://host:many"
    both = {
        "kafka": KafkaSettings(bootstrap="127.0.0.1:1"),
        "mongo": MongoSettings(url=SecretStr(url)),
        "secret": SecretStr("s" * 32),
    }

    assert "OMBUD_MONGO__URL" in await refusal(Settings(**both))  # type: ignore[arg-type]  # as above
