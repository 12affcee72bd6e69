//! The context of a decision, and the steps that several decisions share.

use crate::domain::brand::parse_brand;
use crate::domain::command::{Authority, Command, Fields, Fixed, Name, Refusal, Repeated};
use crate::domain::fact::Fact;
use crate::domain::field::Field;
use crate::domain::ids::{AppId, SmoochId};
use crate::domain::merge_group::MergeGroup;
use crate::domain::record::{Reason, Record};
use crate::domain::value::{JsonText, json_text};
use crate::domain::view::{View, shown_value};
use crate::domain::working_set::WorkingSet;

/// The limit on the keys and values of an app user's properties together, in bytes, as in v2.
pub const PROPERTIES_BYTES: usize = 4096;

/// The facts to apply, and the app users to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The facts; empty if nothing changes.
    pub facts: Vec<Fact>,
    /// The app user to show afterwards.
    pub user: SmoochId,
    /// A second app user to show.
    pub other: Option<SmoochId>,
    /// True if an app user is created.
    pub created: bool,
}

impl Decision {
    pub(super) fn of(user: &SmoochId, facts: Vec<Fact>) -> Self {
        Self { facts, user: user.clone(), other: None, created: false }
    }
}

pub(super) type Decided = Result<Decision, Refusal>;

/// The access that a caller has to an app user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The caller may read and write it.
    Granted,
    /// The same; this is the first JWT of the app user, which secures it permanently.
    FirstJwt,
}

/// Decides if the caller may read and write this app user.
///
/// # Errors
/// [`Refusal::Secured`] for an app token after the first JWT; [`Refusal::NotYours`] for the JWT of another `userId`.
pub fn check_access(authority: &Authority, user: &View) -> Result<Access, Refusal> {
    match authority {
        Authority::Token if user.secured => Err(Refusal::Secured),
        Authority::App | Authority::Token => Ok(Access::Granted),
        Authority::User(own) if user.get(&Field::UserId) != Some(own) => Err(Refusal::NotYours),
        Authority::User(_) if user.secured => Ok(Access::Granted),
        Authority::User(_) => Ok(Access::FirstJwt),
    }
}

/// The refusal for a name that resolves to no app user. With a JWT of scope `appUser`, only the JWT's own `userId` is
/// reported as missing.
pub fn refuse_missing(authority: &Authority, name: &Name) -> Refusal {
    match authority {
        Authority::User(own) if json_text(&name.text) != *own => Refusal::NotYours,
        _ => Refusal::NoUser,
    }
}

/// The input of a decision.
pub(super) struct Decider<'a> {
    pub(super) directory: &'a WorkingSet,
    pub(super) app: &'a AppId,
    pub(super) command: &'a Command,
}

