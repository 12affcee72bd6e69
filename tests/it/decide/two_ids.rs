//! One person with two ids: ours, and the one that Smooch gives.

use rollcall::domain::Fact;
use rollcall::domain::command::Action;

use super::*;

/// Smooch's first report of bob, with more or less content.
fn reports() -> [Fact; 3] {
    let named = || given(Field::UserId, "bob");
    [
        Fact::Seen(seen("smooch", vec![named()])),
        picture("smooch", vec![named(), given(property("city"), "rome")], &["line"]),
        Fact::Seen(Observation {
            started: true,
            ..seen("smooch", vec![named(), given(Field::Email, "s@example.org")])
        }),
    ]
}

/// One app user, Smooch's: our `_id` resolves to it, and no data of either is lost.
fn one_person(live: &Live, ours: &SmoochId, told: &Fact) {
    let bob = live.by_user_id("bob").expect("bob");
    assert_eq!((bob.id.as_str(), &bob.aliases), ("smooch", &vec![ours.clone()]));
    assert_eq!(live.view(ours.as_str()), Some(bob.clone()));
    assert_eq!(shown(&bob, &property("plan")).as_deref(), Some("gold"));
    let Fact::Seen(told) = told else { unreachable!() };
    for (field, value) in &told.fields {
        assert_eq!(bob.get(field), value.as_ref(), "{field}");
    }
    assert!(told.clients.iter().all(|(id, _)| bob.clients[id].active) && bob.started == told.started);
}

#[test]
fn a_user_created_here_is_the_one_that_smooch_reports_later_with_its_user_id() {
    for time in [Stamp::NO_TIME, 0, 1000] {
        for told in reports() {
            let mut live = Live::new();
            let ours = live.ask(create("bob", vec![given(property("plan"), "gold")])).unwrap().id;
            let event = live.learn(time, vec![told.clone()]);
            one_person(&live, &ours, &told);
            let before = live.view("smooch");
            live.directory.apply_event(&app(), &event).unwrap();
            assert_eq!(live.view("smooch"), before, "told twice");
            let more = live.ask(update(ours.as_str(), vec![given(Field::GivenName, "Bob")])).unwrap();
            assert_eq!(
                (more.id.as_str(), shown(&more, &Field::GivenName).as_deref()),
                ("smooch", Some("Bob"))
            );
            assert_eq!(live.ask(create("bob", Vec::new())), Err(Refusal::Taken("smooch".into())));
        }
    }
}

#[test]
fn a_user_that_started_a_device_first_is_too() {
    for (before, told) in [(false, 0), (true, 0), (false, 1), (true, 1), (false, 2), (true, 2)] {
        let mut live = Live::new();
        let told = reports()[told].clone();
        let anonymous = live.ask(init(phone(), None)).unwrap().id;
        if before {
            live.ask(init(phone(), Some("bob"))).unwrap();
            live.learn(1000, vec![told.clone()]);
        } else {
            live.learn(1000, vec![told.clone()]);
            live.ask(init(phone(), Some("bob"))).unwrap();
        }
        live.ask(update("bob", vec![given(property("plan"), "gold")])).unwrap();
        one_person(&live, &anonymous, &told);
        assert!(client(&live.view("smooch").unwrap(), "phone").unwrap().0);
        assert_eq!(live.ask(init(phone(), Some("bob"))).unwrap().id, "smooch".into());
    }
}

#[test]
fn a_user_that_smooch_reported_first_is_not_created_again() {
    let mut live = Live::new();
    let told = reports()[1].clone();
    live.learn(7, vec![told.clone()]);
    let known = Err(Refusal::Taken("smooch".into()));
    assert_eq!(live.ask(create("bob", Vec::new())), known);
    let bob = live.ask(init(phone(), Some("bob"))).unwrap();
    assert_eq!((bob.id.as_str(), bob.aliases.len()), ("smooch", 0));
}

#[test]
fn the_secured_one_stays_secured() {
    let mut live = Live::new();
    let secured = Action::Create { user_id: json_text("bob"), fields: Vec::new(), secured: true };
    live.ask(secured).unwrap();
    live.learn(7, vec![reports()[0].clone()]);
    assert!(live.view("smooch").unwrap().secured);
}

#[test]
fn of_two_of_smoochs_neither_becomes_the_other() {
    let mut live = Live::new();
    let ours = live.ask(create("bob", Vec::new())).unwrap().id;
    live.learn(7, vec![reports()[0].clone()]);
    live.learn(8, vec![Fact::Seen(seen("second", vec![given(Field::UserId, "bob")]))]);
    assert_eq!(live.view("smooch").unwrap().id, "smooch".into());
    assert_eq!(live.view("second").unwrap().id, "second".into());
    assert!(live.view(ours.as_str()).is_some());
}

#[test]
fn a_repeated_report_of_a_merged_user_merges_no_other() {
    let mut live = Live::new();
    let old = live.learn(1, vec![Fact::Seen(seen("b", vec![given(Field::UserId, "bob")]))]);
    live.learn(2, vec![Fact::Seen(seen("t", vec![given(Field::UserId, "tom")])), merged("t", "b")]);
    assert_eq!(live.by_user_id("bob"), None);
    let anew = live.ask(create("bob", Vec::new())).unwrap();
    live.directory.apply_event(&app(), &old).unwrap();
    live.learn(3, vec![Fact::Seen(seen("b", vec![given(Field::UserId, "bob")]))]);
    assert_eq!(live.by_user_id("bob").map(|view| view.id), Some(anew.id));
}

#[test]
fn an_unmerged_user_stays_separate() {
    let mut live = Live::new();
    let ours = live.ask(create("bob", Vec::new())).unwrap().id;
    let told = live.learn(7, vec![reports()[0].clone()]);
    live.ask(Action::Unmerge { surviving: "smooch".into(), discarded: ours.clone() }).unwrap();
    live.directory.apply_event(&app(), &told).unwrap();
    live.learn(9000, vec![reports()[2].clone()]);
    assert_eq!(live.view(ours.as_str()).map(|view| view.id), Some(ours));
}
