//! init: decides the app user of a starting device.

use super::decider::{Decided, Decider, Decision, merge_fact};
use super::device;
use crate::domain::command::{Authority, Device, Fields, Refusal};
use crate::domain::fact::Fact;
use crate::domain::field::Field;
use crate::domain::ids::SmoochId;
use crate::domain::json_text;
use crate::domain::record::Reason;
use crate::domain::value::JsonText;
use crate::domain::view::View;

/// The app user of the device from now on.
enum InitUser {
    /// A new app user.
    New,
    /// An existing app user.
    Existing(View),
    /// The anonymous app user of the device, which gets the `userId`.
    Identified(View),
    /// Two app users to merge: the first survives, the second is discarded.
    Merge(View, View),
}

impl Decider<'_> {
    pub(super) fn init(
        &self,
        device: &Device,
        user_id: Option<&JsonText>,
        brand: Option<&str>,
        fresh: &SmoochId,
    ) -> Decided {
        if let Authority::User(own) = &self.command.authority {
            self.check_one_user(own)?;
        }
        let current = self.directory.holder(self.app, &device.id);
        let user = self.select_user(current.clone(), user_id, brand)?;
        if matches!(user, InitUser::New | InitUser::Identified(_)) {
            self.check_may_create(current.as_ref(), user_id, brand)?;
        }
        let (id, known) = match &user {
            InitUser::New => (fresh, None),
            InitUser::Existing(view) | InitUser::Identified(view) | InitUser::Merge(view, _) => {
                (&view.id, Some(view))
            }
        };
        let is_refused = |view: &View| view.secured && self.command.authority == Authority::Token;
        let both = [known, if let InitUser::Merge(_, other) = &user { Some(other) } else { None }];
        if both.into_iter().flatten().any(is_refused) {
            return Err(Refusal::Secured);
        }
        let mut facts = match &user {
            InitUser::New => self.create_facts(fresh, user_id, &brand_fields(current.as_ref(), brand)),
            InitUser::Existing(_) => Vec::new(),
            InitUser::Identified(view) => self.set_user_id_facts(view, user_id, brand)?,
            InitUser::Merge(view, other) => {
                let mut facts = vec![merge_fact(&view.id, &other.id, Reason::Init)];
                facts.extend(self.set_user_id_facts(view, user_id, brand)?);
                facts
            }
        };
        if matches!(self.command.authority, Authority::User(_)) && known.is_none_or(|view| !view.secured) {
            facts.push(Fact::Secured { user: id.clone() });
        }
        // The members of the device stay with it, for every app user and under every id.
        let mut ids = self.directory.ids_of_client(self.app, &device.id);
        let has = |view: &View| ids.iter().find(|id| view.clients.contains_key(id));
        let used = current.as_ref().and_then(has).unwrap_or(&device.id);
        let before = current.as_ref().and_then(|view| view.clients.get(used));
        let before = before.or_else(|| known.and_then(|view| view.clients.get(has(view)?)));
        if let (Some(current), Some(before)) = (&current, before)
            && current.id != *id
            && !matches!(user, InitUser::Merge(..))
        {
            facts.push(device::sign_out_fact(self.group(&current.id)?.carrier(used), used, before));
        }
        // The device stays with the `_id` that had it, so that an un-merge does not move it.
        let owner = self.group(id).map_or(id, |group| group.carrier(&device.id));
        let mut device = device.clone();
        if *used != device.id {
            device.members.insert("_id".to_owned(), Some(json_text(used.as_str())));
        }
        facts.push(device::client_set_fact(owner, &device.id, device::change_client(before, &device, true)));
        ids.retain(|id| *id != device.id);
        facts.push(Fact::ClientBound { user: owner.clone(), client: device.id, also: ids });
        Ok(Decision { created: known.is_none(), ..Decision::of(id, facts) })
    }

    /// The app user of a device that `current` used until now. In a brand other than its own, the device gets a new
    /// app user.
    fn select_user(
        &self,
        current: Option<View>,
        user_id: Option<&JsonText>,
        brand: Option<&str>,
    ) -> Result<InitUser, Refusal> {
        let is_of_it =
            |view: &View| brand.is_none_or(|brand| view.brand().is_none_or(|known| *known == *brand));
        let anonymous = current.clone().filter(|view| view.get(&Field::UserId).is_none() && is_of_it(view));
        let Some(user_id) = user_id else {
            // A start without a `userId` logs out: an identified app user leaves the device.
            return Ok(anonymous.map_or(InitUser::New, InitUser::Existing));
        };
        let meant = match brand {
            Some(brand) => self.directory.in_brand(self.app, user_id, Some(brand)),
            None => self.find_by_user_id(current.as_ref(), user_id)?,
        };
        Ok(match (meant, anonymous) {
            (None, None) => InitUser::New,
            (None, Some(anonymous)) => InitUser::Identified(anonymous),
            (Some(known), None) => InitUser::Existing(known),
            (Some(known), Some(anonymous)) if have_different_brands(&known, &anonymous) => {
                InitUser::Existing(known)
            }
            // The identified app user survives, unless it was created here and the other is Smooch's: Smooch does not
            // know our `_id`.
            (Some(known), Some(anonymous)) if self.minted(&known.id) && !self.minted(&anonymous.id) => {
                InitUser::Merge(anonymous, known)
            }
            (Some(known), Some(anonymous)) => InitUser::Merge(known, anonymous),
        })
    }

    /// Refuses what only the app itself may do: creating an app user in a brand other than the device's, or with a
    /// `userId` that exists already. The token is public, so its holder could take over a name.
    fn check_may_create(
        &self,
        current: Option<&View>,
        user_id: Option<&JsonText>,
        brand: Option<&str>,
    ) -> Result<(), Refusal> {
        let refusal = match self.command.authority {
            Authority::App => return Ok(()),
            Authority::Token => Refusal::BrandByToken,
            Authority::User(_) => Refusal::BrandByUser,
        };
        let is_token = self.command.authority == Authority::Token;
        if is_token && user_id.is_some_and(|user_id| self.directory.is_secured(self.app, user_id)) {
            return Err(Refusal::Secured);
        }
        let is_carried =
            user_id.is_some_and(|user_id| !self.directory.all_by_user_id(self.app, user_id).is_empty());
        let own = current.and_then(View::brand);
        if is_carried || brand.is_some_and(|brand| own.as_deref() != Some(brand)) {
            return Err(refusal);
        }
        Ok(())
    }

    /// Finds the app user of a `userId` on a device that `current` used until now. It is searched in the device's
    /// brand, then without a brand. If the brand is unknown: the app user with the
    /// `userId`, if all with it have one brand, else `current`, if it has it. A JWT selects its own app user on any
    /// device.
    fn find_by_user_id(&self, current: Option<&View>, user_id: &JsonText) -> Result<Option<View>, Refusal> {
        if matches!(self.command.authority, Authority::User(_)) {
            return Ok(self.directory.by_user_id(self.app, user_id));
        }
        let Some(brand) = current.and_then(View::brand) else {
            return match self.check_one_brand(user_id) {
                Ok(()) => Ok(self.directory.by_user_id(self.app, user_id)),
                Err(several) => {
                    let own = current.filter(|view| view.get(&Field::UserId) == Some(user_id));
                    own.cloned().map(Some).ok_or(several)
                }
            };
        };
        let own = self.directory.in_brand(self.app, user_id, Some(&brand));
        Ok(own.or_else(|| self.directory.in_brand(self.app, user_id, None)))
    }

    /// The facts that give an app user the `userId` and brand of the login, if it has no `userId`.
    fn set_user_id_facts(
        &self,
        view: &View,
        user_id: Option<&JsonText>,
        brand: Option<&str>,
    ) -> Result<Vec<Fact>, Refusal> {
        if view.get(&Field::UserId).is_some() {
            return Ok(Vec::new());
        }
        let mut fields = vec![(Field::UserId, user_id.cloned())];
        fields.extend(brand.filter(|_| view.brand().is_none()).map(brand_field));
        self.set(view, &fields)
    }

    fn minted(&self, id: &SmoochId) -> bool {
        self.directory.record(&(self.app.clone(), id.clone())).is_some_and(|record| record.minted)
    }
}

/// True if the two have different brands: they are two people.
fn have_different_brands(one: &View, other: &View) -> bool {
    one.brand().zip(other.brand()).is_some_and(|(one, other)| one != other)
}

fn brand_field(brand: &str) -> (Field, Option<JsonText>) {
    (Field::BrandId, Some(json_text(brand)))
}

/// The named brand, else the brand that the device passes on to its next app user.
fn brand_fields(current: Option<&View>, named: Option<&str>) -> Fields {
    if let Some(brand) = named {
        return vec![brand_field(brand)];
    }
    let brand = current.and_then(|view| view.get(&Field::BrandId));
    brand.map(|brand| (Field::BrandId, Some(brand.clone()))).into_iter().collect()
}
