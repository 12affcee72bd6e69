//! Look-ups by `userId`, for the `userId`s that a batch needs.

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
    /// Adds the stored carriers of a `userId`, given as JSON text.
    pub fn insert_carriers(
        &mut self,
        app: &AppId,
        user_id: &JsonText,
        ids: impl IntoIterator<Item = SmoochId>,
    ) {
        self.named.entry((app.clone(), user_id.clone())).or_default().extend(ids);
    }

    /// True if the carriers of a `userId` are loaded.
    pub fn has_carriers(&self, app: &AppId, user_id: &JsonText) -> bool {
        self.named.contains_key(&KeyRef(app, user_id))
    }

    /// The app user that shows this `userId`, given as JSON text. Of several, in one brand or in many, the one that
    /// got it last; of equal stamps, the smallest `_id`.
    pub fn by_user_id(&self, app: &AppId, user_id: &JsonText) -> Option<View> {
        self.newest_with_user_id(app, user_id, |_| true)
    }

    /// The same among the app users of a brand, or among those without a brand.
    pub fn in_brand(&self, app: &AppId, user_id: &JsonText, brand: Option<&str>) -> Option<View> {
        self.newest_with_user_id(app, user_id, |view| view.brand().as_deref() == brand)
    }

    /// The app user into which one created here for a `userId` is merged: the one that shows the `userId` in the same
    /// brand, or, if it was created without a brand, the one that Smooch reported with it last, in any brand. Two
    /// created here, one in a brand and one without, are not merged, in either order of import.
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

    /// The app users that show a `userId`; one with several `_id`s may occur several times.
    fn views_with_user_id<'d>(
        &'d self,
        app: &'d AppId,
        user_id: &'d JsonText,
    ) -> impl Iterator<Item = View> + 'd {
        let ids = self.named.get(&KeyRef(app, user_id)).into_iter().flatten();
        let views = ids.filter_map(move |id| self.view(app, id));
        views.filter(move |view| view.fields.get(&Field::UserId) == Some(user_id))
    }

    /// The app users that show a `userId`, given as JSON text, by `_id`.
    pub fn all_by_user_id(&self, app: &AppId, user_id: &JsonText) -> Vec<View> {
        let all: BTreeMap<_, _> =
            self.views_with_user_id(app, user_id).map(|view| (view.id.clone(), view)).collect();
        all.into_values().collect()
    }

    /// True if any carrier of a `userId`, given as JSON text, in any brand, is secured; also if it shows another
    /// `userId` as part of another app user.
    pub fn is_secured(&self, app: &AppId, user_id: &JsonText) -> bool {
        let ids = self.named.get(&KeyRef(app, user_id)).into_iter().flatten();
        let carrying = ids
            .filter(|id| self.find(app, id).is_some_and(|(_, record)| record.user_ids().contains(user_id)));
        carrying.filter_map(|id| self.group(app, id)).any(|group| group.secured)
    }

    /// The brands in which a `userId`, given as JSON text, is shown; `None` stands for an app user without a brand.
    pub fn brands_of_user_id(&self, app: &AppId, user_id: &JsonText) -> BTreeSet<Option<String>> {
        brands_of(&self.all_by_user_id(app, user_id))
    }

    /// The carriers, current and former, of a `userId` given as JSON text.
    pub fn carriers(&self, app: &AppId, user_id: &JsonText) -> Vec<SmoochId> {
        self.named.get(&KeyRef(app, user_id)).into_iter().flatten().cloned().collect()
    }

    /// True if another record than `id`, not known to be of another brand, carried the `userId` before the batch, or
    /// carries it now and has a smaller `_id`.
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

    /// Resolves a name of a path or a body: an `_id`, current or merged, else a `userId`. The `_id` of a removed app
    /// user resolves to `None`, never to another app user.
    pub fn by_name(&self, app: &AppId, name: &Name) -> Option<View> {
        let id = SmoochId::from(&*name.text);
        match self.view(app, &id) {
            Some(view) if name.can_mean(&view) => Some(view),
            None if self.is_removed_id(app, &id) => None,
            _ => self.by_user_id_of(app, name),
        }
    }

    /// True if an `_id` is known but its app user was removed or erased.
    pub fn is_removed_id(&self, app: &AppId, id: &SmoochId) -> bool {
        !id.is_app() && self.find(app, id).is_some() && self.group(app, id).is_none()
    }

    /// Resolves a name as a `userId`.
    pub fn by_user_id_of(&self, app: &AppId, name: &Name) -> Option<View> {
        let user_id = json_text(&name.text);
        match &name.brand {
            Some(brand) => self.in_brand(app, &user_id, Some(brand)),
            None => self.by_user_id(app, &user_id),
        }
    }

    /// Adds a record to the carriers of a `userId`, if these are loaded.
    pub(super) fn index_user_id(&mut self, app: &AppId, user: &SmoochId, user_id: &JsonText) {
        if self.whole {
            self.named.entry((app.clone(), user_id.clone())).or_default().insert(user.clone());
        } else if let Some(ids) = self.named.get_mut(&KeyRef(app, user_id)) {
            ids.insert(user.clone());
        }
    }

    /// Merges the app users created here for a `userId`, in the same brand or without one, into Smooch's app user. It
    /// runs if Smooch reports a `userId` that is new to the record, or its brand. The merge has the stamp of the
    /// creation, so that it is the same for every event that causes it. A repeated `userId` merges no app user
    /// created since, and `apart` lists `_id`s that are never merged.
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
