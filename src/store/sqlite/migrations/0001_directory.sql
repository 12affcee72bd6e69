-- Everything an event writes is appended, but for the app user's own row: a row appended costs a
-- tenth of a random page. Keys begin with the app. No CHECK uses IN with more than two values: SQLite
-- builds a table for it each time a row is written.

-- One row per event, numbered in the order of commits.
CREATE TABLE journal (
    seq        INTEGER PRIMARY KEY,
    app        TEXT    NOT NULL,
    source     TEXT    NOT NULL CHECK (source IN ('webhook', 'api')),  -- api: the body holds what was decided
    received   INTEGER NOT NULL,              -- ms since 1970
    event_time INTEGER,                       -- µs since 1970; absent if the event has no time
    trigger    TEXT    NOT NULL,
    outcome    TEXT    NOT NULL CHECK (outcome IN ('learned', 'kept')),
    digest     BLOB    NOT NULL CHECK (length(digest) = 16),
    users      TEXT    NOT NULL CHECK (users LIKE '[%]'),  -- [["_id", seq of its previous entry or null], …]
    body       INTEGER NOT NULL,              -- which of the bodies of its batch
    place      INTEGER NOT NULL               -- which of the events in that body
) STRICT;

-- One row per committed batch: its bodies as received, compressed together.
CREATE TABLE bodies (
    first_seq  INTEGER PRIMARY KEY,           -- the batch's first journal entry
    dictionary INTEGER NOT NULL,              -- what it was compressed with
    bodies     BLOB    NOT NULL
) STRICT;

-- One row per _id ever seen.
CREATE TABLE app_users (
    app    TEXT    NOT NULL,
    id     TEXT    NOT NULL,                  -- '' for what belongs to no app user
    listed INTEGER NOT NULL CHECK (listed IN (0, 1)),  -- a root that is alive
    record BLOB    NOT NULL,
    PRIMARY KEY (app, id)
) STRICT;

-- What an app user can be found by. Several rows for one value are no error: out of order, two
-- app users may carry one userId for a while. Who it resolves to is decided by their records.
CREATE TABLE identifiers (
    app   TEXT NOT NULL,
    kind  TEXT NOT NULL CHECK (kind = 'userId' OR kind = 'client' OR kind = 'claim'),  -- claim: in vain
    value TEXT NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (app, kind, value, id)
) STRICT, WITHOUT ROWID;

-- What a follower of the directory reads. Numbered for each app without a gap.
CREATE TABLE changes (
    app       TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    journal   INTEGER NOT NULL,               -- the last journal entry of the batch that made it
    time      INTEGER NOT NULL,               -- ms since 1970
    kind      TEXT    NOT NULL CHECK (kind = 'created' OR kind = 'updated' OR kind = 'merged'
                                      OR kind = 'unmerged' OR kind = 'removed'),
    user      TEXT    NOT NULL,
    surviving TEXT,
    fields    TEXT    NOT NULL CHECK (fields LIKE '[%]'),
    PRIMARY KEY (app, seq)
) STRICT, WITHOUT ROWID;

-- The last number given to a change of each app.
CREATE TABLE feeds (
    app TEXT    PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT;

-- Bodies that came with the right secret and could not be used.
CREATE TABLE quarantine (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    app      TEXT    NOT NULL,
    received INTEGER NOT NULL,                -- ms since 1970
    reason   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    headers  TEXT    NOT NULL,
    body     BLOB    NOT NULL
) STRICT;

-- What our own API was asked with an Idempotency-Key, and what it answered.
CREATE TABLE answers (
    app         TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    time        INTEGER NOT NULL,             -- ms since 1970
    answer      BLOB    NOT NULL,
    PRIMARY KEY (app, key)
) STRICT;

-- The time of the last thing that our own API said, in µs since 1970: it never runs back.
CREATE TABLE clock (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    time INTEGER NOT NULL
) STRICT;
INSERT INTO clock (one, time) VALUES (1, 0);
