//! Who goes by which `userId`, as far as somebody asks.

use std::cmp::Reverse;

use super::{At, Directory, TooLarge};
use crate::domain::app_user::{Edge, Record, Text};
use crate::domain::fact::{Field, Reason};
use crate::domain::ids::{AppId, SmoochId};
use crate::domain::view::View;

impl Directory {
    /// Adds whoever carries a `userId`, given as JSON text, as it is stored.
    pub fn bring_named(&mut self, app: &AppId, user_id: &Text, ids: impl IntoIterator<Item = SmoochId>) {
        self.named.entry((app.clone(), user_id.clone())).or_default().extend(ids);
    }

    /// Whether it is known here who carries a `userId`.
    pub fn has_named(&self, app: &AppId, user_id: &Text) -> bool {
        self.named.contains_key(&At(app, user_id))
    }

    /// The app user who shows this `userId`, given as JSON text: of several the one who said so
    /// last, and of those the smallest `_id`.
    pub fn by_user_id(&self, app: &AppId, user_id: &Text) -> Option<View> {
        let ids = self.named.get(&At(app, user_id))?;
        let shown = ids.iter().filter_map(|id| {
            let view = self.view(app, id).filter(|view| view.fields.get(&Field::UserId) == Some(user_id))?;
            let stamp = self.group(app, id)?.user_id_stamp(user_id).cloned();
            Some(((stamp, Reverse(view.id.clone())), view))
        });
        shown.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, view)| view)
    }

    /// Whoever carries a `userId`, given as JSON text, or did.
    pub fn carriers(&self, app: &AppId, user_id: &Text) -> Vec<SmoochId> {
        self.named.get(&At(app, user_id)).into_iter().flatten().cloned().collect()
    }

    /// Whether somebody beside `id` carried a `userId` before, or came to it in the same batch and
    /// goes first.
    pub fn is_carried_beside(&self, app: &AppId, user_id: &Text, id: &SmoochId) -> bool {
        let others = self.named.get(&At(app, user_id)).into_iter().flatten().filter(|other| *other != id);
        let carries = |found: Option<(&SmoochId, &Record)>| {
            found.is_some_and(|(_, record)| record.user_ids().contains(user_id))
        };
        let mut others = others.filter(|other| carries(self.find(app, other)));
        others.any(|other| other < id || carries(self.find_before(app, other)))
    }

    /// The app user whom a path or a body names: by its `_id`, also an old one, else by its `userId`.
    pub fn by_name(&self, app: &AppId, name: &str) -> Option<View> {
        self.view(app, &name.into()).or_else(|| self.by_user_id(app, &json_text(name)))
    }

    /// Notes that a record carries a `userId` now, for whoever asks.
    pub(super) fn name(&mut self, app: &AppId, user: &SmoochId, user_id: &Text) {
        if self.whole {
            self.named.entry((app.clone(), user_id.clone())).or_default().insert(user.clone());
        } else if let Some(ids) = self.named.get_mut(&At(app, user_id)) {
            ids.insert(user.clone());
        }
    }

    /// Smooch calls its app user by a `userId` that is new to it: whoever was made here under it is
    /// that app user. The stamp of the merge is that of the making, so that it is the same whichever
    /// event tells. What is not news says nothing of whom was made here since, and nobody of `apart` is it.
    pub(super) fn reported(
        &mut self,
        app: &AppId,
        user: &SmoochId,
        user_id: &Text,
        apart: &[SmoochId],
    ) -> Result<(), TooLarge> {
        let Some((_, record)) = self.find(app, user) else { return Ok(()) };
        let (minted, carries) = (record.minted, record.user_ids().contains(user_id));
        if !carries {
            return Ok(());
        }
        self.name(app, user, user_id);
        let Some(ids) = self.named.get(&At(app, user_id)).filter(|ids| ids.len() > 1 && !minted) else {
            return Ok(());
        };
        let made_here = ids.iter().filter(|id| !apart.contains(id)).filter_map(|id| {
            let (_, record) = self.find(app, id).filter(|(_, record)| record.minted && !record.dead)?;
            let named = record.ours.get(&Field::UserId)?;
            (named.value.value.as_ref() == Some(user_id)).then(|| (id.clone(), named.stamp.clone()))
        });
        let edge = || Edge { joined: true, reason: Reason::SameUserId };
        let made_here: Vec<_> = made_here.collect();
        made_here.into_iter().try_for_each(|(id, stamp)| self.edge(app, user, &id, &stamp, edge()))
    }
}

/// A string as JSON text: the form in which values are kept.
pub fn json_text(text: &str) -> Text {
    serde_json::Value::from(text).to_string().into()
}
