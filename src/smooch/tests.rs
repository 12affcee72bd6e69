//! The bytes of texts that the API, exports and `journal show` share.

use std::sync::Arc;

use super::csv::{self, CsvHeader};
use super::{journal_entry, v1};
use crate::domain::{
    Assertion, Client, ClientId, Event, Fact, Field, Mention, Observation, Part, Reason, RecordSnapshot,
    SmoochId, Stamp, StampedAssertions, View, Visibility,
};

fn id(text: &str) -> SmoochId {
    text.into()
}

fn stamp() -> Stamp {
    Stamp { time: 1, event: "e".into(), digest: [7; 16] }
}

fn mention(active: Option<bool>, rest: &str) -> Mention {
    Mention { active, rest: rest.into() }
}

fn facts() -> Vec<Fact> {
    let seen = Observation {
        fields: vec![
            (Field::Email, Some("\"first\"".into())),
            (Field::Property("b".into()), Some("1.50".into())),
            (Field::Property("a\"\n".into()), None),
            (Field::Email, Some("\"last\"".into())),
        ],
        clients: vec![
            (ClientId::from("c\"1"), mention(Some(true), "{\"platform\":\"web\"}")),
            (ClientId::from("c2"), mention(None, "{}")),
        ],
        complete: vec![Part::Clients],
        started: true,
        ..Observation::bare(id("u\"1"))
    };
    let known = RecordSnapshot {
        stamped: vec![StampedAssertions {
            stamp: Arc::new(stamp()),
            assertions: vec![
                Assertion::Field(Field::UserId, Some("\"bob\"".into())),
                Assertion::Client(ClientId::from("c"), None),
                Assertion::Set(Field::Email, None, Some("\"old\"".into())),
            ],
        }],
        ..RecordSnapshot::bare(id("k"))
    };
    let (user, client) = (id("u"), ClientId::from("c"));
    let (surviving, discarded) = (id("s"), id("d"));
    let value = Client { active: false, rest: "{\"x\":1e400}".into() };
    let set = vec![(Field::GivenName, Some("\"Zoë\"".into()), None), (Field::Surname, None, None)];
    let linked = |joined| Fact::Linked {
        surviving: surviving.clone(),
        discarded: discarded.clone(),
        stamp: Arc::new(stamp()),
        joined,
        reason: Reason::SameUserId,
    };
    vec![
        Fact::Seen(Observation::bare(user.clone())),
        Fact::Seen(seen),
        Fact::Minted { user: user.clone() },
        Fact::Secured { user: user.clone() },
        Fact::Tracked { user: user.clone(), name: "\"cart\"".into() },
        Fact::ClientSet { user: user.clone(), client: client.clone(), value },
        Fact::Set { user: user.clone(), fields: set },
        Fact::Merged { surviving: surviving.clone(), discarded: discarded.clone(), reason: Reason::Api },
        Fact::Unmerged { surviving: surviving.clone(), discarded: discarded.clone() },
        Fact::ClientChanged {
            user: user.clone(),
            client: client.clone(),
            value: Some(mention(None, "{\"y\":[]}")),
        },
        Fact::ClientChanged { user: user.clone(), client: client.clone(), value: None },
        Fact::ClientBound { user: user.clone(), client, also: Vec::new() },
        Fact::Removed { user: user.clone() },
        Fact::Erased { user },
        Fact::Known(known),
        linked(true),
        linked(false),
    ]
}

const DECIDED: [&str; 17] = [
    r#"{"fact":"seen","_id":"u","fields":{},"clients":[],"conversationStarted":false}"#,
    r#"{"fact":"seen","_id":"u\"1","fields":{"email":"last","properties.a\"\n":null,"properties.b":1.50},"clients":[{"id":"c\"1","active":true,"platform":"web"},{"id":"c2"}],"conversationStarted":true}"#,
    r#"{"fact":"made","_id":"u"}"#,
    r#"{"fact":"secured","_id":"u"}"#,
    r#"{"fact":"event","_id":"u","name":"cart"}"#,
    r#"{"fact":"client","_id":"u","client":{"id":"c","active":false,"x":1e400}}"#,
    r#"{"fact":"set","_id":"u","fields":{"givenName":"Zoë","surname":null}}"#,
    r#"{"fact":"merged","surviving":"s","discarded":"d","reason":"api"}"#,
    r#"{"fact":"unmerged","surviving":"s","discarded":"d"}"#,
    r#"{"fact":"client","_id":"u","client":{"id":"c","y":[]}}"#,
    r#"{"fact":"clientRemoved","_id":"u","clientId":"c"}"#,
    r#"{"fact":"clientActive","_id":"u","clientId":"c"}"#,
    r#"{"fact":"removed","_id":"u"}"#,
    r#"{"fact":"erased","_id":"u"}"#,
    r#"{"fact":"known","_id":"k","fields":{"email":null,"userId":"bob"}}"#,
    r#"{"fact":"merged","surviving":"s","discarded":"d","reason":"sameUserId"}"#,
    r#"{"fact":"unmerged","surviving":"s","discarded":"d","reason":"sameUserId"}"#,
];

