-- Lists and searches. What they go by stands in the app user's own row, which every event writes anyway,
-- and shows what the row's record and everybody merged into it show together. There are no triggers: a
-- statement that fires one opens a savepoint, and at a savepoint FTS5 writes out what it has gathered.

-- µs since 1970; the least number of all for whoever has none, so that rows have one order.
ALTER TABLE app_users ADD COLUMN last_seen INTEGER NOT NULL DEFAULT -4611686018427387904;
ALTER TABLE app_users ADD COLUMN signed_up INTEGER NOT NULL DEFAULT -4611686018427387904;
ALTER TABLE app_users ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;  -- 1 has a userId, 2 conversation started
ALTER TABLE app_users ADD COLUMN words TEXT;  -- what it is searched by; null in a row of an older program

-- It changes once in the life of an app user, so it is a plain index.
CREATE INDEX signed_up ON app_users (app, signed_up, id) WHERE listed;

-- last_seen changes with every event, and a row appended costs a tenth of one changed. So a row is added
-- for each new moment, which is about now, and the one before it stays for a while. What disagrees with the
-- app user's own row does not count.
CREATE TABLE seen (
    app       TEXT    NOT NULL,
    last_seen INTEGER NOT NULL,
    id        TEXT    NOT NULL,
    user      INTEGER NOT NULL,               -- rowid in app_users
    PRIMARY KEY (app, last_seen, id)
) STRICT, WITHOUT ROWID;

-- Who took another place in the order of last_seen or of signed_up, in the order of commits: so that
-- whoever reads a list page by page meets them once, and so that the rows of seen are cleared away.
CREATE TABLE moves (
    n      INTEGER PRIMARY KEY,
    sort   TEXT    NOT NULL CHECK (sort = 'lastSeen' OR sort = 'signedUpAt'),
    app    TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    user   INTEGER NOT NULL,                  -- rowid in app_users
    before INTEGER NOT NULL,
    now    INTEGER                            -- null: it is not listed any more
) STRICT;

-- Where two kinds of upkeep are that go on for longer than a transaction.
CREATE TABLE upkeep (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    cleared INTEGER NOT NULL,                 -- what moved up to here has no row in seen any more but its own
    filled  INTEGER                           -- rows of app_users up to here have their columns; null: all
) STRICT;
INSERT INTO upkeep (one, cleared, filled) SELECT 1, 0, iif(EXISTS (SELECT 1 FROM app_users), 0, NULL);

-- The words of each app user, each behind a few letters that stand for its app, so that a search in one
-- app never walks another's. They are split and folded before they come here; ascii leaves them as they are.
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = 'app_users', content_rowid = 'rowid', detail = none, columnsize = 0, tokenize = 'ascii'
);
-- What is deleted goes out of the index at once, not with some later merge of it.
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
