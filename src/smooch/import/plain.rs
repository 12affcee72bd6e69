//! Plain lines: an app user as GET shows it, or a part of it.
//!
//! They only add. With an `_id` they are assertions of Smooch at `lastSeen`; without one they create the app user of
//! a `userId`, as POST `/appusers` does.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::LocatedValue;
use super::records::field;
use crate::domain::{
    Assertion, Digest, Fact, Field, JsonText, RecordSnapshot, SmoochId, Stamp, StampedAssertions, json_text,
};
use crate::smooch::extract;
use crate::smooch::json::Json;
use crate::smooch::rest::InvalidInput;

pub(super) fn read(line: &LocatedValue<'_, '_>, digest: Digest) -> Result<Vec<Fact>, InvalidInput> {
    let inner = line.get("appUser");
    let at = inner.as_ref().unwrap_or(line);
    let user_id = at.get("userId").map(|at| at.name()).transpose()?;
    let brand = at.get("brandId").map(|at| at.name()).transpose()?;
    let made_for = if at.get("_id").is_some() { None } else { user_id.as_deref() };
    let user = match (at.get("_id"), made_for) {
        (Some(id), _) => SmoochId::from(id.name()?.as_str()),
        (None, Some(user_id)) => derive_id(user_id, brand.as_deref()),
        (None, None) => return Err(at.wrong("lacks _id, or at least userId")),
    };
    let clients = read_clients(at)?;
    if made_for.is_some() && !clients.is_empty() {
        return Err(at.wrong("lacks _id: clients need an app user that Smooch knows"));
    }
    let seen = clients.iter().flat_map(|client| [client.get("lastSeen"), client.get("linkedAt")]);
    let seen = seen.flatten().filter_map(|at| extract::read_time(at.json)).max();
    let time = at.moment("lastSeen")?.or(seen);
    let mut assertions = Vec::new();
    for (field, value) in read_fields(at)? {
        assertions.push(match made_for {
            Some(_) => Assertion::Set(field, Some(value), None),
            None => Assertion::Field(field, Some(value)),
        });
    }
    for client in &clients {
        let (id, value) =
            extract::client(client.json).ok_or_else(|| client.wrong("must be an object with an id"))?;
        if value.is_in_use() {
            assertions.push(Assertion::Claim(id.clone()));
            let others = value
                .other_ids(&id)
                .flat_map(|other| [Assertion::Claim(other.clone()), Assertion::OneClient(id.clone(), other)]);
            assertions.extend(others);
        }
        assertions.push(Assertion::Client(id, Some(value)));
    }
    let stamp = Stamp { time: time.unwrap_or(Stamp::NO_TIME), event: "".into(), digest };
    let stamped = if assertions.is_empty() {
        Vec::new()
    } else {
        vec![StampedAssertions { stamp: Arc::new(stamp), assertions }]
    };
    let known = RecordSnapshot {
        stamped,
        started: at.flag("conversationStarted")?,
        secured: at.flag("credentialRequired")?,
        minted: made_for.is_some(),
        first_seen: at.moment("firstSeen")?.or(time),
        last_seen: time,
        ..RecordSnapshot::bare(user)
    };
    Ok(vec![Fact::Known(known)])
}

/// The `_id` that is made for a `userId`, in a brand or without one: the same whenever, and wherever, it is made.
fn derive_id(user_id: &str, brand: Option<&str>) -> SmoochId {
    let in_brand = brand.map(|brand| format!("\0{brand}")).unwrap_or_default();
    let digest = Sha256::digest(format!("rollcall import\0{user_id}{in_brand}"));
    let hex: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    hex.as_str().into()
}

fn read_clients<'j, 'a>(at: &LocatedValue<'j, 'a>) -> Result<Vec<LocatedValue<'j, 'a>>, InvalidInput> {
    let key = if at.get("clients").is_some() { "clients" } else { "devices" };
    at.items(key)
}

/// The fields that have a value. A null is ignored.
fn read_fields(at: &LocatedValue<'_, '_>) -> Result<Vec<(Field, JsonText)>, InvalidInput> {
    const OTHERWISE: [&str; 11] = [
        "_id",
        "app",
        "clients",
        "devices",
        "properties",
        "metadata",
        "conversationStarted",
        "credentialRequired",
        "firstSeen",
        "lastSeen",
        "aliases",
    ];
    let mut fields = Vec::new();
    for (key, value) in at.object()? {
        if OTHERWISE.contains(&key) || *value.json == Json::Null {
            continue;
        }
        let of = Field::from_csv(key).unwrap_or_else(|| field(key, false));
        if key == "brandId" {
            fields.push((of, json_text(&value.name()?)));
            continue;
        }
        if of.is_tagged() && value.json.str().is_none() {
            return Err(value.wrong("must be a string"));
        }
        if of == Field::SignedUpAt {
            at.moment(key)?;
        }
        fields.extend(extract::value(value.json).map(|value| (of, value)));
    }
    let key = if at.get("properties").is_some() { "properties" } else { "metadata" };
    for (key, value) in at.members(key)? {
        fields.extend(extract::value(value.json).map(|value| (field(key, true), value)));
    }
    Ok(fields)
}
