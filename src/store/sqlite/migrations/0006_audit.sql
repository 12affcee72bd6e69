-- Schema 6. One row per act of an operator, and per change that a business system made with a key. A row is written in
-- the transaction of the change that it tells of, and is never changed, except that an erasure clears its request id.
-- No column has a value of a profile.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    time    INTEGER NOT NULL,                 -- ms since 1970
    who     TEXT,                             -- an operator's name, or a key's id; absent if nobody is known
    role    TEXT,                             -- of the operator; the scope of a key
    how     TEXT NOT NULL,                    -- how they proved who they are
    app     TEXT,                             -- absent if it is about no app, or about several
    action  TEXT NOT NULL,
    ids     TEXT NOT NULL CHECK (ids LIKE '[%]'),      -- the _ids of the app users
    entries TEXT NOT NULL CHECK (entries LIKE '[%]'),  -- the numbers of the journal entries that tell the change
    bodies  TEXT NOT NULL CHECK (bodies LIKE '[%]'),   -- the numbers of the quarantined bodies
    count   INTEGER,                          -- how many; absent as long as that is not known
    outcome TEXT NOT NULL,
    detail  TEXT,                             -- words of the program alone
    request TEXT                              -- the id of the request
) STRICT;
