//! Everything that is stored, as bytes. A reordered, inserted or dropped member of a stored enum or struct fails here.
//! A line of `golden.txt` is a name and the bytes, as text where they are JSON, else in hex. Lines are only added.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::directory::list_page::ListCursor;
use crate::domain::command::{CommandOutcome, Refusal};
use crate::domain::list::{ClientFilter, Filter, Query, Sort, TimeRange};
use crate::domain::{
    AppVersion, Assertion, CallMade, Claim, Client, ClientId, Edge, Event, Fact, Field, JsonText, Mention,
    Mentions, Observation, Override, Part, Reason, Record, RecordSnapshot, Register, Stamp,
    StampedAssertions, View, entry_body,
};
use crate::format::{bodies, record};
use crate::store::ErasureCounts;

const GOLDEN: &str = include_str!("golden.txt");

fn stamp(time: i64) -> Arc<Stamp> {
    Arc::new(Stamp { time, event: "e".into(), digest: [7; 16] })
}

fn text(text: &str) -> Option<JsonText> {
    Some(text.into())
}

/// Every kind of field, by the name that it is exported with.
fn fields() -> Vec<Field> {
    let names = "userId givenName surname email signedUpAt displayName pendingClients profile.avatarUrl profile.locale \
                 profile.other v1Member v2.authenticated v2.brandId v2.identities v2.other v2.toBeRetained v2.zendeskId";
    names.split(' ').map(Field::from_name).chain([Field::Property("k".into())]).collect()
}

const REASONS: [Reason; 4] = [Reason::Webhook, Reason::Api, Reason::Init, Reason::SameUserId];

/// A record with something in every place.
fn full() -> Record {
    let register = |time: i64, value: Option<JsonText>| Register { stamp: stamp(time), value };
    let mut full = Record {
        started: true,
        secured: true,
        minted: true,
        removed: true,
        erased: true,
        first_seen: Some(7),
        last_seen: Some(-9),
        head: Some(300),
        ..Record::default()
    };
    for (n, field) in fields().into_iter().enumerate() {
        full.smooch.fields.insert(field.clone(), register(n as i64, text(&n.to_string())));
        let set = Override { value: text("1"), basis: None };
        full.overrides.insert(field, Register { stamp: stamp(2), value: set });
    }
    for part in [Part::Properties, Part::Clients] {
        full.smooch.complete_since.insert(part, stamp(3));
    }
    let said = [None, Some(false), Some(true)];
    let said = said.map(|active| Register { stamp: stamp(4), value: Mention { active, rest: "{}".into() } });
    full.smooch.clients.insert("c".into(), Mentions::from_stored(said.to_vec(), Some(stamp(5))));
    full.devices.insert("d".into(), Register { stamp: stamp(6), value: client() });
    full.claims.insert("c".into(), Claim { stamp: stamp(7), with: Some("c".into()), shared: true });
    for (reason, into) in REASONS.into_iter().zip(["r", "s", "t", "u"]) {
        full.into.insert(into.into(), Register { stamp: stamp(8), value: Edge { joined: true, reason } });
    }
    full.from.insert("f".into());
    full.recent.note(&stamp(9), 10);
    full
}

fn client() -> Client {
    Client { active: true, rest: "{\"platform\":\"ios\"}".into() }
}

fn view() -> View {
    View {
        id: "u".into(),
        aliases: vec!["a".into()],
        fields: fields().into_iter().map(|field| (field, "1".into())).collect(),
        clients: BTreeMap::from([(ClientId::from("c"), client())]),
        started: true,
        secured: false,
        first_seen: Some(1),
        last_seen: Some(2),
    }
}

fn answers() -> Vec<Result<CommandOutcome, Refusal>> {
    let done = CommandOutcome { user: Some(view()), other: None, created: true };
    let refusals = [
        Refusal::NoUser,
        Refusal::NoClient,
        Refusal::NoMember,
        Refusal::Taken("t".into()),
        Refusal::Secured,
        Refusal::NotYours,
        Refusal::Stale,
        Refusal::TooManyProperties,
        Refusal::TooManyMembers,
        Refusal::SameUser,
        Refusal::SeveralBrands(vec![None, Some("b".to_owned())]),
        Refusal::SeveralUsers,
        Refusal::Unchangeable("id".to_owned()),
        Refusal::SeveralCarriers,
        Refusal::NamesErased,
        Refusal::BrandByToken,
        Refusal::BrandByUser,
    ];
    std::iter::once(Ok(done)).chain(refusals.map(Err)).collect()
}

