"""The tables that every file has, whatever the collections in it; those come from `sqlite_table.py`.

`user_version` counts how many of `MIGRATIONS` a file has been through. A released one is never edited: a
change of the tables is one more at the end, so that any older file can be brought up to date.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE sys_counters (
            counter TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (counter, name)
        ) WITHOUT ROWID""",
        # `seq` only ever grows within a counter: the tokens with the greatest are the ring that is kept.
        """CREATE TABLE sys_tokens (
            counter TEXT NOT NULL, seq INTEGER NOT NULL, token TEXT NOT NULL, PRIMARY KEY (counter, seq)
        ) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX sys_tokens_token ON sys_tokens (counter, token)",
        # A blob without a digest is still being written.
        """CREATE TABLE sys_blobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT UNIQUE, size INTEGER NOT NULL,
            begun_at INTEGER NOT NULL
        )""",
        "CREATE INDEX sys_blobs_unfinished ON sys_blobs (begun_at) WHERE digest IS NULL",
        """CREATE TABLE sys_pieces (
            blob INTEGER NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (blob, number)
        )""",
        """CREATE TABLE sys_partitions (
            id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,
            next_offset INTEGER NOT NULL,
            UNIQUE (topic, number)
        )""",
        # `place` is the partition's id times 2^40 plus the offset: the records of one partition lie side by
        # side in their order, and reading on needs no other index.
        """CREATE TABLE sys_records (
            place INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL,
            published_at INTEGER NOT NULL
        )""",
        """CREATE TABLE sys_members (
            session TEXT PRIMARY KEY, grp TEXT NOT NULL, member TEXT NOT NULL, topics TEXT NOT NULL,
            beats INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX sys_members_member ON sys_members (grp, member)",
        # `owner` is the session that reads the partition for the group; only its commits count.
        """CREATE TABLE sys_positions (
            grp TEXT NOT NULL, partition INTEGER NOT NULL, done INTEGER NOT NULL, owner TEXT,
            PRIMARY KEY (grp, partition)
        ) WITHOUT ROWID""",
    ),
    (
        # When a counter is forgotten, in milliseconds; one that stays for ever has no row.
        "CREATE TABLE sys_expiries (counter TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX sys_expiries_at ON sys_expiries (at)",
    ),
)
