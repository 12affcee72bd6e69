//! Calls and webhooks at random, on a few app users and devices.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rollcall::domain::Fact;
use rollcall::domain::command::{Action, Authority, Command, Name};

use super::*;

pub const NAMES: [&str; 3] = ["ann", "bob", "eve"];
const SMOOCH: [&str; 3] = ["s1", "s2", "s3"];
const DEVICES: [&str; 3] = ["d1", "d2", "d3"];
const LATEST: i64 = 30;

/// Something that happens. A number in place of an app user is one of those the commands gave so far.
#[derive(Clone, Debug)]
pub enum Step {
    /// A device starts.
    Init(&'static str, Option<&'static str>),
    /// Creates an app user: by v1, or by v2 in a brand or in none.
    Create(&'static str, Option<Brand>),
    /// Any other command.
    Command(Verb, usize, usize),
    /// A webhook.
    Told(i64, Vec<Fact>),
    /// A webhook that came before comes again.
    Again(usize),
}

/// A brand, or none.
pub type Brand = Option<&'static str>;

/// See [`Step::Command`].
#[derive(Clone, Copy, Debug)]
pub enum Verb {
    Update,
    /// By a `userId`, in this brand or in any.
    UpdateByName(Brand),
    DeleteByName(Brand),
    /// To this brand.
    Move(Brand),
    Device(&'static str),
    Delete,
    Erase {
        only: bool,
    },
    DeleteProfile,
    Merge,
    Unmerge,
    Secure,
}

/// Up to `most` steps. Each device is known by one id.
pub fn steps(most: usize) -> BoxedStrategy<Vec<Step>> {
    steps_of(most, &["{}"])
}

/// Up to `most` steps. A webhook may name a second id of a device, which may be another device's only one.
pub fn linked_steps(most: usize) -> BoxedStrategy<Vec<Step>> {
    steps_of(most, &["{}", r#"{"_id":"d1"}"#, r#"{"_id":"d2"}"#, r#"{"_id":"other"}"#])
}

/// Webhooks say one of `rests` of a device.
fn steps_of(most: usize, rests: &'static [&'static str]) -> BoxedStrategy<Vec<Step>> {
    let device = || select(&DEVICES[..]);
    let verb = prop_oneof![
        4 => Just(Verb::Update),
        2 => brand().prop_map(Verb::UpdateByName),
        1 => brand().prop_map(Verb::DeleteByName),
        2 => brand().prop_map(Verb::Move),
        2 => device().prop_map(Verb::Device),
        1 => Just(Verb::Delete),
        2 => any::<bool>().prop_map(|only| Verb::Erase { only }),
        1 => Just(Verb::DeleteProfile),
        3 => Just(Verb::Merge),
        2 => Just(Verb::Unmerge),
        1 => Just(Verb::Secure),
    ];
    let time = prop_oneof![1 => Just(Stamp::NO_TIME), 6 => 0..LATEST];
    let step = prop_oneof![
        5 => (device(), proptest::option::of(select(&NAMES[..]))).prop_map(|(id, name)| Step::Init(id, name)),
        2 => (select(&NAMES[..]), proptest::option::of(brand()))
            .prop_map(|(name, brand)| Step::Create(name, brand)),
        5 => (verb, 0..8_usize, 0..8_usize).prop_map(|(verb, one, other)| Step::Command(verb, one, other)),
        8 => (time, fact(rests)).prop_map(|(time, fact)| Step::Told(time, vec![fact])),
        1 => (0..8_usize).prop_map(Step::Again),
    ];
    vec(step, 0..=most).boxed()
}

fn brand() -> impl Strategy<Value = Brand> + Clone {
    select(vec![None, Some("b1"), Some("b2")])
}

/// The field value for a brand.
fn of_brand(brand: Brand) -> (Field, Option<JsonText>) {
    (Field::BrandId, brand.map(json_text))
}

fn fact(rests: &'static [&'static str]) -> BoxedStrategy<Fact> {
    let mention = || {
        let said = |(active, rest): (Option<bool>, &str)| Mention { active, rest: rest.into() };
        (proptest::option::weighted(0.8, any::<bool>()), select(rests)).prop_map(said)
    };
    let user = || select(&SMOOCH[..]);
    let name = proptest::option::of(select(&NAMES[..]));
    let property = proptest::option::of(select(vec!["p", "q"]));
    let clients = vec((select(&DEVICES[..]), mention()), 0..=2);
    let told = (name, proptest::option::weighted(0.3, brand()));
    let seen = (user(), told, property, clients, any::<bool>()).prop_map(
        |(user, (name, brand), plan, clients, whole)| {
            let mut fields: Fields = name.map(|name| given(Field::UserId, name)).into_iter().collect();
            fields.extend(brand.map(of_brand));
            fields.extend(plan.map(|plan| given(property_of(), plan)));
            let clients = clients.into_iter().map(|(id, mention)| (id.into(), mention));
            let complete = if whole { vec![Part::Properties, Part::Clients] } else { Vec::new() };
            Fact::Seen(Observation { clients: clients.collect(), complete, ..seen(user, fields) })
        },
    );
    let client =
        (user(), select(&DEVICES[..]), proptest::option::of(mention())).prop_map(|(user, client, value)| {
            Fact::ClientChanged { user: user.into(), client: client.into(), value }
        });
    prop_oneof![
        6 => seen,
        2 => (user(), user()).prop_map(|(one, other)| super::merged(one, other)),
        1 => client,
        1 => (user(), select(&DEVICES[..]))
            .prop_map(|(user, client)| Fact::ClientBound {
                user: user.into(),
                client: client.into(),
                also: Vec::new(),
            }),
        1 => user().prop_map(|user| Fact::Removed { user: user.into() }),
    ]
    .boxed()
}

fn property_of() -> Field {
    property("plan")
}

/// The command of a step, if it is one: of those `known` it names some.
pub fn command(step: &Step, known: &[SmoochId]) -> Option<Command> {
    let one_of = |n: usize| -> SmoochId {
        let all: Vec<SmoochId> = known.iter().cloned().chain(ids(&SMOOCH)).collect();
        all[n % all.len()].clone()
    };
    let action = match *step {
        Step::Init(id, name) => init(device(id, &[("pushNotificationToken", id)]), name),
        Step::Create(name, brand) => {
            let fields = [given(property_of(), "made")].into_iter().chain(brand.map(of_brand));
            create(name, fields.collect())
        }
        Step::Command(verb, one, other) => {
            of_verb(verb, one_of(one), one_of(other), NAMES[other % NAMES.len()])
        }
        Step::Told(..) | Step::Again(_) => return None,
    };
    Some(Command { action, authority: Authority::App, only_if: None, at: NOW.into() })
}

fn of_verb(verb: Verb, one: SmoochId, discarded: SmoochId, name: &str) -> Action {
    let user = Name::from(one.as_str());
    match verb {
        Verb::Update => update(name, vec![given(property_of(), one.as_str())]),
        Verb::UpdateByName(brand) => {
            let fields = vec![given(property_of(), one.as_str())];
            Action::Update { user: Name::from(name).in_brand(brand), fields, repeated: Vec::new() }
        }
        Verb::DeleteByName(brand) => Action::Delete { user: Name::from(name).in_brand(brand) },
        Verb::Move(brand) => Action::Update { user, fields: vec![of_brand(brand)], repeated: Vec::new() },
        Verb::Device(id) => Action::UpdateDevice { user, device: device(id, &[("appVersion", name)]) },
        Verb::Delete => Action::Delete { user },
        Verb::Erase { only } => Action::Erase { user, only },
        Verb::DeleteProfile => Action::DeleteProfile { user },
        Verb::Merge => Action::Merge { surviving: user, discarded: discarded.as_str().into() },
        Verb::Unmerge => Action::Unmerge { surviving: user, discarded },
        Verb::Secure => Action::Secure { user },
    }
}

/// Runs the steps; returns the directory, and every `_id` that a command created.
pub fn live(steps: &[Step]) -> Result<(Live, Vec<SmoochId>), TestCaseError> {
    let (mut live, mut known, mut told) = (Live::new(), Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Told(time, facts) => told.push(live.learn(*time, facts.clone())),
            Step::Again(n) if !told.is_empty() => {
                let event: &Event = &told[n % told.len()];
                let before = everything(&live.directory);
                live.directory.apply_event(&app(), event).unwrap();
                prop_assert_eq!(everything(&live.directory), before, "told twice");
            }
            step => {
                let Some(command) = command(step, &known) else { continue };
                let Ok(decision) = live.give(&command) else { continue };
                carried_out(&live, &command, &decision)?;
                known.extend(Some(decision.user).filter(|user| !known.contains(user)));
            }
        }
        one_of_each(&live.directory)?;
    }
    Ok((live, known))
}

/// The command took effect.
fn carried_out(live: &Live, command: &Command, decision: &Decision) -> Result<(), TestCaseError> {
    let user = live.view(decision.user.as_str());
    let root = user.as_ref().map(|view| &view.id);
    match &command.action {
        Action::Delete { .. } | Action::Erase { .. } => prop_assert_eq!(&user, &None),
        _ => prop_assert_eq!(root, Some(&decision.user)),
    }
    let Some(view) = user else { return Ok(()) };
    match &command.action {
        Action::Init { device, user_id, .. } => {
            prop_assert!(view.clients[&device.id].active);
            prop_assert_eq!(view.get(&Field::UserId), user_id.as_ref());
        }
        Action::Create { user_id, .. } => {
            let brand = view.brand();
            let found = live.directory.in_brand(&app(), user_id, brand.as_deref());
            prop_assert_eq!(found.map(|view| view.id), Some(view.id.clone()));
        }
        Action::Update { user, fields, .. } => {
            let is_meant = user.brand.is_none() || view.brand().as_deref() == user.brand.as_deref();
            prop_assert!(is_meant, "of another brand");
            prop_assert!(fields.iter().all(|(field, value)| view.get(field) == value.as_ref()));
        }
        Action::UpdateDevice { device, .. } => {
            prop_assert!(view.clients[&device.id].rest.contains("appVersion"));
        }
        Action::DeleteProfile { .. } => prop_assert_eq!(view.get(&property_of()), None),
        Action::Merge { discarded, .. } => prop_assert_eq!(live.view(&discarded.text), Some(view)),
        Action::Unmerge { discarded, .. } => {
            let apart = live.view(discarded.as_str()).expect("still there");
            prop_assert!(apart.id != view.id && decision.other.as_ref() == Some(discarded));
        }
        Action::Secure { .. } | Action::Track { .. } | Action::Delete { .. } | Action::Erase { .. } => {}
    }
    Ok(())
}

/// Each app user, by each of its `_id`s.
pub fn everything(directory: &WorkingSet) -> BTreeMap<SmoochId, Option<View>> {
    let ids = directory.entries().map(|((_, id), _)| id.clone());
    ids.map(|id| (id.clone(), directory.view(&app(), &id))).collect()
}

/// No client is active for two app users, no `userId` resolves to one that does not show it.
fn one_of_each(directory: &WorkingSet) -> Result<(), TestCaseError> {
    let views = everything(directory);
    let roots = views.iter().filter_map(|(id, view)| view.as_ref().filter(|view| view.id == *id));
    let mut active = BTreeSet::new();
    let mut names = BTreeSet::new();
    for view in roots {
        for (id, client) in &view.clients {
            prop_assert!(!client.active || active.insert(id), "{} is active for two", id);
        }
        names.extend(view.get(&Field::UserId));
    }
    for name in NAMES.map(json_text) {
        let found = directory.by_user_id(&app(), &name);
        prop_assert_eq!(found.is_some(), names.contains(&name));
        prop_assert!(found.is_none_or(|view| view.get(&Field::UserId) == Some(&name)));
        let all = directory.all_by_user_id(&app(), &name);
        for brand in directory.brands_of_user_id(&app(), &name) {
            let found = directory.in_brand(&app(), &name, brand.as_deref()).expect("somebody of that brand");
            prop_assert!(found.brand().map(|brand| brand.into_owned()) == brand && all.contains(&found));
        }
    }
    Ok(())
}

/// True if an `_id`, or one that it was ever merged into, was removed.
fn was_removed(live: &Live, id: &SmoochId) -> bool {
    let removed: BTreeSet<&SmoochId> = live
        .journal
        .iter()
        .flat_map(|event| &event.facts)
        .filter_map(|fact| match fact {
            Fact::Removed { user } | Fact::Erased { user } => Some(user),
            _ => None,
        })
        .collect();
    let (mut todo, mut seen) = (vec![id.clone()], BTreeSet::new());
    while let Some(id) = todo.pop() {
        if removed.contains(&id) {
            return true;
        }
        if let Some(record) = live.directory.record(&(app(), id.clone())).filter(|_| seen.insert(id.clone()))
        {
            todo.extend(record.into.keys().cloned());
        }
    }
    false
}

proptest! {
    #![proptest_config(crate::convergence::cases(1))]

    #[test]
    fn random_commands_and_webhooks_are_answered_consistently(steps in steps(14)) {
        let (live, known) = live(&steps)?;
        for id in &known {
            prop_assert!(live.view(id.as_str()).is_some() || was_removed(&live, id), "{} is lost", id);
        }
        let rebuilt = live.rebuilt();
        prop_assert_eq!(everything(&rebuilt), everything(&live.directory));
        for name in NAMES.map(json_text) {
            prop_assert_eq!(rebuilt.by_user_id(&app(), &name), live.directory.by_user_id(&app(), &name));
        }
    }
}
