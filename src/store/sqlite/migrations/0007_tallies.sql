-- Counts of events and changes: of each app one row for a minute (step 60000) and one for an hour (step 3600000). The
-- start is in ms since 1970.
CREATE TABLE tallies (
    step   INTEGER NOT NULL CHECK (step > 0),
    start  INTEGER NOT NULL,
    app    TEXT    NOT NULL,
    counts BLOB    NOT NULL,
    PRIMARY KEY (step, start, app)
) STRICT, WITHOUT ROWID;
