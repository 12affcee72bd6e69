//! Answers to calls with an `Idempotency-Key`, and the secret that hides these keys.

use crate::domain::AppId;
use crate::store::select::row;
use crate::store::table::Table;

/// The answers, numbered in the order in which they were written.
pub static ANSWERS: Table = Table {
    number: Some("rowid"),
    unique: &["app", "key"],
    ..Table::new("answers", &["rowid"], &["app", "key", "fingerprint", "time", "answer"])
};

/// The secret.
pub static ANSWER_SECRET: Table = Table::new("answer_key", &[], &["key"]);

/// A stored answer.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAnswer {
    /// The app.
    pub app: AppId,
    /// The key, hidden by [`crate::format::answer_key`].
    pub key: String,
    /// The hash of the request, covered by the same.
    pub fingerprint: [u8; 32],
    /// When it was given, in ms since 1970.
    pub time: i64,
    /// The answer.
    pub answer: Vec<u8>,
}

row! { StoredAnswer => ANSWERS { app, key, fingerprint, time, answer } }

/// The time of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerTime {
    /// Its number.
    pub row: i64,
    /// When it was given, in ms since 1970.
    pub time: i64,
}

row! { read AnswerTime => ANSWERS { row = "rowid", time } }

/// The text of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerText {
    /// Its number.
    pub row: i64,
    /// The answer.
    pub answer: Vec<u8>,
}

row! { AnswerText => ANSWERS { row = "rowid", answer } }

/// The secret that hides the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSecret {
    /// The secret.
    pub key: [u8; 32],
}

row! { AnswerSecret => ANSWER_SECRET { key } }
