use super::*;
use crate::domain::{Client, View};

fn parsed<T>(body: &str, read: impl FnOnce(&Json<'_>) -> T) -> T {
    read(&Json::parse(body.as_bytes(), 8).unwrap().value)
}

/// The result of parsing a body, in one line.
fn shown<T>(read: Result<T, InvalidInput>, show: impl FnOnce(T) -> String) -> String {
    read.map_or_else(|InvalidInput(problem)| format!("refused: {problem}"), show)
}

fn fields(fields: Fields) -> String {
    let fields = fields.iter().map(|(field, value)| format!("{field}={}", value.as_deref().unwrap_or("-")));
    fields.collect::<Vec<_>>().join(" ")
}

fn device_line(device: &Device) -> String {
    let pairs = |map: &BTreeMap<String, Option<JsonText>>| {
        let pairs = map.iter().map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or("-")));
        pairs.collect::<Vec<_>>().join(" ")
    };
    format!("{} {} [{}]", device.id, pairs(&device.members), pairs(&device.info))
}

#[test]
fn init_reads_a_device_and_its_user() {
    let now: JsonText = "\"now\"".into();
    let minimal = r#"d lastSeen="now" platform="ios" [] None"#;
    let platform = "refused: device.platform must be ios, android, web or other";
    let id = "refused: device.id must be a string of 1 to 1024 characters";
    let user_id = "refused: userId must be a string of 1 to 1024 characters";
    for (body, expected) in [
        (r#"{"device":{"id":"d","platform":"ios"}}"#, minimal),
        (r#"{"device":{"id":"d","platform":"ios","new":{}},"userId":""}"#, minimal),
        (r#"{"device":{"id":"d","platform":"ios","info":null,"appVersion":null},"userId":null}"#, minimal),
        (r#"{"device":{"id":"d","platform":"ios","info":{"k":null}}}"#, minimal),
        (
            r#"{"userId":"b\"@x","device":{"id":"d","platform":"web","appVersion":"1","pushNotificationToken":"t","info":{"os":"x","n":1.50,"b":true}}}"#,
            r#"d appVersion="1" lastSeen="now" platform="web" pushNotificationToken="t" [b=true n=1.50 os="x"] Some("\"b\\\"@x\"")"#,
        ),
        ("[]", "refused: the body must be an object"),
        ("{}", "refused: should have required property 'device'"),
        (r#"{"device":null}"#, "refused: should have required property 'device'"),
        (r#"{"device":"d"}"#, "refused: device must be an object"),
        (r#"{"device":{"platform":"ios"}}"#, id),
        (r#"{"device":{"id":"","platform":"ios"}}"#, id),
        (r#"{"device":{"id":7,"platform":"ios"}}"#, id),
        (r#"{"device":{"id":"d"}}"#, platform),
        (r#"{"device":{"id":"d","platform":"IOS"}}"#, platform),
        (r#"{"device":{"id":"d","platform":7}}"#, platform),
        (
            r#"{"device":{"id":"d","platform":"ios","appVersion":1}}"#,
            "refused: device.appVersion must be a string",
        ),
        (r#"{"device":{"id":"d","platform":"ios","info":[]}}"#, "refused: device.info must be an object"),
        (
            r#"{"device":{"id":"d","platform":"ios","info":{"k":{}}}}"#,
            "refused: device.info.k must be a string, a number or a boolean",
        ),
        (r#"{"device":{"id":"d","platform":"ios"},"userId":7}"#, user_id),
    ] {
        let line = parsed(body, |json| {
            shown(init(json, &now), |InitRequest { device, user_id, .. }| {
                format!("{} {user_id:?}", device_line(&device))
            })
        });
        assert_eq!(line, expected, "{body}");
    }
}

#[test]
fn create_needs_a_user_id() {
    let required = "refused: should have required property 'userId'";
    let length = "refused: userId must be a string of 1 to 1024 characters";
    for (body, expected) in [
        (r#"{"userId":"u"}"#, r#""u" false "#),
        (r#"{"userId":" ","credentialRequired":true}"#, r#"" " true "#),
        (r#"{"userId":"u","credentialRequired":null,"email":null,"properties":{"k":null}}"#, r#""u" false "#),
        (r#"{"userId":"u","givenName":"","properties":{"":0}}"#, r#""u" false givenName="" properties.=0"#),
        ("{}", required),
        (r#"{"userId":null}"#, required),
        (r#"{"userId":""}"#, length),
        (r#"{"userId":7}"#, length),
        (r#"{"userId":"u","credentialRequired":"yes"}"#, "refused: credentialRequired must be true or false"),
        ("7", "refused: the body must be an object"),
    ] {
        let line = parsed(body, |json| {
            shown(create(json), |made| format!("{} {} {}", made.user_id, made.secured, fields(made.fields)))
        });
        assert_eq!(line, expected, "{body}");
    }
    // Bytes are counted, not characters.
    for (letter, n, fits) in [("a", 1024, true), ("a", 1025, false), ("é", 512, true), ("é", 513, false)] {
        let body = format!(r#"{{"userId":"{}"}}"#, letter.repeat(n));
        assert_eq!(parsed(&body, |json| create(json).is_ok()), fits, "{n}");
    }
}

#[test]
fn update_takes_present_members() {
    let moment = "refused: signedUpAt must be an ISO 8601 date and time in UTC or with an offset";
    for (body, expected) in [
        ("{}", ""),
        (r#"{"userId":7,"_id":[],"clients":1,"x":{},"properties":null}"#, ""),
        (r#"{"givenName":"A","surname":null,"email":"e@x"}"#, r#"givenName="A" surname=- email="e@x""#),
        (
            r#"{"properties":{"b":true,"n":1.0e2,"s":"\u0000","z":null}}"#,
            "properties.b=true properties.n=1.0e2 properties.s=\"\u{fffd}\" properties.z=-",
        ),
        (r#"{"signedUpAt":"2015-10-06T03:38:02Z"}"#, r#"signedUpAt="2015-10-06T03:38:02.000Z""#),
        (r#"{"signedUpAt":"2015-10-06T03:38:02.3469Z"}"#, r#"signedUpAt="2015-10-06T03:38:02.346Z""#),
        (r#"{"signedUpAt":"2015-10-06T05:38:02.5+02:00"}"#, r#"signedUpAt="2015-10-06T03:38:02.500Z""#),
        (r#"{"signedUpAt":null}"#, "signedUpAt=-"),
        (r#"{"signedUpAt":"2015-10-06"}"#, moment),
        (r#"{"signedUpAt":1444102682}"#, moment),
        (r#"{"surname":7}"#, "refused: surname must be a string of at most 128 characters"),
        (r#"{"properties":[]}"#, "refused: properties must be an object"),
        (r#"{"properties":{"k":{"a":1}}}"#, "refused: properties.k must be a string, a number or a boolean"),
        (r#"{"properties":{"k":[]}}"#, "refused: properties.k must be a string, a number or a boolean"),
        ("null", "refused: the body must be an object"),
    ] {
        assert_eq!(parsed(body, |json| shown(update(json), fields)), expected, "{body}");
    }
    for (n, fits) in [(128, true), (129, false)] {
        let body = format!(r#"{{"email":"{}"}}"#, "é".repeat(n));
        assert_eq!(parsed(&body, |json| update(json).is_ok()), fits, "{n}");
    }
}

#[test]
fn an_event_has_a_name_and_may_carry_values() {
    let empty = "refused: name must be a string that is not empty";
    for (body, expected) in [
        (r#"{"name":"won"}"#, r#""won" "#),
        (r#"{"name":"won","appUser":{}}"#, r#""won" "#),
        (r#"{"name":"won","appUser":null}"#, r#""won" "#),
        (r#"{"name":"won","appUser":{"email":null}}"#, r#""won" email=-"#),
        ("{}", "refused: should have required property 'name'"),
        (r#"{"name":""}"#, empty),
        (r#"{"name":1}"#, empty),
        (r#"{"name":"won","appUser":[]}"#, "refused: appUser must be an object"),
        (
            r#"{"name":"won","appUser":{"email":1}}"#,
            "refused: appUser.email must be a string of at most 128 characters",
        ),
    ] {
        let line =
            parsed(body, |json| shown(track(json), |(name, values)| format!("{name} {}", fields(values))));
        assert_eq!(line, expected, "{body}");
    }
}

#[test]
fn a_device_changes_member_by_member() {
    for (body, expected) in [
        ("{}", "d  []"),
        (r#"{"id":"e","platform":7}"#, "d  []"),
        (
            r#"{"pushNotificationToken":null,"appVersion":"","info":{"a":"b","c":null}}"#,
            r#"d appVersion="" pushNotificationToken=- [a="b" c=-]"#,
        ),
        (r#"{"info":null}"#, "d info=- []"),
        (r#"{"info":"x"}"#, "refused: info must be an object"),
        (r#"{"info":{"a":[]}}"#, "refused: info.a must be a string, a number or a boolean"),
        (r#"{"pushNotificationToken":1}"#, "refused: pushNotificationToken must be a string"),
    ] {
        let line = parsed(body, |json| shown(device(json, "d"), |device| device_line(&device)));
        assert_eq!(line, expected, "{body}");
    }
}

#[test]
fn a_merge_names_two_and_its_undoing_one() {
    let surviving = "refused: surviving._id must be a string that is not empty";
    let discarded = "refused: discarded._id must be a string that is not empty";
    let name = |name: &Name| match &name.brand {
        Some(brand) => format!("{} in {brand}", name.text),
        None => name.text.to_string(),
    };
    for (body, expected) in [
        (r#"{"surviving":{"_id":"a"},"discarded":{"_id":"b"}}"#, "a b"),
        (r#"{"surviving":{"_id":"a","brandId":"1"},"discarded":{"_id":"b","brandId":null}}"#, "a in 1 b"),
        (
            r#"{"surviving":{"_id":"a","brandId":""},"discarded":{"_id":"b"}}"#,
            "refused: surviving.brandId must be a string that is not empty",
        ),
        (r#"{"surviving":{"_id":"a"},"discarded":[{"_id":"b"}]}"#, "a b"),
        (r#"{"surviving":{"_id":"a"},"discarded":[{"_id":"b"},{"_id":"c"}]}"#, discarded),
        (r#"{"surviving":{"_id":"a"},"discarded":[]}"#, discarded),
        (r#"{"surviving":{"_id":"a"}}"#, discarded),
        (r#"{"surviving":"a","discarded":{"_id":"b"}}"#, surviving),
        (r#"{"surviving":{"_id":""},"discarded":{"_id":"b"}}"#, surviving),
        ("{}", surviving),
    ] {
        let line = parsed(body, |json| {
            shown(merge(json), |(kept, gone)| format!("{} {}", name(&kept), name(&gone)))
        });
        assert_eq!(line, expected, "{body}");
    }
    for (body, expected) in [(r#"{"discarded":{"_id":"b"}}"#, "b"), ("{}", discarded)] {
        let line = parsed(body, |json| shown(unmerge(json), |gone| gone.to_string()));
        assert_eq!(line, expected, "{body}");
    }
}

fn view(clients: &[(&str, &str)]) -> View {
    let clients = clients.iter().map(|(id, rest)| {
        let client = Client { active: true, rest: (*rest).into() };
        (ClientId::from(*id), client)
    });
    View {
        id: "a".into(),
        aliases: Vec::new(),
        fields: BTreeMap::new(),
        clients: clients.collect(),
        started: false,
        secured: false,
        first_seen: None,
        last_seen: None,
    }
}

#[test]
fn a_device_is_shown_like_a_client() {
    let view = view(&[("d\"", r#"{"info":{"a":1},"platform":"ios"}"#), ("e", "{}")]);
    for (id, expected) in [
        ("d\"", Some(r#"{"device":{"id":"d\"","active":true,"info":{"a":1},"platform":"ios"}}"#)),
        ("e", Some(r#"{"device":{"id":"e","active":true}}"#)),
        ("f", None),
    ] {
        assert_eq!(device_text(&view, id).as_deref(), expected, "{id}");
    }
}

#[test]
fn channels_are_the_clients_that_are_no_devices() {
    let view = view(&[
        ("a", r#"{"platform":"ios","phoneNumber":"+1"}"#),
        ("b", r#"{"info":{"phoneNumber":"+15145555555"},"platform":"twilio"}"#),
        (
            "c",
            r#"{"integrationId":"i","platform":"telegram","raw":{"chatId":7,"userId":null,"username":"u"}}"#,
        ),
        ("d", r#"{"platform":"frontendEmail"}"#),
        ("e", "{}"),
        ("f", r#"{"platform":null}"#),
    ]);
    let expected = r#"{"channels":[{"type":"twilio","phoneNumber":"+15145555555"},{"type":"telegram","username":"u","chatId":7,"integrationId":"i"},{"type":"frontendEmail"}]}"#;
    assert_eq!(channels(&view), expected);
}

#[test]
fn each_channel_has_its_own_name_for_its_entity() {
    for (platform, word) in [
        ("twilio", "phoneNumber"),
        ("messagebird", "phoneNumber"),
        ("whatsapp", "phoneNumber"),
        ("googlercs", "phoneNumber"),
        ("mailgun", "address"),
        ("frontendEmail", "address"),
        ("telegram", "chatId"),
        ("messenger", "userId"),
        ("line", "userId"),
        ("viber", "userId"),
        ("wechat", "userId"),
        ("twitter", "userId"),
        ("instagram", "userId"),
        ("apple", "userId"),
        ("a new one", "userId"),
    ] {
        let shown = |rest: String| channels(&view(&[("a", &rest)]));
        let told = shown(format!(r#"{{"externalId":"e1","integrationId":"i","platform":"{platform}"}}"#));
        let expected =
            format!(r#"{{"channels":[{{"type":"{platform}","{word}":"e1","integrationId":"i"}}]}}"#);
        assert_eq!(told, expected);
        // `externalId` takes precedence over the member in `raw`; without it, that one is shown.
        let beside = |id: &str| {
            shown(format!(r#"{{"externalId":{id},"platform":"{platform}","raw":{{"{word}":"r"}}}}"#))
        };
        for (id, value) in [("7", "7"), ("\"e\"", "\"e\""), ("null", "\"r\""), ("\"\"", "\"r\"")] {
            let expected = format!(r#"{{"channels":[{{"type":"{platform}","{word}":{value}}}]}}"#);
            assert_eq!(beside(id), expected, "{id}");
        }
    }
}
