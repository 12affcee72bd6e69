-- Schema 4. Each section below belongs to one correction; the comment above it says which.

-- The epoch of the change feed. It is another one as soon as a number may be given a second time: in each new
-- database, and in each that is put in the place of another. The row is written when the file is opened.
CREATE TABLE epochs (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    epoch    INTEGER NOT NULL,
    is_first INTEGER NOT NULL CHECK (is_first = 0 OR is_first = 1)  -- no other database was there before
) STRICT;
-- What the keys of kept answers are hashed with: a caller may put anything into an Idempotency-Key.
CREATE TABLE answer_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
INSERT INTO answer_key (one, key) VALUES (1, randomblob(32));

-- A body that names an erased _id without being about it was not looked for. So every body is searched again for
-- all who were erased before.
UPDATE receipts SET work = json_set(work, '$.stage', json_object('Bodies', 0))
    WHERE done IS NULL AND json_type(work, '$.stage.Journal') IS NULL AND work ->> '$.stage' <> 'Sweep';
UPDATE receipts SET done = NULL, work = json_object(
        'ids', json(erased.ids),
        'needles', json_object('names', json(erased.ids), 'reached', json('[]'), 'fields', json('[]'),
                               'kin', json('[]')),
        'stage', json_object('Bodies', 0))
    FROM (SELECT app, receipt, json_group_array(id) AS ids FROM erasures GROUP BY app, receipt) AS erased
    WHERE erased.app = receipts.app AND erased.receipt = receipts.seq
      AND (done IS NOT NULL OR work ->> '$.stage' = 'Sweep');

-- The words of an app user have two kinds more: the versions of its clients' apps, and the e-mail addresses among
-- its identities. The next start gives every row its columns once more.
UPDATE upkeep SET filled = iif(EXISTS (SELECT 1 FROM app_users), 0, NULL);

-- Derived tables that are being made anew. -1: has to be emptied first. Of identifiers, -1 is all there is; of seen
-- (sortable) and of the index of words (searchable), rows of app_users up to this one are in it. null: it is whole.
ALTER TABLE upkeep ADD COLUMN identified INTEGER;
ALTER TABLE upkeep ADD COLUMN sortable INTEGER;
ALTER TABLE upkeep ADD COLUMN searchable INTEGER;

-- By which version of its rules the program read what the directory was learned from. A directory of older rules is
-- learned again from what the journal still has.
ALTER TABLE upkeep ADD COLUMN rules INTEGER NOT NULL DEFAULT 0;

-- Numbers of the journal that rightly have no entry, both ends of each range included: from 1 on what retention let
-- go, and each entry of which an erasure left nothing. Any other number without an entry is damage. What an older
-- program let go is taken to be right.
CREATE TABLE gaps (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL CHECK (last >= first)
) STRICT;
INSERT INTO gaps (first, last)
    SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM journal)
        WHERE seq > before + 1;
INSERT OR IGNORE INTO gaps (first, last)
    SELECT 1, seq FROM horizon WHERE seq > 0 AND NOT EXISTS (SELECT 1 FROM journal);