impl Decider<'_> {
    /// Resolves a name to one app user. Checks access, ambiguity and the caller's precondition.
    pub(super) fn resolve_target(&self, name: &Name) -> Result<View, Refusal> {
        let (authority, found) = (&self.command.authority, self.directory.by_name(self.app, name));
        let target = found.ok_or_else(|| refuse_missing(authority, name))?;
        check_access(authority, &target)?;
        if let Authority::User(own) = authority {
            self.check_one_user(own)?;
        }
        if name.brand.is_none() && !target.has_id(&name.text) {
            self.check_one_brand(&json_text(&name.text))?;
        }
        match &self.command.only_if {
            Some(tags) if !tags.contains(&target.tag()) => Err(Refusal::Stale),
            _ => Ok(target),
        }
    }

    /// Refuses a `userId` that exists in several brands: each brand has another app user with it.
    pub(super) fn check_one_brand(&self, user_id: &JsonText) -> Result<(), Refusal> {
        let brands = self.directory.brands_of_user_id(self.app, user_id);
        if brands.len() > 1 { Err(Refusal::SeveralBrands(brands.into_iter().collect())) } else { Ok(()) }
    }

    /// Refuses a JWT whose `userId` several app users have: it was issued for one of them and would reach the others.
    pub(super) fn check_one_user(&self, own: &JsonText) -> Result<(), Refusal> {
        let all = self.directory.all_by_user_id(self.app, own);
        if all.len() > 1 { Err(Refusal::SeveralUsers) } else { Ok(()) }
    }

    /// Refuses to remove by a `userId` that several app users have, even within one brand: a repeated call would
    /// remove the next.
    pub(super) fn check_one_carrier(&self, name: &Name, target: &View) -> Result<(), Refusal> {
        let all = self.directory.all_by_user_id(self.app, &json_text(&name.text));
        let is_meant =
            |view: &View| name.brand.as_deref().is_none_or(|brand| view.brand().as_deref() == Some(brand));
        let others = all.iter().filter(|view| view.id != target.id && is_meant(view));
        let is_id = target.has_id(&name.text);
        if is_id || others.count() == 0 { Ok(()) } else { Err(Refusal::SeveralCarriers) }
    }

    pub(super) fn group(&self, id: &SmoochId) -> Result<MergeGroup<'_>, Refusal> {
        self.directory.group(self.app, id).ok_or(Refusal::NoUser)
    }

    /// Secures the app user if this is its first JWT.
    pub(super) fn secure(&self, target: &View) -> Vec<Fact> {
        let first = matches!(self.command.authority, Authority::User(_)) && !target.secured;
        first.then(|| Fact::Secured { user: target.id.clone() }).into_iter().collect()
    }

    /// The facts that set the fields, each with Smooch's current value, on the app user and on each merged `_id` that
    /// has a value of its own.
    pub(super) fn set(&self, target: &View, fields: &Fields) -> Result<Vec<Fact>, Refusal> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let mut shown = target.fields.clone();
        for (field, value) in fields {
            match value {
                Some(value) => _ = shown.insert(field.clone(), value.clone()),
                None => _ = shown.remove(field),
            }
        }
        let touched =
            fields.iter().any(|(field, value)| matches!(field, Field::Property(_)) && value.is_some());
        if touched && property_bytes(shown.iter()) > PROPERTIES_BYTES {
            return Err(Refusal::TooManyProperties);
        }
        if let Some((_, brand)) = fields.iter().find(|(field, _)| *field == Field::BrandId) {
            self.check_brand_is_free(target, brand.as_ref())?;
        }
        let group = self.group(&target.id)?;
        let beside = |(field, value): &(Field, Option<JsonText>)| {
            let reported = group.smooch(field).and_then(|reported| reported.value.clone());
            (field.clone(), value.clone(), reported)
        };
        let set = Fact::Set { user: target.id.clone(), fields: fields.iter().map(beside).collect() };
        Ok(std::iter::once(set).chain(member_set_facts(&group, fields)).collect())
    }

    /// Refuses a brand in which another app user has the app user's `userId`.
    pub(super) fn check_brand_is_free(&self, target: &View, new: Option<&JsonText>) -> Result<(), Refusal> {
        let new = new.and_then(|text| parse_brand(text));
        let Some(user_id) = target.get(&Field::UserId).filter(|_| target.brand() != new) else {
            return Ok(());
        };
        match self.directory.in_brand(self.app, user_id, new.as_deref()) {
            Some(other) if other.id != target.id => Err(Refusal::Taken(other.id)),
            _ => Ok(()),
        }
    }

    pub(super) fn create(
        &self,
        user_id: &JsonText,
        fields: &Fields,
        secured: bool,
        fresh: &SmoochId,
    ) -> Decided {
        let known = match fields.iter().find(|(field, _)| *field == Field::BrandId) {
            Some((_, text)) => {
                let brand = text.as_ref().and_then(|text| parse_brand(text));
                self.directory.in_brand(self.app, user_id, brand.as_deref())
            }
            None => self.directory.by_user_id(self.app, user_id),
        };
        if let Some(known) = known {
            return Err(Refusal::Taken(known.id));
        }
        check_properties(fields)?;
        let mut facts = self.create_facts(fresh, Some(user_id), fields);
        facts.extend(secured.then(|| Fact::Secured { user: fresh.clone() }));
        Ok(Decision { created: true, ..Decision::of(fresh, facts) })
    }

    pub(super) fn create_facts(
        &self,
        fresh: &SmoochId,
        user_id: Option<&JsonText>,
        fields: &Fields,
    ) -> Vec<Fact> {
        let mut set: Vec<_> =
            user_id.map(|text| (Field::UserId, Some(text.clone()), None)).into_iter().collect();
        if !fields.iter().any(|(field, value)| *field == Field::SignedUpAt && value.is_some()) {
            set.push((Field::SignedUpAt, Some(self.command.at.clone()), None));
        }
        let given = fields.iter().filter(|(_, value)| value.is_some());
        set.extend(given.map(|(field, value)| (field.clone(), value.clone(), None)));
        vec![Fact::Minted { user: fresh.clone() }, Fact::Set { user: fresh.clone(), fields: set }]
    }

    /// The facts name every erased `_id`, because the journal stores nothing else that identifies them.
    pub(super) fn erase(&self, user: &Name, only: bool) -> Decided {
        let named = SmoochId::from(&*user.text);
        let (first, stays) = match self.resolve_target(user) {
            Ok(target) if self.check_one_carrier(user, &target).is_err() => {
                return Err(Refusal::SeveralCarriers);
            }
            Ok(target) if only && target.aliases.contains(&named) => (named, Some(target.id)),
            Ok(target) => (target.id, None),
            // A removed app user can still be erased.
            Err(Refusal::NoUser) if self.directory.is_removed_id(self.app, &named) => (named, None),
            Err(refusal) => return Err(refusal),
        };
        let all = self.directory.merged_descendants(self.app, &first);
        let all: Vec<_> = all.into_iter().filter(|id| !self.directory.is_erased(self.app, id)).collect();
        let secured = |id: &SmoochId| {
            self.directory.record(&(self.app.clone(), id.clone())).is_some_and(|record| record.secured)
        };
        let guard = stays.filter(|_| all.iter().any(secured)).map(|user| Fact::Secured { user });
        let facts = all.into_iter().map(|user| Fact::Erased { user }).chain(guard);
        Ok(Decision::of(&first, facts.collect()))
    }

    pub(super) fn merge(&self, surviving: &Name, discarded: &Name) -> Decided {
        let [surviving, discarded] = [self.resolve_target(surviving)?, self.resolve_target(discarded)?];
        if surviving.id == discarded.id {
            return Err(Refusal::SameUser);
        }
        Ok(Decision::of(&surviving.id, vec![merge_fact(&surviving.id, &discarded.id, Reason::Api)]))
    }

    /// Cuts every edge of the `_id`, so that it becomes separate, and every edge of the root: an edge that a cycle
    /// suppresses must not become effective.
    pub(super) fn unmerge(&self, surviving: &Name, discarded: &SmoochId) -> Decided {
        let target = self.resolve_target(surviving)?;
        let group = self.group(&target.id)?;
        let bonds = group.bonds(discarded).ok_or(Refusal::NoMember)?.into_iter();
        let cut = bonds.map(|(id, to)| Fact::Unmerged { surviving: to.clone(), discarded: id.clone() });
        Ok(Decision { other: Some(discarded.clone()), ..Decision::of(&target.id, cut.collect()) })
    }
}

