use super::*;
use crate::domain::{Client, ClientId, JsonText, View};

fn parsed(body: &str, read: impl FnOnce(&Json<'_>) -> Result<String, InvalidInput>) -> String {
    let read = read(&Json::parse(body.as_bytes(), 8).unwrap().value);
    read.unwrap_or_else(|InvalidInput(problem)| format!("refused: {problem}"))
}

fn line(fields: &Fields) -> String {
    let fields = fields.iter().map(|(field, value)| format!("{field}={}", value.as_deref().unwrap_or("-")));
    fields.collect::<Vec<_>>().join(" ")
}

#[test]
fn create_needs_an_external_id() {
    let length = "refused: externalId must be a string of 1 to 1024 characters";
    for (body, expected) in [
        (r#"{"externalId":"u"}"#, r#""u" false v2.brandId=-"#),
        (r#"{"externalId":"u","profile":{"email":null},"metadata":null}"#, r#""u" false v2.brandId=-"#),
        (
            r#"{"externalId":"u","toBeRetained":true,"brandId":"b","signedUpAt":"2020-01-01T00:00:00Z"}"#,
            r#""u" false signedUpAt="2020-01-01T00:00:00.000Z" v2.toBeRetained=true v2.brandId="b""#,
        ),
        ("{}", "refused: should have required property 'externalId'"),
        (r#"{"externalId":""}"#, length),
        (r#"{"externalId":7}"#, length),
        ("[]", "refused: the body must be an object"),
    ] {
        let made = parsed(body, |json| {
            create(json).map(|made| format!("{} {} {}", made.user_id, made.secured, line(&made.fields)))
        });
        assert_eq!(made, expected, "{body}");
    }
}

#[test]
fn patch_takes_present_members() {
    for (body, expected) in [
        ("{}", ""),
        (r#"{"externalId":7,"profile":null,"metadata":null,"identities":{}}"#, ""),
        (
            r#"{"profile":{"givenName":"A","surname":null,"avatarUrl":"u","locale":"de","x":1}}"#,
            r#"givenName="A" surname=- profile.avatarUrl="u" profile.locale="de""#,
        ),
        (r#"{"metadata":{"k":null,"n":1}}"#, "properties.k=- properties.n=1"),
        (r#"{"profile":[]}"#, "refused: profile must be an object"),
        (r#"{"profile":{"email":""}}"#, "refused: profile.email must be a string of 1 to 128 characters"),
        (r#"{"profile":{"locale":1}}"#, "refused: profile.locale must be a string of 1 to 64 characters"),
        (r#"{"metadata":{"k":[]}}"#, "refused: metadata.k must be a string, a number or a boolean"),
        (r#"{"toBeRetained":1}"#, "refused: toBeRetained must be true or false"),
        (r#"{"brandId":1}"#, "refused: brandId must be a string that is not empty"),
    ] {
        assert_eq!(parsed(body, |json| patch(json).map(|fields| line(&fields))), expected, "{body}");
    }
    for (n, fits) in [(2048, true), (2049, false)] {
        let body = format!(r#"{{"profile":{{"avatarUrl":"{}"}}}}"#, "x".repeat(n));
        assert_eq!(parsed(&body, |json| patch(json).map(|_| "fits".to_owned())) == "fits", fits, "{n}");
    }
}

fn view(fields: &[(Field, &str)], clients: &[(&str, bool, &str)]) -> View {
    let text = |text: &str| -> JsonText { text.into() };
    let client = |rest: &str, active: bool| Client { active, rest: text(rest) };
    View {
        id: "a".into(),
        aliases: Vec::new(),
        fields: fields.iter().map(|(field, value)| (field.clone(), text(value))).collect(),
        clients: clients
            .iter()
            .map(|(id, active, rest)| (ClientId::from(*id), client(rest, *active)))
            .collect(),
        started: true,
        secured: true,
        first_seen: None,
        last_seen: Some(1_582_653_997_547_000),
    }
}

#[test]
fn a_user_is_shown_as_v2s_clients_accept_it() {
    assert_eq!(user(&view(&[], &[])), r#"{"id":"a","profile":{},"metadata":{}}"#);
    let told = [
        (Field::UserId, r#""u""#),
        (Field::GivenName, r#""""#),
        (Field::Surname, "7"),
        (Field::Email, r#""e@x""#),
        (Field::SignedUpAt, r#""2020""#),
        (Field::Property("".into()), r#""""#),
        (Field::Other("hasPaymentInfo".into()), "true"),
        (Field::from_v2("authenticated"), "true"),
        (Field::from_v2("identities"), "[]"),
        (Field::from_v2("toBeRetained"), r#""yes""#),
        (Field::from_v2("zendeskId"), r#""z""#),
        (Field::from_v2_profile("locale"), r#""de""#),
        (Field::from_v2_profile("localeOrigin"), r#""x""#),
        (Field::from_v2_profile("avatarUrl"), r#""""#),
    ];
    let expected = r#"{"id":"a","externalId":"u","signedUpAt":"2020","authenticated":true,"identities":[],"zendeskId":"z","profile":{"email":"e@x","locale":"de","localeOrigin":"x"},"metadata":{"":""}}"#;
    assert_eq!(user(&view(&told, &[])), expected);
}

#[test]
fn clients_are_those_that_v2_has_a_type_for() {
    let view = view(
        &[],
        &[
            ("a", true, r#"{"platform":"ios","status":"active"}"#),
            (
                "b",
                false,
                r#"{"displayName":null,"info":{},"lastSeen":"l","platform":"twilio","raw":"x","status":"active"}"#,
            ),
            ("c", false, r#"{"avatarUrl":"","platform":"whatsapp","status":"blocked"}"#),
            ("d", true, r#"{"platform":"sdk","status":"odd"}"#),
            ("e", true, r#"{"platform":"frontendEmail"}"#),
            ("f", true, "{}"),
            ("g", true, r#"{"_id":"D","clientId":"C","platform":"android"}"#),
            ("h", false, r#"{"_id":"I","platform":"web"}"#),
            ("i", true, r#"{"clientId":"d","info":{"os":"x"},"platform":"web"}"#),
            ("j", true, r#"{"platform":"other"}"#),
        ],
    );
    let expected = [
        ("C", r#"{"id":"C","type":"sdk","status":"active"}"#),
        ("I", r#"{"id":"I","type":"sdk","status":"inactive"}"#),
        ("a", r#"{"id":"a","type":"sdk","status":"active"}"#),
        ("b", r#"{"id":"b","type":"twilio","status":"inactive","lastSeen":"l","info":{}}"#),
        ("c", r#"{"id":"c","type":"whatsapp","status":"blocked","avatarUrl":""}"#),
        ("d", r#"{"id":"d","type":"sdk","status":"active"}"#),
    ];
    assert_eq!(clients(&view), expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
}

#[test]
fn devices_have_every_member_they_must_have() {
    let view = view(
        &[],
        &[
            ("g1", true, r#"{"platform":"ios"}"#),
            (
                "g2",
                false,
                r#"{"_id":"d2","appVersion":"1","clientId":"c2","info":{"os":"x"},"integrationId":"i","lastSeen":"l","platform":"web","pushNotificationToken":"t","status":"pending"}"#,
            ),
            ("g3", true, r#"{"platform":"other"}"#),
            ("g4", true, r#"{"platform":"twilio"}"#),
        ],
    );
    let expected = [
        (
            "g1",
            r#"{"id":"g1","type":"ios","guid":"g1","clientId":"g1","status":"active","lastSeen":"2020-02-25T18:06:37.547Z"}"#,
        ),
        (
            "d2",
            r#"{"id":"d2","type":"web","guid":"g2","clientId":"c2","status":"inactive","lastSeen":"l","integrationId":"i","pushNotificationToken":"t","appVersion":"1","info":{"os":"x"}}"#,
        ),
    ];
    assert_eq!(devices(&view), expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
}
