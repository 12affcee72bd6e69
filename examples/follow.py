#!/usr/bin/env python3
"""Keeps a copy of an app's users in an SQLite file by following rollcall's change feed.

    ROLLCALL_URL=http://127.0.0.1:8787 ROLLCALL_KEY_ID=app_demo \
    ROLLCALL_KEY_SECRET=demo-key-secret-change-me  python3 examples/follow.py copy.db

The copy and the cursor are written in one transaction. Killed at any time, the program continues where the file
says. docs/api.md has the rules of the feed.
"""

import base64
import http.client
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ["ROLLCALL_URL"].rstrip("/") + "/v1/changes"
KEY = os.environ["ROLLCALL_KEY_ID"] + ":" + os.environ["ROLLCALL_KEY_SECRET"]
HEADERS = {"authorization": "Basic " + base64.b64encode(KEY.encode()).decode()}
WAIT = 60  # seconds for which rollcall holds an answer back until there is a change


class Gone(Exception):
    """The cursor belongs to another epoch, or to changes that are no longer kept: take the snapshot again."""


def get(**query):
    """One page of the feed. Repeats the request until the answer is 200, or 410."""
    request = urllib.request.Request(URL + "?" + urllib.parse.urlencode(query), headers=HEADERS)
    while True:
        pause = 1
        try:
            with urllib.request.urlopen(request, timeout=WAIT + 30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 410:
                raise Gone from None
            if error.code in (400, 401, 403, 404):
                sys.exit(f"{request.full_url}: {error.code} {error.read().decode()}")
            pause = int(error.headers.get("retry-after", pause))
            reason = error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error
        print(f"{reason}; next request in {pause} s", file=sys.stderr)
        time.sleep(pause)


def put(db, user):
    db.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", (user["_id"], json.dumps(user)))


def set_cursor(db, cursor):
    db.execute("INSERT OR REPLACE INTO cursor VALUES (0, ?)", (cursor,))


def take_snapshot(db):
    """Replaces the copy. Until the snapshot is complete, the file holds the copy before it."""
    with db:  # one transaction
        db.execute("DELETE FROM users")
        page = get(snapshot="true")
        while True:
            for user in page["appUsers"]:
                put(db, user)
            if not page["hasMore"]:
                break
            page = get(snapshot="true", after=page["after"])
        set_cursor(db, page["next"])
    print(f"snapshot taken, cursor {page['next']}", file=sys.stderr)


def apply(db, page):
    with db:
        for change in page["changes"]:
            if change["kind"] in ("merged", "removed", "erased"):
                db.execute("DELETE FROM users WHERE id = ?", (change["_id"],))
            elif "appUser" in change:
                put(db, change["appUser"])
            # Else a later change says what became of the _id.
        set_cursor(db, page["next"])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: follow.py FILE")
    db = sqlite3.connect(sys.argv[1])
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, json TEXT NOT NULL)")
    db.execute("CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 0), next TEXT NOT NULL)")
    while True:
        try:
            cursor = db.execute("SELECT next FROM cursor").fetchone()
            if cursor is None:
                take_snapshot(db)
            else:
                apply(db, get(since=cursor[0], wait=WAIT))
        except Gone:
            print("410: the snapshot is taken again", file=sys.stderr)
            with db:
                db.execute("DELETE FROM cursor")


if __name__ == "__main__":
    main()
