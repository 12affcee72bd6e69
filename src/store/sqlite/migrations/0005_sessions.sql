-- Schema 5. The sessions of the console, so that they survive a restart. Of the two halves of a session, and of the
-- secret that it began with, only SHA-256 are stored, over the key file beside the database too: without that file a
-- row proves nothing. A database that is put in the place of another has another epoch, and so no sessions.
CREATE TABLE sessions (
    cookie BLOB PRIMARY KEY CHECK (length(cookie) = 32),
    half   BLOB NOT NULL CHECK (length(half) = 32),
    name   TEXT NOT NULL,
    role   TEXT NOT NULL,
    secret BLOB CHECK (length(secret) = 32),  -- null: it began with a code
    began  INTEGER NOT NULL,                  -- ms since 1970, as the next one
    used   INTEGER NOT NULL,                  -- written every few minutes only
    epoch  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
