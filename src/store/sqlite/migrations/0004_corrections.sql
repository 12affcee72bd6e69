-- Schema 4. Each section below belongs to one correction; the comment above it says which.

-- The epoch of the change feed. It is another one as soon as a number may be given a second time: in each new
-- database, and in each that is put in the place of another. The row is written when the file is opened.
CREATE TABLE epochs (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    epoch    INTEGER NOT NULL,
    is_first INTEGER NOT NULL CHECK (is_first = 0 OR is_first = 1)  -- no other database was there before
) STRICT;
