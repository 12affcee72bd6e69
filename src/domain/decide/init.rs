//! A device starts: who is using it?

use super::{Decided, Decision, Scene, device, merged};
use crate::domain::app_user::Text;
use crate::domain::command::{Authority, Device, Refusal};
use crate::domain::fact::{Fact, Field, Reason};
use crate::domain::ids::SmoochId;
use crate::domain::view::View;

/// Whom the device is used by from now on.
enum User {
    /// Somebody who was not there before.
    New,
    /// Somebody known.
    Known(View),
    /// The anonymous app user of the device, who now has a name.
    Named(View),
    /// Two who turn out to be one: the first goes on, the second becomes part of it.
    One(View, View),
}

impl Scene<'_> {
    pub(super) fn init(&self, device: &Device, user_id: Option<&Text>, fresh: &SmoochId) -> Decided {
        let current = self.directory.holder(self.app, &device.id);
        let user = self.user(current.clone(), user_id)?;
        let (id, known) = match &user {
            User::New => (fresh, None),
            User::Known(view) | User::Named(view) | User::One(view, _) => (&view.id, Some(view)),
        };
        let speaks_for = |view: &View| view.secured && self.command.authority == Authority::Token;
        let both = [known, if let User::One(_, other) = &user { Some(other) } else { None }];
        if both.into_iter().flatten().any(speaks_for) {
            return Err(Refusal::Secured);
        }
        let mut facts = match &user {
            User::New => self.made(fresh, user_id, &Vec::new()),
            User::Known(_) => Vec::new(),
            User::Named(view) => self.named(view, user_id)?,
            User::One(view, other) => {
                let mut facts = vec![merged(&view.id, &other.id, Reason::Init)];
                facts.extend(self.named(view, user_id)?);
                facts
            }
        };
        if matches!(self.command.authority, Authority::User(_)) && known.is_none_or(|view| !view.secured) {
            facts.push(Fact::Secured { user: id.clone() });
        }
        // What is known of the device goes along with it, whoever uses it.
        let before = current.as_ref().and_then(|view| view.clients.get(&device.id));
        let before = before.or_else(|| known.and_then(|view| view.clients.get(&device.id)));
        if let (Some(current), Some(before)) = (&current, before)
            && current.id != *id
            && !matches!(user, User::One(..))
        {
            facts.push(device::left(self.group(&current.id)?.carrier(&device.id), &device.id, before));
        }
        facts.push(device::set(id, &device.id, device::changed(before, device, true)));
        facts.push(Fact::ClientBound { user: id.clone(), client: device.id.clone() });
        Ok(Decision { created: known.is_none(), ..Decision::of(id, facts) })
    }

    /// Who uses a device that `current` used until now.
    fn user(&self, current: Option<View>, user_id: Option<&Text>) -> Result<User, Refusal> {
        if let Some(user_id) = user_id
            && let Err(several) = self.in_one_brand(user_id)
        {
            // The device tells which of them it is, if it is one of theirs already.
            let own = current.filter(|view| view.get(&Field::UserId) == Some(user_id));
            return own.map(User::Known).ok_or(several);
        }
        let anonymous = current.filter(|view| view.get(&Field::UserId).is_none());
        let Some(user_id) = user_id else {
            // To log out is to start without a name: whoever has one is left.
            return Ok(anonymous.map_or(User::New, User::Known));
        };
        Ok(match (self.directory.by_user_id(self.app, user_id), anonymous) {
            (None, None) => User::New,
            (None, Some(anonymous)) => User::Named(anonymous),
            (Some(known), None) => User::Known(known),
            // The known one goes on, unless it is of our making and the other of Smooch's: Smooch
            // knows only its own `_id`.
            (Some(known), Some(anonymous)) if self.minted(&known.id) && !self.minted(&anonymous.id) => {
                User::One(anonymous, known)
            }
            (Some(known), Some(anonymous)) => User::One(known, anonymous),
        })
    }

    /// Gives an app user the name it logs in under, if it has none.
    fn named(&self, view: &View, user_id: Option<&Text>) -> Result<Vec<Fact>, Refusal> {
        if view.get(&Field::UserId).is_some() {
            return Ok(Vec::new());
        }
        Ok(self.set(view, &vec![(Field::UserId, user_id.cloned())])?.into_iter().collect())
    }

    fn minted(&self, id: &SmoochId) -> bool {
        self.directory.record(&(self.app.clone(), id.clone())).is_some_and(|record| record.minted)
    }
}
