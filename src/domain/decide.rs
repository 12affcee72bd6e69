//! Decides a command against the directory: the result is the facts to apply.

mod decider;
mod device;
mod init;

use super::command::{Action, Authority, Command, Refusal};
use super::fact::Fact;
use super::ids::{AppId, SmoochId};
use super::working_set::WorkingSet;
pub use decider::{Access, Decision, PROPERTIES_BYTES, check_access, check_properties, refuse_missing};
use decider::{Decided, Decider, check_repeated};

/// Decides a command. `fresh` is an unused `_id`.
///
/// The working set must have the app users that the command names, by `_id` and by `userId`, and the holder of its
/// client.
pub fn decide(directory: &WorkingSet, app: &AppId, command: &Command, fresh: &SmoochId) -> Decided {
    let decider = Decider { directory, app, command };
    match &command.action {
        Action::Init { device, user_id, brand } => {
            decider.init(device, user_id.as_ref(), brand.as_deref(), fresh)
        }
        Action::Create { user_id, fields, secured } => decider.create(user_id, fields, *secured, fresh),
        Action::Update { user, fields, repeated } => {
            let target = decider.resolve_target(user)?;
            check_repeated(repeated, &target)?;
            let mut facts = decider.secure(&target);
            facts.extend(decider.set(&target, fields)?);
            Ok(Decision::of(&target.id, facts))
        }
        Action::Track { user, name, fields } => {
            let target = decider.resolve_target(user)?;
            let mut facts = vec![Fact::Tracked { user: target.id.clone(), name: name.clone() }];
            facts.extend(decider.secure(&target));
            facts.extend(decider.set(&target, fields)?);
            Ok(Decision::of(&target.id, facts))
        }
        Action::UpdateDevice { user, device } => decider.update_device(user, device),
        Action::Delete { user } => {
            let target = decider.resolve_target(user)?;
            decider.check_one_carrier(user, &target)?;
            Ok(Decision::of(&target.id, vec![Fact::Removed { user: target.id.clone() }]))
        }
        Action::Erase { user, only } => decider.erase(user, *only),
        Action::DeleteProfile { user } => decider.delete_profile(user),
        Action::Merge { surviving, discarded } => decider.merge(surviving, discarded),
        Action::Unmerge { surviving, discarded } => decider.unmerge(surviving, discarded),
        Action::Secure { user } => {
            let target = decider.resolve_target(user)?;
            Ok(Decision::of(&target.id, decider.secure(&target)))
        }
    }
}

/// Checks if an app user that an earlier answer showed may be shown again to the same caller. The working set must
/// have the `_id`, as for [`decide`].
///
/// # Errors
/// The `_id` is erased; the caller has an app token, and the app user was secured or removed since; the caller has a
/// JWT of scope `appUser`, and its `userId` does not, or no longer, belong to the app user.
pub fn may_be_shown(
    directory: &WorkingSet,
    app: &AppId,
    authority: &Authority,
    id: &SmoochId,
) -> Result<(), Refusal> {
    if directory.is_erased(app, id) {
        return Err(Refusal::NoUser);
    }
    if *authority == Authority::App {
        return Ok(());
    }
    let now = directory.view(app, id).ok_or(Refusal::NoUser)?;
    check_access(authority, &now).map(|_| ())
}
