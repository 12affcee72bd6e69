//! Every trigger that is known: its name in each version, the app user that a payload of it carries, its meaning.
//! A trigger that is not listed is [`UNKNOWN`]: it mentions the app user that it carries, if it carries one.

#[derive(Debug)]
pub(super) struct Trigger {
    /// `trigger` in v1 and v1.1; empty if they lack it.
    v1: &'static str,
    /// True if a v1 payload without `appUser._id` is unusable.
    pub needs_app_user: bool,
    /// `type` in v2; empty if it lacks it.
    v2: &'static str,
    /// The required content of a v2 payload.
    pub carries: Carries,
    /// The meaning of the event.
    pub meaning: Meaning,
}

/// The content that a v2 payload of a trigger must have to be usable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Carries {
    /// `user`, and `source` beside it.
    User,
    /// The author of this member. One that is no app user is passed over.
    Author(&'static str),
    /// Perhaps a user, perhaps an author, perhaps neither.
    Anything,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// The app user is mentioned, nothing else.
    Mentioned,
    ConversationStarted,
    /// Messages, by the app user or not. One by the app user starts the conversation.
    Message,
    /// Messages by the app user.
    UserMessage,
    /// Messages by others.
    OtherMessage,
    /// The app user changed. In v2 a null then clears `externalId` and `brandId`.
    UserUpdated,
    UserRemoved,
    UsersMerged,
    /// A client was added: it is the app user's from now on.
    ClientAdded,
    ClientUpdated,
    ClientRemoved,
}

use Carries::{Anything, Author, User};
use Meaning::*;

/// A row whose v1 payload may lack an app user, because no source shows its shape; see [`Trigger::needing`].
const fn row(v1: &'static str, v2: &'static str, carries: Carries, meaning: Meaning) -> Trigger {
    Trigger { v1, needs_app_user: false, v2, carries, meaning }
}

impl Trigger {
    /// The same with an app user in every v1 payload.
    const fn needing(self) -> Self {
        Self { needs_app_user: true, ..self }
    }
}

/// The most frequent first.
#[rustfmt::skip]
static TRIGGERS: [Trigger; 29] = [
    row("message", "conversation:message", Author("message"), Message).needing(),
    row("message:appUser", "", Anything, UserMessage).needing(),
    row("message:appMaker", "", Anything, OtherMessage).needing(),
    row("conversation:read", "conversation:read", Author("activity"), Mentioned).needing(),
    row("typing:appUser", "conversation:typing", Author("activity"), Mentioned),
    row("postback", "conversation:postback", User, Mentioned).needing(),
    row("conversation:start", "", Anything, ConversationStarted).needing(),
    row("conversation:referral", "conversation:referral", User, Mentioned).needing(),
    row("", "conversation:join", User, Mentioned),
    row("", "conversation:leave", User, Mentioned),
    row("delivery:success", "", Anything, Mentioned).needing(),
    row("delivery:failure", "", Anything, Mentioned).needing(),
    row("message:delivery:channel", "conversation:message:delivery:channel", User, Mentioned).needing(),
    row("message:delivery:user", "conversation:message:delivery:user", User, Mentioned).needing(),
    row("message:delivery:failure", "conversation:message:delivery:failure", User, Mentioned).needing(),
    row("notification:delivery:channel", "", Anything, Mentioned),
    row("notification:delivery:failure", "", Anything, Mentioned),
    row("payment:success", "", Anything, Mentioned).needing(),
    row("link:success", "", Anything, Mentioned).needing(),
    row("link:match", "", Anything, Mentioned).needing(),
    row("link:failure", "", Anything, Mentioned).needing(),
    row("client:add", "client:add", User, ClientAdded),
    row("client:update", "client:update", User, ClientUpdated),
    row("client:remove", "client:remove", User, ClientRemoved),
    row("", "client:removed", User, ClientRemoved),
    row("", "user:update", User, UserUpdated),
    row("appUser:delete", "user:delete", User, UserRemoved),
    row("", "user:remove", User, UserRemoved),
    row("merge:appUser", "user:merge", Anything, UsersMerged).needing(),
];

/// Smooch's pages do not agree on v1's name for the removal of a client, so every name with this prefix is one.
const CLIENT_REMOVED_PREFIX: &str = "client:remove";
static CLIENT_REMOVED: Trigger = row("", "", Anything, ClientRemoved);

/// A trigger that is not listed.
static UNKNOWN: Trigger = row("", "", Anything, Mentioned);

impl Trigger {
    /// The trigger of this name in v1 and v1.1.
    pub(super) fn in_v1(name: &str) -> &'static Self {
        let listed = TRIGGERS.iter().find(|trigger| trigger.v1 == name && !name.is_empty());
        let or = if name.starts_with(CLIENT_REMOVED_PREFIX) { &CLIENT_REMOVED } else { &UNKNOWN };
        listed.unwrap_or(or)
    }

    pub(super) fn in_v2(name: &str) -> &'static Self {
        TRIGGERS.iter().find(|trigger| trigger.v2 == name && !name.is_empty()).unwrap_or(&UNKNOWN)
    }
}
