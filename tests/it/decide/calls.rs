//! Every other call: its changes and its refusals.

use rollcall::domain::Fact;
use rollcall::domain::command::{Action, Authority, Command, Refusal};

use super::*;

const EMAIL: Field = Field::Email;

#[test]
fn a_user_id_is_made_once() {
    let mut live = Live::new();
    let bob = live.ask(create("bob", vec![given(EMAIL, "b@example.org"), (Field::Surname, None)])).unwrap();
    assert_eq!(user_id(&bob).as_deref(), Some("bob"));
    assert_eq!(shown(&bob, &EMAIL).as_deref(), Some("b@example.org"));
    assert_eq!(bob.get(&Field::SignedUpAt).map(|text| &**text), Some(NOW));
    assert_eq!(live.ask(create("bob", Vec::new())), Err(Refusal::Taken(bob.id)));
    live.learn(9, vec![Fact::Seen(seen("smooch", vec![given(Field::UserId, "ann")]))]);
    assert_eq!(live.ask(create("ann", Vec::new())), Err(Refusal::Taken("smooch".into())));
    let secured = Action::Create { user_id: json_text("eve"), fields: Vec::new(), secured: true };
    assert!(live.ask(secured).unwrap().secured);
    let old = live.ask(create("old", vec![given(Field::SignedUpAt, "2001")])).unwrap();
    assert_eq!(shown(&old, &Field::SignedUpAt).as_deref(), Some("2001"));
}

#[test]
fn an_update_changes_the_named_fields_and_null_clears() {
    let mut live = Live::new();
    live.learn(
        5,
        vec![picture(
            "u",
            vec![given(EMAIL, "e"), given(property("a"), "1"), given(property("b"), "2")],
            &[],
        )],
    );
    let view = live.ask(update(
        "u",
        vec![given(property("a"), "one"), (property("b"), None), given(property("c"), "3")],
    ));
    let view = view.unwrap();
    let all = ["a", "b", "c"].map(|key| shown(&view, &property(key)));
    assert_eq!(all.map(|value| value.unwrap_or_default()), ["one", "", "3"]);
    assert_eq!(shown(&view, &EMAIL).as_deref(), Some("e"));
    assert_eq!(live.ask(update("u", vec![(EMAIL, None)])).unwrap().get(&EMAIL), None);
    assert_eq!(live.ask(update("nobody", vec![given(EMAIL, "e")])), Err(Refusal::NoUser));
    let before = live.journal.len();
    live.ask(update("u", Vec::new())).unwrap();
    assert_eq!(live.journal.len(), before, "nothing to say, nothing said");
}

#[test]
fn properties_have_room_for_4096_bytes_together() {
    let mut live = Live::new();
    let long = |bytes: usize| "x".repeat(bytes);
    live.ask(create("bob", vec![given(property("a"), &long(2000))])).unwrap();
    let full = live.ask(update("bob", vec![given(property("b"), &long(2094))])).unwrap();
    assert_eq!(full.get(&property("b")).unwrap().len(), 2096);
    let more = |live: &mut Live, fields| live.ask(update("bob", fields));
    assert_eq!(more(&mut live, vec![given(property("c"), "")]), Err(Refusal::TooManyProperties));
    assert!(more(&mut live, vec![given(EMAIL, &long(5000))]).is_ok(), "a profile field is none");
    let swapped = vec![(property("a"), None), given(property("c"), &long(2000))];
    assert!(more(&mut live, swapped).is_ok());
    assert_eq!(
        live.ask(create("eve", vec![given(property("a"), &long(4096))])),
        Err(Refusal::TooManyProperties)
    );
    live.learn(90, vec![picture("s", vec![given(property("a"), &long(9000))], &[])]);
    assert!(live.ask(update("s", vec![(property("a"), None)])).is_ok(), "what Smooch said can be cleared");
}

#[test]
fn a_set_value_outlives_the_old_one_and_gives_way_to_a_new_one() {
    let mut live = Live::new();
    let said = |live: &mut Live, time, plan: &str| {
        live.learn(time, vec![picture("u", vec![given(property("plan"), plan), given(EMAIL, plan)], &[])]);
        let view = live.view("u").unwrap();
        [property("plan"), EMAIL].map(|field| shown(&view, &field).unwrap_or_default())
    };
    said(&mut live, 10, "old");
    live.ask(update("u", vec![given(property("plan"), "ours"), (EMAIL, None)])).unwrap();
    assert_eq!(said(&mut live, 20, "old"), ["ours", ""]);
    assert_eq!(said(&mut live, 5, "older"), ["ours", ""]);
    assert_eq!(said(&mut live, 30, "new"), ["new", "new"]);
}

