//! The cursor of a follower, as the text that it receives and sends back.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::directory::feed::FeedPage;
use crate::domain::AppId;
use crate::http::error::ApiError;
use crate::http::parameters::number;
use crate::store::Epoch;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FeedCursor {
    /// All changes up to this one are applied.
    Change(ChangeCursor),
    /// The snapshot is being read.
    Snapshot(Option<SnapshotCursor>),
}

/// A change as a cursor: `3f9a1c0b7d24-15`. A number alone comes from versions before epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChangeCursor {
    pub(super) epoch: Option<Epoch>,
    pub(super) seq: u64,
}

impl ChangeCursor {
    pub(super) fn name(epoch: Epoch, seq: u64) -> String {
        format!("{epoch}-{seq}")
    }

    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let since = match text.split_once('-') {
            Some((epoch, seq)) => epoch.parse().ok().zip(number(seq)).map(|(epoch, seq)| (Some(epoch), seq)),
            None => number(text).map(|seq| (None, seq)),
        };
        let (epoch, seq) = since.ok_or_else(|| {
            ApiError::bad_request("since must be the next of a page, or the id of an event")
        })?;
        Ok(Self { epoch, seq })
    }

    /// Checks that the feed can continue after this change: it belongs to this feed, and every later
    /// change is retained. 410 where a follower has to start again.
    pub(super) fn check(self, feed: &FeedPage) -> Result<(), ApiError> {
        let gone = |why: &'static str| Err(ApiError::gone(why, feed.oldest, Some(feed.epoch.epoch)));
        match self.epoch {
            Some(epoch) if epoch != feed.epoch.epoch => {
                return gone(
                    "since is of another epoch: the database was restored or replaced; begin again with snapshot=true",
                );
            }
            None if self.seq > 0 && !feed.epoch.is_first => {
                return gone(
                    "since has no epoch, and the database was restored or replaced; begin again with snapshot=true",
                );
            }
            None if self.seq > feed.last => {
                let description = format!("since is beyond the last change, {}", feed.last);
                return Err(ApiError::bad_request(description));
            }
            _ => {}
        }
        if self.seq > feed.last {
            return gone("since is beyond the last change; begin again with snapshot=true");
        }
        if self.seq + 1 < feed.oldest {
            return gone("The changes to go on from are not kept any more; begin again with snapshot=true");
        }
        Ok(())
    }
}

impl fmt::Display for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epoch {
            Some(epoch) => f.write_str(&Self::name(epoch, self.seq)),
            None => write!(f, "{}", self.seq),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapshotCursor {
    pub(super) app: AppId,
    pub(super) epoch: Epoch,
    /// The last change before its first page.
    pub(super) seq: u64,
    /// The last app user shown; empty before the first.
    pub(super) id: String,
}

/// The prefix of a snapshot cursor. Earlier versions wrote others.
const SNAPSHOT: &str = "snapshot of app\0";

impl SnapshotCursor {
    pub(super) fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!(
            "{SNAPSHOT}{}\0{}\0{}\0{}",
            self.app.as_str(),
            self.epoch,
            self.seq,
            self.id
        ))
    }

    /// The change to continue from once the snapshot is read.
    pub(super) fn since(&self) -> ChangeCursor {
        ChangeCursor { epoch: Some(self.epoch), seq: self.seq }
    }

    pub(super) fn next(&self) -> String {
        ChangeCursor::name(self.epoch, self.seq)
    }

    pub(super) fn id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// The cursor in a text; `None` if it is none. 400 for one of another app, whose numbers mean others.
    pub(super) fn read(cursor: &str, of: &AppId) -> Result<Option<Self>, ApiError> {
        match Self::parse(cursor) {
            Some(read) if read.app != *of => {
                Err(ApiError::bad_request("after is a cursor of the snapshot of another app"))
            }
            read => Ok(read),
        }
    }

    fn parse(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (app, rest) = text.strip_prefix(SNAPSHOT)?.split_once('\0')?;
        let (epoch, rest) = rest.split_once('\0')?;
        let (seq, id) = rest.split_once('\0')?;
        Some(Self { app: app.into(), epoch: epoch.parse().ok()?, seq: number(seq)?, id: id.to_owned() })
    }
}