#[test]
fn a_decided_entry_has_every_fact_in_its_order() {
    let event = Event { stamp: Arc::new(stamp()), trigger: "init".into(), facts: facts() };
    let body = serde_json::to_vec(&event).unwrap();
    assert_eq!(journal_entry::decided(&body), format!("{{\"facts\":[{}]}}", DECIDED.join(",")));
    assert_eq!(journal_entry::decided(b"{}"), "{\"facts\":[]}");
}

fn view() -> View {
    let clients = [("w\"", true, "{\"platform\":\"web\"}"), ("i", false, "{}")];
    let fields = [
        (Field::BrandId, "\"brand \\\"b\\\"\""),
        (Field::UserId, "\"bob\""),
        (Field::Email, "\"b@x.y\""),
        (Field::Property("n".into()), "1.50"),
        (Field::Property("a\"b".into()), "\"x,y\""),
        (Field::PendingClients, "[{\"id\":\"w\\\"\"},null,{\"id\":\"p\",\"z\":null,\"a\":1.0}]"),
    ];
    View {
        id: id("u\"1"),
        aliases: vec![id("old"), id("older\"")],
        fields: fields.into_iter().map(|(field, text)| (field, text.into())).collect(),
        clients: clients
            .map(|(id, active, rest)| (ClientId::from(id), Client { active, rest: rest.into() }))
            .into(),
        started: true,
        secured: true,
        first_seen: Some(1_700_000_000_000_000),
        last_seen: None,
    }
}

#[test]
fn an_app_user_is_shown_byte_for_byte() {
    let user = r#"{"_id":"u\"1","userId":"bob","email":"b@x.y","pendingClients":[{"a":1.0,"id":"p"}],"credentialRequired":true,"conversationStarted":true,"properties":{"a\"b":"x,y","n":1.50},"clients":[{"id":"i","active":false},{"id":"w\"","active":true,"platform":"web"}]"#;
    assert_eq!(v1::app_user(&Visibility::Whole.show(&view())), format!("{user}}}"));
    assert_eq!(
        v1::line(&Visibility::Whole.show(&view())),
        format!("{user},\"brandId\":\"brand \\\"b\\\"\"}}")
    );
    let members = journal_entry::shown_members(&view());
    assert_eq!(
        members["clients"],
        r#"[{"id":"i","active":false},{"id":"w\"","active":true,"platform":"web"}]"#
    );
}

#[test]
fn a_row_is_written_byte_for_byte() {
    let rows =
        String::from_utf8([csv::header_row(), csv::write_rows([Visibility::Whole.show(&view())])].concat())
            .unwrap();
    let expected = [
        "_id,userId,givenName,surname,email,signedUpAt,conversationStarted,credentialRequired,firstSeen,lastSeen,\
         aliases,properties,clients,brandId\r\n",
        r#""u""1",bob,,,b@x.y,,true,true,2023-11-14T22:13:20.000000Z,,"#,
        r#""[""old"",""older\""""]","{""a\""b"":""x,y"",""n"":1.50}","#,
        r#""[{""id"":""i"",""active"":false},{""id"":""w\"""",""active"":true,""platform"":""web""}]","#,
        "\"brand \"\"b\"\"\"\r\n",
    ];
    assert_eq!(rows, expected.concat());
}

#[test]
fn a_row_is_read_as_one_line() {
    let row = |cells: &[&str]| ::csv::StringRecord::from(cells.to_vec());
    let header =
        ["_id", "properties.b\"", "properties", "clients", "aliases", "conversationStarted", "email"];
    let header = CsvHeader::read(&row(&header)).unwrap();
    let line = |cells: &[&str]| header.line(&row(cells)).unwrap();
    assert_eq!(
        line(&["u\"", "1", " {\"a\": 1.50,\r\n\"c\":{}} ", "[\n{\"id\":\"c\"} ]", "[]", " TRUE ", "e"]),
        r#"{"_id":"u\"","clients":[ {"id":"c"} ],"conversationStarted":true,"email":"e","properties":{"b\"":"1","a": 1.50,  "c":{}}}"#
    );
    assert_eq!(line(&["u", "", "{ }", "", "", "", ""]), r#"{"_id":"u","properties":{}}"#);
    assert_eq!(line(&["", "", "", "", "", "", ""]), r#"{"properties":{}}"#);
}
