-- How long things are kept, and who is forgotten. The two words that are new in a CHECK are written into the
-- schema itself, as SQLite's manual has it for a constraint that only becomes wider: no row is touched.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'OR kind = ''removed''', 'OR kind = ''removed'' OR kind = ''erased''')
    WHERE type = 'table' AND name = 'changes';
-- reduced: the body holds what a webhook said of those who are not erased.
UPDATE sqlite_schema SET sql = replace(sql, 'source IN (''webhook'', ''api'')',
                                       'source = ''webhook'' OR source = ''api'' OR source = ''reduced''')
    WHERE type = 'table' AND name = 'journal';
PRAGMA writable_schema = RESET;

-- One row per _id that an entry of the journal spoke of whose body is kept no longer: what these entries
-- came to. The directory is the fold of the journal that goes on from here.
CREATE TABLE base (
    app    TEXT NOT NULL,
    id     TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (app, id)
) STRICT;

-- The last entry that is in the base, and when it was received, in ms since 1970; no body of it or of one
-- before it is needed. clean: the file was never written without secure_delete, or was made anew since.
CREATE TABLE horizon (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    seq      INTEGER NOT NULL,
    received INTEGER NOT NULL,
    clean    INTEGER NOT NULL CHECK (clean = 0 OR clean = 1)
) STRICT;
INSERT INTO horizon (one, seq, received, clean)
    VALUES (1, 0, 0, (SELECT count(*) = 0 FROM app_users) AND (SELECT count(*) = 0 FROM quarantine));

-- One row per _id that was erased: the tombstone, and the receipt that tells what was erased of it.
CREATE TABLE erasures (
    app     TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    receipt INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) STRICT, WITHOUT ROWID;

-- One row per journal entry that erased somebody.
CREATE TABLE receipts (
    seq    INTEGER PRIMARY KEY,
    app    TEXT    NOT NULL,
    time   INTEGER NOT NULL,                  -- ms since 1970
    done   INTEGER,                           -- ms since 1970; absent while something is left to do
    counts TEXT    NOT NULL,                  -- what was erased where, as JSON
    work   TEXT                               -- what is looked for, and how far; absent once done
) STRICT;
CREATE INDEX receipts_open ON receipts (seq) WHERE done IS NULL;
