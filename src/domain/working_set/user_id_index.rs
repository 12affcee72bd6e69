//! Who goes by which `userId`, as far as somebody asks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{KeyRef, TooLarge, WorkingSet};
use crate::domain::brand::Name;
use crate::domain::field::Field;
use crate::domain::ids::{AppId, SmoochId};
use crate::domain::record::{Edge, Reason, Record};
use crate::domain::value::{JsonText, json_text};
use crate::domain::view::{View, brands_of};

impl WorkingSet {
    /// Adds whoever carries a `userId`, given as JSON text, as it is stored.
    pub fn insert_carriers(
        &mut self,
        app: &AppId,
        user_id: &JsonText,
        ids: impl IntoIterator<Item = SmoochId>,
    ) {
        self.named.entry((app.clone(), user_id.clone())).or_default().extend(ids);
    }

    /// Whether it is known here who carries a `userId`.
    pub fn has_carriers(&self, app: &AppId, user_id: &JsonText) -> bool {
        self.named.contains_key(&KeyRef(app, user_id))
    }

    /// The app user who shows this `userId`, given as JSON text: of several, in one brand or in many, the one
    /// who said so last, and of those the smallest `_id`.
    pub fn by_user_id(&self, app: &AppId, user_id: &JsonText) -> Option<View> {
        self.newest_with_user_id(app, user_id, |_| true)
    }

    /// The same among those who are shown in a brand, or among those who are shown in none.
    pub fn in_brand(&self, app: &AppId, user_id: &JsonText, brand: Option<&str>) -> Option<View> {
        self.newest_with_user_id(app, user_id, |view| view.brand().as_deref() == brand)
    }

    /// The app user into which one that was made for a `userId` is merged: the one that shows the `userId` in the same
    /// brand, or, if it was made without a brand, the one that Smooch reported with it last, in any brand. Two that
    /// were made here, one in a brand and one without, are not merged, in whichever order they are imported.
    pub fn merge_target_of_created(
        &self,
        app: &AppId,
        user_id: &JsonText,
        brand: Option<&str>,
    ) -> Option<View> {
        let is_smoochs = |view: &View| self.find(app, &view.id).is_some_and(|(_, record)| !record.minted);
        let there = self.in_brand(app, user_id, brand);
        there.or_else(|| self.newest_with_user_id(app, user_id, |view| brand.is_none() && is_smoochs(view)))
    }

