"""The health check of the MongoDB stand-in, in place of `mongosh`: make the replica set, ask for its primary.

Exit status 0 when this member takes writes, else 1.
"""

import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure

ALREADY_INITIALISED = 23


def main() -> int:
    """One check; the first makes the replica set."""
    with MongoClient[dict[str, object]](
        "127.0.0.1", 27017, directConnection=True, serverSelectionTimeoutMS=3000
    ) as client:
        try:
            member = {"_id": 0, "host": "mongo:27017"}
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        except OperationFailure as fault:
            if fault.code != ALREADY_INITIALISED:
                raise
        return 0 if client.admin.command("hello").get("isWritablePrimary") else 1


if __name__ == "__main__":
    sys.exit(main())