fn facts() -> Vec<Fact> {
    let (user, client_id) = (|| "u".into(), || ClientId::from("c"));
    let mention = Mention { active: Some(true), rest: "{}".into() };
    let words = vec![
        Assertion::Field(Field::Email, text("\"e\"")),
        Assertion::Client(client_id(), Some(mention.clone())),
        Assertion::Complete(Part::Clients),
        Assertion::Set(Field::UserId, text("1"), None),
        Assertion::Device(client_id(), client()),
        Assertion::Claim(client_id()),
        Assertion::OneClient(client_id(), "d".into()),
    ];
    let known = RecordSnapshot {
        stamped: vec![StampedAssertions { stamp: stamp(1), assertions: words }],
        not_merged_with: vec!["x".into()],
        ..RecordSnapshot::bare(user())
    };
    let seen = Observation {
        fields: fields().into_iter().map(|field| (field, None)).collect(),
        clients: vec![(client_id(), mention.clone())],
        complete: vec![Part::Properties, Part::Clients],
        ..Observation::bare(user())
    };
    let pair = || ("s".into(), "d".into());
    let (surviving, discarded) = pair();
    let merges = REASONS.map(|reason| {
        let (surviving, discarded) = pair();
        Fact::Merged { surviving, discarded, reason }
    });
    let linked = |(surviving, discarded)| Fact::Linked {
        surviving,
        discarded,
        stamp: stamp(2),
        joined: true,
        reason: Reason::Api,
    };
    let mut facts = vec![
        Fact::Seen(seen),
        Fact::Minted { user: user() },
        Fact::Secured { user: user() },
        Fact::Tracked { user: user(), name: "\"n\"".into() },
        Fact::ClientSet { user: user(), client: client_id(), value: client() },
        Fact::Set { user: user(), fields: vec![(Field::Surname, text("1"), None)] },
        Fact::Unmerged { surviving, discarded },
        Fact::ClientChanged { user: user(), client: client_id(), value: Some(mention) },
        Fact::ClientBound { user: user(), client: client_id(), also: vec!["d".into()] },
        Fact::Removed { user: user() },
        Fact::Erased { user: user() },
        Fact::Known(known),
        linked(pair()),
    ];
    facts.extend(merges);
    facts
}

fn queries() -> Vec<Query> {
    let span = TimeRange { since: Some(1), before: None };
    let client = ClientFilter {
        platform: text("p").map(|text| text.to_string()),
        version: Some("1".to_owned()),
        version_since: AppVersion::read("1.2-a.3"),
        version_before: None,
    };
    let filter = Filter {
        q: Some("q".to_owned()),
        user_id: Some("u".to_owned()),
        email: Some("e".to_owned()),
        seen: span,
        client,
        ..Filter::default()
    };
    let query = |sort| Query { filter: filter.clone(), sort, descending: true };
    [Sort::Id, Sort::LastSeen, Sort::SignedUp].map(query).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn packed(value: &impl Serialize) -> String {
    hex(&postcard::to_stdvec(value).unwrap())
}

/// The value of a line of `golden.txt`.
fn golden(name: &str) -> &'static str {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("golden.txt has no {name}"))
}

fn unpacked<T: DeserializeOwned>(name: &str) -> T {
    postcard::from_bytes(&unhex(golden(name))).unwrap()
}

#[test]
fn stored_bytes_are_written_as_before() {
    let mut lines = vec![("record".to_owned(), hex(&record::encode(&full()).unwrap()))];
    lines.push(("view".to_owned(), packed(&view())));
    lines.extend(answers().iter().enumerate().map(|(n, answer)| (format!("answer.{n}"), packed(answer))));
    lines.extend(queries().iter().enumerate().map(|(n, query)| (format!("query.{n}"), packed(query))));
    let event = Event { trigger: "api:init".into(), stamp: stamp(1), facts: facts() };
    let call = CallMade {
        method: "POST".to_owned(),
        path: Some("/v1/init".to_owned()),
        key: Some("k".to_owned()),
        scope: "app".to_owned(),
        operator: None,
        user_id: Some("u".to_owned()),
        body: Some("{}".to_owned()),
        erased: true,
    };
    lines.push(("event".to_owned(), String::from_utf8(entry_body(&event, Some(&call)).unwrap()).unwrap()));
    lines.push(("erased".to_owned(), serde_json::to_string(&ErasureCounts::default()).unwrap()));
    let written = lines.iter().fold(String::new(), |mut all, (name, value)| {
        _ = writeln!(all, "{name} {value}");
        all
    });
    let differing = lines.iter().filter(|(name, value)| {
        !GOLDEN.lines().any(|line| line.strip_prefix(&**name).is_some_and(|rest| rest[1..] == **value))
    });
    let differing: Vec<&str> = differing.map(|(name, _)| &**name).collect();
    assert!(differing.is_empty(), "{differing:?} is written otherwise:\n{written}");
}

#[test]
fn stored_bytes_of_before_are_read() {
    assert_eq!(record::decode(&unhex(golden("record"))).unwrap(), full());
    assert_eq!(unpacked::<View>("view"), view());
    for (n, answer) in answers().into_iter().enumerate() {
        assert_eq!(unpacked::<Result<CommandOutcome, Refusal>>(&format!("answer.{n}")), answer);
    }
    let event: Event = serde_json::from_str(golden("event")).unwrap();
    assert_eq!(event.facts, facts());
    assert!(CallMade::of(golden("event").as_bytes()).is_some());
    let place: ListCursor = unpacked("cursor");
    assert_eq!(packed(&place), golden("cursor"));
}

#[test]
fn packed_bodies_are_read() {
    let unpacked = bodies::unpack(bodies::DICTIONARY, &unhex(golden("bodies"))).unwrap();
    assert_eq!(unpacked, [Bytes::from_static(b"{\"trigger\":\"message\"}"), Bytes::from_static(b"{}")]);
    let again = bodies::Packer::new().unwrap().pack(&unpacked).unwrap();
    assert_eq!(bodies::unpack(bodies::DICTIONARY, &again).unwrap(), unpacked);
    let number = &unhex(golden("bodies"))[..4];
    assert_eq!(number, &again[..4], "the head of a frame");
}
