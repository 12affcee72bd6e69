-- Schema 8. Long tasks that operators start, what failed in them, and named list queries. The progress of a job is
-- written in the transaction of what it did. Of a job that named an app user who was erased, only the numbers remain; a
-- segment that did is deleted.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY,
    app        TEXT,                          -- absent if it is about no app, or about several
    kind       TEXT    NOT NULL,
    spec       TEXT,                          -- JSON: the filter and the values; absent once it was erased
    who        TEXT,                          -- the operator, as in the audit log
    role       TEXT,
    how        TEXT    NOT NULL,
    request    TEXT,
    state      TEXT    NOT NULL,
    began      INTEGER NOT NULL,              -- ms since 1970, as the next one
    ended      INTEGER,
    total      INTEGER NOT NULL,
    done       INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    cursor     TEXT    NOT NULL,              -- where it continues
    counts     TEXT    NOT NULL,              -- JSON: what came of the parts
    result     TEXT,                          -- JSON: what came of the whole
    file_until INTEGER,                       -- ms since 1970: the file of an export is kept until then
    epoch      INTEGER NOT NULL               -- of the database that it began in: no job goes on in a restored one
) STRICT;
CREATE TABLE job_failures (
    job    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    about  TEXT    NOT NULL,                  -- an _id, or the number of a body or an entry
    reason TEXT    NOT NULL,
    PRIMARY KEY (job, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE segments (
    id    TEXT PRIMARY KEY,
    app   TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    query TEXT    NOT NULL,                   -- the query string of a list
    who   TEXT,
    time  INTEGER NOT NULL                    -- ms since 1970
) STRICT, WITHOUT ROWID;
