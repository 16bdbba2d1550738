"""The stores and the collections are one list: what one of them forgets is not prepared, or not swept."""

from dataclasses import fields

from shared.ports.documents import Spec
from shared.stores import collections
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores


def test_every_collection_is_prepared_and_has_its_store_by_its_name(stores: Stores) -> None:
    declared = {spec.name for spec in vars(collections).values() if isinstance(spec, Spec)}
    opened = {name: store.spec.name for name, store in vars(stores).items() if name != "documents"}

    assert {spec.name for spec in COLLECTIONS} == declared
    assert opened == {name: name for name in declared}


def test_every_store_that_publishes_is_swept(stores: Stores) -> None:
    publishing = {field.name for field in fields(Stores) if "PublishingStore" in str(field.type)}

    assert {"tickets", "letters"} <= publishing
    assert {store.spec.name for store in stores.publishing()} == publishing
