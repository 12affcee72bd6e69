//! Planted damage is found and named.

use super::{backed_up, printed, refused};
use crate::support::Home;

/// A home, with a backup whose file was changed.
fn verify(home: &Home, bytes: &[u8]) -> (Option<i32>, String) {
    std::fs::write(home.path().join("damaged.db"), bytes).unwrap();
    refused(home, &["verify", "damaged.db"])
}

#[test]
fn one_bit_in_any_page_of_a_backup_is_found() {
    let (home, _) = backed_up(30);
    let whole = std::fs::read(home.path().join("backup.db")).unwrap();
    assert_eq!(verify(&home, &whole).0, Some(0), "as it is, it is whole");
    let pages = whole.len() / 4096;
    assert!(pages > 15, "{pages}");
    for page in 0..pages {
        // In the middle, and at the end, where the first row of a page is.
        for at in [2050, 4090] {
            let mut bytes = whole.clone();
            bytes[page * 4096 + at] ^= 1;
            let (code, said) = verify(&home, &bytes);
            assert_eq!(code, Some(1), "page {page}, byte {at}: {said}");
            assert!(said.contains("damaged.db is damaged: "), "page {page}, byte {at}: {said}");
        }
    }
}

#[test]
fn truncated_backups_and_other_files_are_named() {
    let (home, _) = backed_up(30);
    let whole = std::fs::read(home.path().join("backup.db")).unwrap();
    for (what, bytes, code, says) in [
        ("cut off", &whole[..whole.len() / 2], 1, "is damaged"),
        ("cut off within a page", &whole[..whole.len() - 100], 1, "is damaged"),
        ("a letter", &b"A letter to somebody.\n".repeat(400)[..], 1, "is damaged"),
        ("nothing", &[], 1, "not a rollcall database"),
    ] {
        let (found, said) = verify(&home, bytes);
        assert_eq!(found, Some(code), "{what}: {said}");
        assert!(said.contains(says), "{what}: {said}");
    }
    let (code, said) = refused(&home, &["verify", "nowhere.db"]);
    assert_eq!(code, Some(74), "{said}");
    assert!(!home.path().join("nowhere.db").exists());
}

/// Each leaves a file in which SQLite itself finds nothing wrong.
#[test]
fn a_modified_backup_fails_its_checksum() {
    for change in [
        "UPDATE app_users SET listed = 0 WHERE id LIKE '%3'",
        "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)",
        "UPDATE bodies SET bodies = zeroblob(length(bodies))",
        "DELETE FROM _rollcall_backup",
        "INSERT INTO quarantine VALUES (1, 'a', 1, 'r', 'd', 'h', x'00')",
    ] {
        let (home, _) = backed_up(5);
        let sql = rusqlite::Connection::open(home.path().join("backup.db")).unwrap();
        sql.execute_batch(change).unwrap();
        drop(sql);
        let (code, said) = refused(&home, &["verify", "backup.db"]);
        assert_eq!(code, Some(1), "{change}: {said}");
        assert!(said.contains("is damaged: it"), "{change}: {said}");
        // So it is not put in place either.
        let (code, said) = refused(&home, &["restore", "--replace", "backup.db"]);
        assert_eq!(code, Some(1), "{change}: {said}");
        assert_eq!(printed(&home, &["verify"])["users"], 5, "the database is as it was");
    }
}

#[test]
fn damage_of_the_database_itself_is_found_and_never_backed_up() {
    let (home, _) = backed_up(400);
    let mut bytes = std::fs::read(home.database()).unwrap();
    let last = bytes.len() - 4096;
    bytes[last..].fill(0xA5);
    std::fs::write(home.database(), &bytes).unwrap();
    for args in [&["verify"][..], &["backup", "another.db"]] {
        let (code, said) = refused(&home, args);
        assert_eq!(code, Some(1), "{args:?}: {said}");
        assert!(said.contains("is damaged"), "{args:?}: {said}");
    }
    assert!(!home.path().join("another.db").exists());
}