/// Refuses a body that has another value for a read-only member.
pub(super) fn check_repeated(repeated: &[Repeated], target: &View) -> Result<(), Refusal> {
    for Repeated { name, what, value } in repeated {
        let is_so = match (what, value) {
            (Fixed::Id, None) => true,
            (Fixed::Id, Some(id)) => target.ids().any(|own| json_text(own.as_str()) == *id),
            (Fixed::Field(field), value) => target.get(field) == value.as_ref(),
        };
        if !is_so {
            return Err(Refusal::Unchangeable((*name).to_owned()));
        }
    }
    Ok(())
}

pub(super) fn merge_fact(surviving: &SmoochId, discarded: &SmoochId, reason: Reason) -> Fact {
    Fact::Merged { surviving: surviving.clone(), discarded: discarded.clone(), reason }
}

/// Refuses fields whose properties would be too large for an app user without any others.
pub fn check_properties(fields: &Fields) -> Result<(), Refusal> {
    let given = fields.iter().filter_map(|(field, value)| Some((field, value.as_ref()?)));
    if property_bytes(given) > PROPERTIES_BYTES { Err(Refusal::TooManyProperties) } else { Ok(()) }
}

/// The size that [`PROPERTIES_BYTES`] limits: keys, and values without the quotes of a string.
pub(super) fn property_bytes<'f>(fields: impl Iterator<Item = (&'f Field, &'f JsonText)>) -> usize {
    let bytes = fields.map(|(field, value)| match field {
        Field::Property(key) => key.len() + value.trim_matches('"').len(),
        _ => 0,
    });
    bytes.sum()
}

/// Sets the same values on each merged `_id` that has another value. `userId` and brand of a merged `_id` stay its
/// own.
fn member_set_facts(group: &MergeGroup<'_>, fields: &Fields) -> Vec<Fact> {
    let of = |(id, record): &(&SmoochId, &Record)| {
        let alone = MergeGroup::alone(id, record);
        let has =
            |field: &Field| record.smooch.fields.contains_key(field) || record.overrides.contains_key(field);
        let differs = fields.iter().filter(|(field, new)| {
            let is_name = *field == Field::UserId || *field == Field::BrandId;
            !is_name && has(field) && shown_value(&alone, field) != new.as_ref()
        });
        let beside = differs.map(|(field, new)| {
            let reported = record.smooch.fields.get(field).and_then(|reported| reported.value.clone());
            (field.clone(), new.clone(), reported)
        });
        let fields: Vec<_> = beside.collect();
        (!fields.is_empty()).then(|| Fact::Set { user: (*id).clone(), fields })
    };
    group.members.iter().filter_map(of).collect()
}
