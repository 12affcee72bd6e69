//! A device starts: every row of the table of init.

use rollcall::domain::Fact;
use rollcall::domain::command::{Authority, Refusal};

use super::*;

fn token(live: &mut Live, device: Device, user_id: Option<&str>) -> Result<View, Refusal> {
    let decision = live.ask_as(Authority::Token, init(device, user_id))?;
    let view = live.view(decision.user.as_str()).unwrap();
    assert_eq!(view.id, decision.user);
    Ok(view)
}

#[test]
fn a_device_never_seen_gets_an_app_user_of_its_own() {
    let mut live = Live::new();
    let anonymous = token(&mut live, phone(), None).unwrap();
    assert_eq!(user_id(&anonymous), None);
    assert_eq!(anonymous.get(&Field::SignedUpAt).map(|text| &**text), Some(NOW));
    assert_eq!(client(&anonymous, "phone"), Some((true, r#"{"platform":"ios"}"#.to_owned())));
    let bob = token(&mut live, device("tablet", &[]), Some("bob")).unwrap();
    assert_ne!(bob.id, anonymous.id);
    assert_eq!(
        (user_id(&bob).as_deref(), client(&bob, "tablet")),
        (Some("bob"), Some((true, "{}".to_owned())))
    );
    assert_eq!(live.by_user_id("bob"), Some(bob));
}

#[test]
fn a_returning_anonymous_device_is_the_same_app_user_with_new_members() {
    let mut live = Live::new();
    let first = token(&mut live, device("phone", &[("platform", "ios"), ("appVersion", "1")]), None).unwrap();
    let decision =
        live.ask_as(Authority::Token, init(device("phone", &[("appVersion", "2")]), None)).unwrap();
    assert!(!decision.created && decision.user == first.id);
    let rest = r#"{"appVersion":"2","platform":"ios"}"#.to_owned();
    assert_eq!(client(&live.view(first.id.as_str()).unwrap(), "phone"), Some((true, rest)));
}

#[test]
fn to_start_without_a_name_is_to_log_out() {
    let mut live = Live::new();
    let bob = token(&mut live, phone(), Some("bob")).unwrap();
    let anonymous = token(&mut live, phone(), None).unwrap();
    assert_ne!(anonymous.id, bob.id);
    assert_eq!(user_id(&anonymous), None);
    assert!(client(&anonymous, "phone").unwrap().0);
    let left = live.view(bob.id.as_str()).unwrap();
    assert_eq!(user_id(&left).as_deref(), Some("bob"));
    assert!(!client(&left, "phone").unwrap().0);
    assert_eq!(token(&mut live, phone(), Some("bob")).unwrap().id, bob.id, "back again");
    assert_eq!(live.view(anonymous.id.as_str()).unwrap().id, bob.id);
}

#[test]
fn an_anonymous_app_user_that_logs_in_with_a_new_name_stays_the_same() {
    let mut live = Live::new();
    let anonymous = token(&mut live, phone(), None).unwrap();
    let bob = token(&mut live, phone(), Some("bob")).unwrap();
    assert_eq!((bob.id.clone(), user_id(&bob).as_deref()), (anonymous.id, Some("bob")));
    assert_eq!(live.by_user_id("bob"), Some(bob));
    let known = Live::new();
    let mut live = known;
    live.learn(5, vec![picture("smooch", vec![given(Field::Email, "b@example.org")], &["phone"])]);
    let bob = token(&mut live, phone(), Some("bob")).unwrap();
    assert_eq!((bob.id.as_str(), shown(&bob, &Field::Email).as_deref()), ("smooch", Some("b@example.org")));
}

#[test]
fn an_anonymous_app_user_that_logs_in_as_a_known_one_is_merged_into_it() {
    let mut live = Live::new();
    let bob = token(&mut live, device("tablet", &[]), Some("bob")).unwrap();
    let anonymous = token(&mut live, phone(), None).unwrap();
    live.ask(update(anonymous.id.as_str(), vec![given(property("cart"), "full")])).unwrap();
    let one = token(&mut live, phone(), Some("bob")).unwrap();
    assert_eq!((&one.id, &one.aliases), (&bob.id, &vec![anonymous.id.clone()]), "the answer has another _id");
    assert!(client(&one, "phone").unwrap().0 && client(&one, "tablet").unwrap().0);
    assert_eq!(shown(&one, &property("cart")).as_deref(), Some("full"));
    assert_eq!(live.view(anonymous.id.as_str()), Some(one));
}

#[test]
fn of_one_created_here_and_one_of_smoochs_smoochs_survives() {
    let mut live = Live::new();
    let bob = live.ask(create("bob", Vec::new())).unwrap();
    live.learn(5, vec![picture("smooch", Vec::new(), &["phone"])]);
    let one = token(&mut live, phone(), Some("bob")).unwrap();
    assert_eq!((one.id.as_str(), &one.aliases), ("smooch", &vec![bob.id.clone()]));
    assert_eq!(live.by_user_id("bob"), Some(one));
}

#[test]
fn after_a_login_the_name_is_that_of_the_login_for_all_members() {
    let mut live = Live::new();
    for name in ["bob", "eve"] {
        live.ask(create(name, Vec::new())).unwrap();
    }
    live.ask(Action::Merge { surviving: "bob".into(), discarded: "eve".into() }).unwrap();
    live.learn(5, vec![picture("smooch", Vec::new(), &["phone"])]);
    assert_eq!(user_id(&token(&mut live, phone(), Some("bob")).unwrap()).as_deref(), Some("bob"));
}

#[test]
fn a_pre_created_user_keeps_its_id_and_its_properties() {
    let mut live = Live::new();
    let made = live.ask(create("bob", vec![given(property("plan"), "gold")])).unwrap();
    let bob = token(&mut live, phone(), Some("bob")).unwrap();
    assert_eq!((&bob.id, &bob.aliases), (&made.id, &Vec::new()));
    assert_eq!(shown(&bob, &property("plan")).as_deref(), Some("gold"));
    assert!(client(&bob, "phone").unwrap().0);
}

#[test]
fn a_shared_device_is_active_and_reachable_for_the_last_one_alone() {
    let mut live = Live::new();
    let with_token = device("phone", &[("platform", "ios"), ("pushNotificationToken", "push")]);
    let ann = token(&mut live, with_token, Some("ann")).unwrap();
    let bob = token(&mut live, device("phone", &[]), Some("bob")).unwrap();
    let rest = r#"{"platform":"ios","pushNotificationToken":"push"}"#.to_owned();
    assert_eq!(client(&bob, "phone"), Some((true, rest)), "what is known of the device goes along");
    let ann = live.view(ann.id.as_str()).unwrap();
    assert_eq!(client(&ann, "phone"), Some((false, r#"{"platform":"ios"}"#.to_owned())));
}

#[test]
fn a_device_changes_hands_even_if_smooch_spoke_of_it_in_the_future() {
    let mut live = Live::new();
    live.learn(1000, vec![picture("ann", vec![given(Field::UserId, "ann")], &["phone"])]);
    let bob = token(&mut live, phone(), Some("bob")).unwrap();
    assert!(client(&bob, "phone").unwrap().0);
    assert!(!client(&live.view("ann").unwrap(), "phone").unwrap().0);
    live.learn(3000, vec![Fact::Seen(seen("zed", vec![given(Field::UserId, "zed")]))]);
    live.learn(2000, vec![picture("ann", vec![given(Field::UserId, "ann")], &["watch"])]);
    live.learn(4000, vec![Fact::ClientChanged { user: "ann".into(), client: "watch".into(), value: None }]);
    live.learn(
        4000,
        vec![Fact::ClientBound { user: "ann".into(), client: "watch".into(), also: Vec::new() }],
    );
    assert!(client(&token(&mut live, device("watch", &[]), Some("zed")).unwrap(), "watch").unwrap().0);
}

#[test]
fn a_push_token_holds_until_another_is_sent() {
    let mut live = Live::new();
    let push = |live: &mut Live, members: &[(&str, &str)]| {
        let view = token(live, device("phone", members), Some("bob")).unwrap();
        client(&view, "phone").unwrap().1
    };
    assert_eq!(push(&mut live, &[("pushNotificationToken", "one")]), r#"{"pushNotificationToken":"one"}"#);
    assert_eq!(push(&mut live, &[]), r#"{"pushNotificationToken":"one"}"#);
    assert_eq!(push(&mut live, &[("pushNotificationToken", "two")]), r#"{"pushNotificationToken":"two"}"#);
}

#[test]
fn a_jwt_secures_and_the_app_token_is_refused_from_then_on() {
    let own = Authority::User(json_text("bob"));
    for known in [true, false] {
        let mut live = Live::new();
        if known {
            assert!(!token(&mut live, phone(), Some("bob")).unwrap().secured);
        }
        let bob = live.ask_as(own.clone(), init(phone(), Some("bob"))).unwrap();
        assert!(live.view(bob.user.as_str()).unwrap().secured);
        assert_eq!(token(&mut live, phone(), Some("bob")), Err(Refusal::Secured));
        assert_eq!(token(&mut live, device("tablet", &[]), Some("bob")), Err(Refusal::Secured));
        let refused = live.ask_as(Authority::Token, update("bob", Vec::new()));
        assert_eq!(refused.unwrap_err(), Refusal::Secured);
        assert_eq!(live.ask_as(own.clone(), init(phone(), Some("bob"))).unwrap().user, bob.user);
        let anonymous = token(&mut live, phone(), None).unwrap();
        assert!(!anonymous.secured && anonymous.id != bob.user, "to log out needs nobody's word");
        assert_eq!(
            token(&mut live, phone(), Some("bob")),
            Err(Refusal::Secured),
            "nor does a merge get round it"
        );
    }
}
