"""The API of a house on MongoDB, beside the one on SQLite."""

from contextlib import AsyncExitStack
from dataclasses import replace

import httpx2

from services.api.app import create_app
from services.api.keys import create_key
from shared.adapters.gridfs_blobs import GridfsBlobs
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores
from tests.unit.api.house import House


async def on_mongo(house: House, stack: AsyncExitStack, url: str, database: str) -> House:
    """Another house, which keeps documents and blobs in this database; the bus is the first one's."""
    mongo = await stack.enter_async_context(Mongo.open(url, database))
    documents = MongoDocuments(mongo)
    await documents.prepare(COLLECTIONS)
    stores = Stores.over(documents, house.wired.relay)
    platform = replace(house.platform, documents=documents, blobs=GridfsBlobs(mongo), stores=stores)
    app = create_app(platform, house.settings)
    stack.push_async_callback(app.state.api.showing.close)
    key = await create_key(stores, platform.clock, "tests", ["*"])
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://ombud.test",
        headers={"Authorization": f"Bearer {key}"},
    )
    await stack.enter_async_context(client)
    return House(replace(house.wired, platform=platform), house.settings, app, client)
