use super::*;
use crate::domain::{Mention, Mentions, snapshot_facts};

fn stamp(time: i64, event: &str, digest: u8) -> Arc<Stamp> {
    Arc::new(Stamp { time, event: event.into(), digest: [digest; 16] })
}

fn said(time: i64, active: Option<bool>, rest: &str) -> Register<Mention> {
    Register { stamp: stamp(time, "", 1), value: Mention { active, rest: rest.into() } }
}

/// A record with something in every place.
fn full() -> Record {
    let one = stamp(1_500_000_000_000_000, "e", 1);
    let text = |text: &str| -> Option<JsonText> { Some(text.into()) };
    let mut record = Record {
        started: true,
        minted: true,
        first_seen: Some(7),
        last_seen: Some(9),
        head: Some(3),
        ..Record::default()
    };
    let field = |value| Register { stamp: one.clone(), value };
    record.smooch.fields.insert(Field::UserId, field(text("\"bob\"")));
    record.smooch.fields.insert(Field::Property("p".into()), field(None));
    record.smooch.complete_since.insert(Part::Clients, one.clone());
    let whole = Mention { active: Some(true), rest: "{\"a\":1}".into() };
    let of_c = Mentions::from_stored(vec![Register { stamp: one.clone(), value: whole }], None);
    record.smooch.clients.insert("c".into(), of_c);
    record.smooch.clients.insert("d".into(), Mentions::from_stored(Vec::new(), Some(one.clone())));
    let set = Override { value: text("2"), basis: None };
    record.overrides.insert(Field::Email, Register { stamp: one.clone(), value: set });
    let device = Client { active: false, rest: "{}".into() };
    record.devices.insert("e".into(), Register { stamp: one.clone(), value: device });
    record.claims.insert("c".into(), Claim { stamp: one.clone(), with: None, shared: true });
    let edge = Edge { joined: true, reason: Reason::Init };
    record.into.insert("y".into(), Register { stamp: stamp(Stamp::NO_TIME, "", 2), value: edge });
    record.from.insert("z".into());
    record.recent.note(&one, 5);
    record
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect()
}

/// As the layout before was written.
const WHOLE: &str = "\
    01028080cef2be8faa0501651001010101010101010101010101010101ffffffffffffffffff01001002020202020202\
    020202020202020202020000010522626f62220601700000020163000101077b2261223a317d01640000010100010300\
    010132000101650000027b7d010163000101017901010201017a09010e01120103011001010101010101010101010101\
    0101018080cef2be8faa0505e0c5b0800e00";
/// As it is written now.
const NOW: &str = "\
    02028080cef2be8faa0501651001010101010101010101010101010101ffffffffffffffffff01001002020202020202\
    020202020202020202020000010522626f622206017000000201630002077b2261223a317d0164000300010100010300\
    010132000101650000027b7d010163000101017901010201017a09010e01120103011001010101010101010101010101\
    0101018080cef2be8faa0505e0c5b0800e00";

#[test]
fn a_record_is_written_so_and_read_again() {
    assert_eq!(hex(&encode(&full()).unwrap()), NOW);
    assert_eq!(decode(&bytes(NOW)).unwrap(), full());
}

#[test]
fn a_record_of_the_layout_before_is_read() {
    assert_eq!(decode(&bytes(WHOLE)).unwrap(), full());
}

/// Somebody whom a program of that layout stored: with a client, and one that was removed.
const STORED: &str = "\
    01028080f5dba3bfa2050010ab62301843430ca15572a389c28a4dd98084a4bba4bfa20500101bb005e135115a34a836\
    86f729915679020000010522626f62220601700001013102016b000101257b2261707056657273696f6e223a22322e31\
    222c22706c6174666f726d223a22696f73227d016c01000200000100000001016b0000000001018080f5dba3bfa20501\
    8084a4bba4bfa20501020210ab62301843430ca15572a389c28a4dd98080f5dba3bfa205cdbfafd80600101bb005e135\
    115a34a83686f7299156798084a4bba4bfa205cdbfafd8060000";

#[test]
fn a_record_that_an_earlier_program_stored_is_read() {
    let record = decode(&bytes(STORED)).unwrap();
    let clients: Vec<_> = record.smooch.clients.iter().map(|(id, client)| (id.as_str(), client)).collect();
    let [("k", k), ("l", l)] = clients[..] else { panic!("{clients:?}") };
    let said: Vec<_> = k.iter().map(|said| (said.value.active, &*said.value.rest)).collect();
    assert_eq!(said, [(Some(true), r#"{"appVersion":"2.1","platform":"ios"}"#)]);
    assert_eq!((k.removed(), l.iter().count()), (None, 0));
    assert_eq!(l.removed().map(|stamp| stamp.time), Some(1_483_228_900_000_000));
    assert_eq!(record.user_ids().into_iter().map(|text| &**text).collect::<Vec<_>>(), ["\"bob\""]);
    assert_eq!(decode(&encode(&record).unwrap()).unwrap(), record);
}

#[test]
fn every_mention_of_a_client_is_stored() {
    let words =
        vec![said(9, None, "{\"lastSeen\":9}"), said(8, Some(false), "{\"a\":8}"), said(7, Some(true), "{}")];
    for (words, removed) in
        [(words.clone(), None), (words.clone(), Some(stamp(6, "", 1))), (Vec::new(), Some(stamp(6, "", 1)))]
    {
        let mut record = full();
        record.smooch.clients.insert("k".into(), Mentions::from_stored(words, removed));
        let again = decode(&encode(&record).unwrap()).unwrap();
        assert_eq!(again, record);
        assert_eq!(
            snapshot_facts(&"x".into(), &again, Vec::new()),
            snapshot_facts(&"x".into(), &record, Vec::new())
        );
    }
}

#[test]
fn an_invalid_record_is_refused() {
    for text in ["", "00", "03", "02", "02ff", "01", "63"] {
        assert!(decode(&bytes(text)).is_err(), "{text}");
    }
}