    fn newest_with_user_id(
        &self,
        app: &AppId,
        user_id: &JsonText,
        fits: impl Fn(&View) -> bool,
    ) -> Option<View> {
        let shown = self.views_with_user_id(app, user_id).filter(|view| fits(view));
        let shown = shown.filter_map(|view| {
            let stamp = self.group(app, &view.id)?.user_id_stamp(user_id).cloned();
            Some(((stamp, Reverse(view.id.clone())), view))
        });
        shown.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, view)| view)
    }

    /// Those who show a `userId`; one of several `_id`s may come several times.
    fn views_with_user_id<'d>(
        &'d self,
        app: &'d AppId,
        user_id: &'d JsonText,
    ) -> impl Iterator<Item = View> + 'd {
        let ids = self.named.get(&KeyRef(app, user_id)).into_iter().flatten();
        let views = ids.filter_map(move |id| self.view(app, id));
        views.filter(move |view| view.fields.get(&Field::UserId) == Some(user_id))
    }

    /// Everybody who shows a `userId`, given as JSON text, in the order of their `_id`s.
    pub fn all_by_user_id(&self, app: &AppId, user_id: &JsonText) -> Vec<View> {
        let all: BTreeMap<_, _> =
            self.views_with_user_id(app, user_id).map(|view| (view.id.clone(), view)).collect();
        all.into_values().collect()
    }

    /// Whether one of those who carry a `userId`, given as JSON text, in any brand, is secured; be it that they show
    /// another, as part of somebody else.
    pub fn is_secured(&self, app: &AppId, user_id: &JsonText) -> bool {
        let ids = self.named.get(&KeyRef(app, user_id)).into_iter().flatten();
        let carrying = ids
            .filter(|id| self.find(app, id).is_some_and(|(_, record)| record.user_ids().contains(user_id)));
        carrying.filter_map(|id| self.group(app, id)).any(|group| group.secured)
    }

    /// The brands in which a `userId`, given as JSON text, is shown; `None` is by somebody without one.
    pub fn brands_of_user_id(&self, app: &AppId, user_id: &JsonText) -> BTreeSet<Option<String>> {
        brands_of(&self.all_by_user_id(app, user_id))
    }

    /// Whoever carries a `userId`, given as JSON text, or did.
    pub fn carriers(&self, app: &AppId, user_id: &JsonText) -> Vec<SmoochId> {
        self.named.get(&KeyRef(app, user_id)).into_iter().flatten().cloned().collect()
    }

    /// Whether somebody beside `id`, and not known to be of another brand, carried a `userId` before, or came to
    /// it in the same batch and goes first.
    pub fn is_carried_beside(&self, app: &AppId, user_id: &JsonText, id: &SmoochId) -> bool {
        let others = self.named.get(&KeyRef(app, user_id)).into_iter().flatten().filter(|other| *other != id);
        let carries = |found: Option<(&SmoochId, &Record)>| {
            found.is_some_and(|(_, record)| record.user_ids().contains(user_id))
        };
        let own = self.find(app, id).map(|(_, record)| record);
        let is_apart = |other: &Record| own.is_some_and(|own| own.is_of_another_brand(other));
        let mut others = others.filter(|other| {
            let found = self.find(app, other);
            carries(found) && !found.is_some_and(|(_, other)| is_apart(other))
        });
        others.any(|other| other < id || carries(self.find_before(app, other)))
    }

    /// The app user whom a path or a body names: by its `_id`, also an old one, else by its `userId`. What was the `_id`
    /// of somebody who is gone stays that, and means nobody else.
    pub fn by_name(&self, app: &AppId, name: &Name) -> Option<View> {
        let id = SmoochId::from(&*name.text);
        match self.view(app, &id) {
            Some(view) if name.can_mean(&view) => Some(view),
            None if self.is_gone(app, &id) => None,
            _ => self.by_user_id_of(app, name),
        }
    }

    /// Whether an `_id` is known and nobody has it any more: its app user was removed or erased.
    pub fn is_gone(&self, app: &AppId, id: &SmoochId) -> bool {
        !id.is_app() && self.find(app, id).is_some() && self.group(app, id).is_none()
    }

    /// The app user whom a name means, if it is a `userId`.
    pub fn by_user_id_of(&self, app: &AppId, name: &Name) -> Option<View> {
        let user_id = json_text(&name.text);
        match &name.brand {
            Some(brand) => self.in_brand(app, &user_id, Some(brand)),
            None => self.by_user_id(app, &user_id),
        }
    }

    /// Notes that a record carries a `userId` now, for whoever asks.
    pub(super) fn index_user_id(&mut self, app: &AppId, user: &SmoochId, user_id: &JsonText) {
        if self.whole {
            self.named.entry((app.clone(), user_id.clone())).or_default().insert(user.clone());
        } else if let Some(ids) = self.named.get_mut(&KeyRef(app, user_id)) {
            ids.insert(user.clone());
        }
    }

    /// Smooch calls its app user by a `userId` that is new to it, or tells its brand: whoever was made here under
    /// that `userId`, in the same brand or in none, is that app user. The stamp of the merge is that of the making,
    /// so that it is the same whichever event tells. What is not news says nothing of whom was made here since, and
    /// nobody of `apart` is it.
    pub(super) fn link_same_user_id(
        &mut self,
        app: &AppId,
        user: &SmoochId,
        user_id: &JsonText,
        apart: &[SmoochId],
    ) -> Result<(), TooLarge> {
        let Some((_, record)) = self.find(app, user) else { return Ok(()) };
        let (minted, carries) = (record.minted, record.user_ids().contains(user_id));
        if !carries {
            return Ok(());
        }
        self.index_user_id(app, user, user_id);
        let Some(ids) = self.named.get(&KeyRef(app, user_id)).filter(|ids| ids.len() > 1 && !minted) else {
            return Ok(());
        };
        let brand = self.find(app, user).and_then(|(_, record)| record.brand());
        let made_here = ids.iter().filter(|id| !apart.contains(id)).filter_map(|id| {
            let (_, record) = self.find(app, id).filter(|(_, record)| record.minted && !record.removed)?;
            let named = record.overrides.get(&Field::UserId)?;
            let fits = record.brand().is_none_or(|of_the_made| brand.as_ref() == Some(&of_the_made));
            let is_named = named.value.value.as_ref() == Some(user_id);
            (is_named && fits).then(|| (id.clone(), named.stamp.clone()))
        });
        let edge = || Edge { joined: true, reason: Reason::SameUserId };
        let made_here: Vec<_> = made_here.collect();
        made_here.into_iter().try_for_each(|(id, stamp)| self.edge(app, user, &id, &stamp, edge()))
    }
}