#[test]
fn a_deleted_profile_leaves_the_app_user_and_nothing_of_the_person() {
    let mut live = Live::new();
    let about = [Field::GivenName, Field::Surname, EMAIL, property("p")];
    let fields = about.iter().map(|field| given(field.clone(), "x")).chain([given(Field::UserId, "bob")]);
    live.learn(10, vec![picture("u", fields.collect(), &[])]);
    let rest = r#"{"avatarUrl":"a","displayName":"d","info":{},"platform":"line","raw":{}}"#;
    let value = Some(Mention { active: Some(true), rest: rest.into() });
    live.learn(11, vec![Fact::ClientChanged { user: "u".into(), client: "c".into(), value }]);
    live.ask(update("u", vec![given(property("q"), "y")])).unwrap();
    let view = live.ask(Action::DeleteProfile { user: "bob".into() }).unwrap();
    assert_eq!(view.fields.keys().collect::<Vec<_>>(), [&Field::UserId]);
    assert_eq!(client(&view, "c"), Some((true, r#"{"platform":"line"}"#.to_owned())));
    let before = live.journal.len();
    live.ask(Action::DeleteProfile { user: "bob".into() }).unwrap();
    assert_eq!(live.journal.len(), before, "nothing is left to clear");
}

#[test]
fn no_late_webhook_restores_a_deleted_user() {
    let mut live = Live::new();
    live.learn(10, vec![picture("u", vec![given(Field::UserId, "bob")], &["phone"]), merged("u", "old")]);
    let decision = live.ask_as(Authority::App, Action::Delete { user: "bob".into() }).unwrap();
    assert_eq!(decision.user, "u".into());
    live.learn(20, vec![picture("u", vec![given(Field::UserId, "bob")], &["phone"])]);
    assert_eq!((live.view("u"), live.view("old"), live.by_user_id("bob")), (None, None, None));
    assert_eq!(live.ask(update("bob", Vec::new())), Err(Refusal::NoUser));
    let again = live.ask(create("bob", Vec::new())).unwrap();
    live.learn(15, vec![picture("u", vec![given(Field::UserId, "bob")], &["phone"])]);
    assert_eq!(
        live.by_user_id("bob"),
        Some(live.view(again.id.as_str()).unwrap()),
        "whoever is made anew is another"
    );
}

#[test]
fn a_merge_and_its_undoing() {
    let mut live = Live::new();
    for (time, id) in [(10, "a"), (11, "b"), (5000, "c")] {
        live.learn(time, vec![picture(id, vec![given(Field::UserId, id)], &[])]);
    }
    let merge = |one: &str, other: &str| Action::Merge { surviving: one.into(), discarded: other.into() };
    let unmerge = |one: &str, other: &str| Action::Unmerge { surviving: one.into(), discarded: other.into() };
    assert_eq!(live.ask(merge("a", "b")).unwrap().aliases, ids(&["b"]));
    assert_eq!(live.ask(merge("a", "b")), Err(Refusal::SameUser));
    assert_eq!(live.ask(merge("a", "nobody")), Err(Refusal::NoUser));
    assert_eq!(live.ask(merge("a", "c")).unwrap().aliases, ids(&["b", "c"]));
    assert_eq!(live.ask(unmerge("a", "a")), Err(Refusal::NoMember));
    let undone = live.ask_as(Authority::App, unmerge("c", "b")).unwrap();
    assert_eq!((undone.user.as_str(), undone.other), ("a", Some("b".into())), "by any name it has");
    assert_eq!(live.view("b").map(|view| (view.id, view.aliases)), Some(("b".into(), Vec::new())));
    assert_eq!(live.view("c").unwrap().id, "a".into());
    assert_eq!(live.ask(merge("b", "a")).unwrap().aliases, ids(&["a", "c"]), "the other way round");
}

#[test]
fn an_unmerge_leaves_two_separate_users() {
    let mut live = Live::new();
    live.learn(5, vec![merged("z", "b")]);
    live.learn(8, vec![merged("b", "a")]);
    live.learn(9, vec![merged("a", "b")]);
    let undone =
        live.ask_as(Authority::App, Action::Unmerge { surviving: "a".into(), discarded: "b".into() });
    assert_eq!(undone.unwrap().user, "a".into());
    for id in ["a", "b", "z"] {
        assert_eq!(live.view(id).map(|view| (view.id, view.aliases)), Some((id.into(), Vec::new())), "{id}");
    }
}

#[test]
fn a_merge_holds_against_events_dated_in_the_future() {
    let mut live = Live::new();
    live.learn(1000, vec![merged("b", "a")]);
    live.learn(1001, vec![merged("a", "b"), Fact::Seen(seen("c", Vec::new()))]);
    live.learn(2, vec![Fact::Seen(seen("d", Vec::new()))]);
    let merge = Action::Merge { surviving: "d".into(), discarded: "a".into() };
    assert_eq!(live.ask(merge).unwrap().aliases, ids(&["a", "b"]));
}

#[test]
fn a_device_stays_with_whose_it_was_when_a_merge_is_undone() {
    let mut live = Live::new();
    live.learn(10, vec![Fact::Seen(seen("a", Vec::new())), picture("b", Vec::new(), &["phone"])]);
    let merge = Action::Merge { surviving: "a".into(), discarded: "b".into() };
    live.ask(merge).unwrap();
    let newer = device("phone", &[("appVersion", "2")]);
    let view = live.ask(Action::UpdateDevice { user: "a".into(), device: newer }).unwrap();
    assert_eq!(client(&view, "phone"), Some((true, r#"{"appVersion":"2"}"#.to_owned())));
    live.ask(Action::Unmerge { surviving: "a".into(), discarded: "b".into() }).unwrap();
    assert_eq!(client(&live.view("a").unwrap(), "phone"), None);
    assert_eq!(client(&live.view("b").unwrap(), "phone"), Some((true, r#"{"appVersion":"2"}"#.to_owned())));
}

#[test]
fn a_device_is_changed_only_where_it_is() {
    let mut live = Live::new();
    live.ask(init(device("phone", &[("platform", "ios")]), Some("bob"))).unwrap();
    let change = |user: &str, device| Action::UpdateDevice { user: user.into(), device };
    assert_eq!(live.ask(change("bob", device("tablet", &[]))), Err(Refusal::NoClient));
    let info = |key: &str, value: Option<&str>| {
        let info = [(key.to_owned(), value.map(json_text))].into();
        Device { info, ..device("phone", &[]) }
    };
    live.ask(change("bob", info("carrier", Some("x")))).unwrap();
    live.ask(change("bob", info("os", Some("y")))).unwrap();
    let view = live.ask(change("bob", info("carrier", None))).unwrap();
    assert_eq!(client(&view, "phone").unwrap().1, r#"{"info":{"os":"y"},"platform":"ios"}"#);
}

#[test]
fn a_command_on_a_stale_view_is_refused() {
    let mut live = Live::new();
    let bob = live.ask(create("bob", Vec::new())).unwrap();
    let give = |live: &mut Live, tags: Vec<String>| {
        let (action, only_if) = (update("bob", vec![given(EMAIL, "e")]), Some(tags));
        live.give(&Command { action, authority: Authority::App, only_if, at: NOW.into() }).map(drop)
    };
    assert_eq!(give(&mut live, Vec::new()), Err(Refusal::Stale));
    assert_eq!(give(&mut live, vec!["other".to_owned(), bob.tag()]), Ok(()));
    assert_eq!(give(&mut live, vec![bob.tag()]), Err(Refusal::Stale), "it was changed since");
}

#[test]
fn a_jwt_reaches_its_own_app_user_and_reveals_nothing_of_others() {
    let mut live = Live::new();
    let ann = live.ask(create("ann", Vec::new())).unwrap();
    let bob = live.ask(create("bob", Vec::new())).unwrap();
    let mut as_bob = |user: &str, action: fn(&str) -> Action| {
        live.ask_as(Authority::User(json_text("bob")), action(user)).map(|decision| decision.user)
    };
    let actions: [fn(&str) -> Action; 5] = [
        |user| update(user, vec![given(EMAIL, "e")]),
        |user| Action::Track { user: user.into(), name: "\"n\"".into(), fields: Vec::new() },
        |user| Action::UpdateDevice { user: user.into(), device: phone() },
        |user| Action::Secure { user: user.into() },
        |user| Action::Delete { user: user.into() },
    ];
    for action in actions {
        for user in ["ann", ann.id.as_str(), "nobody"] {
            assert_eq!(as_bob(user, action), Err(Refusal::NotYours), "{user}");
        }
    }
    assert_eq!(as_bob("bob", actions[0]), Ok(bob.id.clone()));
    assert_eq!(as_bob(bob.id.as_str(), actions[1]), Ok(bob.id.clone()));
    assert_eq!(as_bob("bob", actions[2]), Err(Refusal::NoClient));
    assert!(live.view(bob.id.as_str()).unwrap().secured, "the first call secured it");
    let nobody = live.ask_as(Authority::User(json_text("eve")), update("eve", Vec::new()));
    assert_eq!(nobody.unwrap_err(), Refusal::NoUser);
}
