//! Lines of an export.

use std::str::FromStr;
use std::sync::Arc;

use super::LocatedValue;
use crate::domain::{
    Assertion, Client, ClientId, Fact, Field, Mention, RecordSnapshot, SmoochId, Stamp, StampedAssertions,
    UnknownName,
};
use crate::smooch::extract;
use crate::smooch::json::Json;
use crate::smooch::rest::InvalidInput;

/// The facts in `records`. `appUser` beside it is ignored.
pub(super) fn read(line: &LocatedValue<'_, '_>) -> Result<Vec<Fact>, InvalidInput> {
    line.only(&["rollcall", "app", "appUser", "records"])?;
    line.need("app")?;
    line.need("records")?;
    let mut facts = Vec::new();
    for record in line.items("records")? {
        read_record(&record, &mut facts)?;
    }
    if facts.is_empty() { Err(line.wrong("has no records")) } else { Ok(facts) }
}

fn read_record(at: &LocatedValue<'_, '_>, facts: &mut Vec<Fact>) -> Result<(), InvalidInput> {
    at.only(&[
        "_id",
        "removed",
        "erased",
        "minted",
        "credentialRequired",
        "conversationStarted",
        "firstSeen",
        "lastSeen",
        "said",
        "apart",
        "merges",
    ])?;
    let user = SmoochId::from(at.need("_id")?.name()?.as_str());
    let apart = at.items("apart")?;
    let (removed, erased) = (at.flag("removed")?, at.flag("erased")?);
    let left = ["said", "firstSeen", "lastSeen", "apart"].into_iter().find(|key| at.get(key).is_some());
    if let Some(left) = left.filter(|_| removed || erased) {
        return Err(at.wrong(&format!("is of a removed app user, so it cannot have {left}")));
    }
    facts.push(Fact::Known(RecordSnapshot {
        user: user.clone(),
        stamped: at.items("said")?.iter().map(read_assertions).collect::<Result<_, _>>()?,
        not_merged_with: apart
            .iter()
            .map(|id| Ok(id.name()?.as_str().into()))
            .collect::<Result<_, InvalidInput>>()?,
        started: at.flag("conversationStarted")?,
        secured: at.flag("credentialRequired")?,
        minted: at.flag("minted")?,
        removed: removed || erased,
        erased,
        first_seen: at.moment("firstSeen")?,
        last_seen: at.moment("lastSeen")?,
    }));
    for merge in at.items("merges")? {
        merge.only(&["into", "time", "event", "digest", "reason", "undone"])?;
        let surviving = SmoochId::from(merge.need("into")?.name()?.as_str());
        let reason = one_of(&merge.need("reason")?)?;
        let (stamp, joined) = (read_stamp(&merge)?, !merge.flag("undone")?);
        facts.push(Fact::Linked { surviving, discarded: user.clone(), stamp, joined, reason });
    }
    Ok(())
}

fn read_assertions(at: &LocatedValue<'_, '_>) -> Result<StampedAssertions, InvalidInput> {
    at.only(&[
        "time",
        "event",
        "digest",
        "fields",
        "properties",
        "set",
        "setProperties",
        "clients",
        "removed",
        "devices",
        "active",
        "oneClient",
        "complete",
    ])?;
    let mut assertions = Vec::new();
    for part in at.items("complete")? {
        assertions.push(Assertion::Complete(one_of(&part)?));
    }
    for (key, property) in [("fields", false), ("properties", true)] {
        for (name, at) in at.members(key)? {
            let field = field(name, property);
            let value = at.field(&field, at.json)?;
            assertions.push(Assertion::Field(field, value));
        }
    }
    for (id, at) in at.members("clients")? {
        let value = if *at.json == Json::Null { None } else { Some(read_mention(&at)?) };
        assertions.push(Assertion::Client(id.into(), value));
    }
    for at in at.items("removed")? {
        assertions.push(Assertion::Client(at.name()?.as_str().into(), None));
    }
    for (key, property) in [("set", false), ("setProperties", true)] {
        for (name, at) in at.members(key)? {
            let Json::Array(pair) = at.json else { return Err(at.wrong("must be an array")) };
            let [value, basis] = pair.as_slice() else {
                return Err(at.wrong("must be the value and Smooch's value when it was set"));
            };
            let field = field(name, property);
            let (value, basis) = (at.field(&field, value)?, at.field(&field, basis)?);
            assertions.push(Assertion::Set(field, value, basis));
        }
    }
    for (id, at) in at.members("devices")? {
        assertions.push(Assertion::Device(id.into(), read_client(&at)?));
    }
    for at in at.items("active")? {
        assertions.push(Assertion::Claim(at.name()?.as_str().into()));
    }
    for at in at.items("oneClient")? {
        let Json::Array(pair) = at.json else { return Err(at.wrong("must be an array")) };
        let [Some(one), Some(other)] = [0, 1].map(|n| pair.get(n).and_then(extract::name)) else {
            return Err(at.wrong("must be two ids of one client"));
        };
        let ids = [one, other].map(|id| ClientId::from(&*id));
        assertions.extend(ids.iter().cloned().map(Assertion::Claim));
        let [one, other] = ids;
        assertions.push(Assertion::OneClient(one, other));
    }
    Ok(StampedAssertions { stamp: read_stamp(at)?, assertions })
}

/// A field by the name that answers use.
pub(super) fn field(name: &str, property: bool) -> Field {
    if property { Field::Property(name.into()) } else { Field::from_name(name) }
}

/// The whole of a client, without its id.
fn read_client(at: &LocatedValue<'_, '_>) -> Result<Client, InvalidInput> {
    let Mention { active, rest } = read_mention(at)?;
    Ok(Client { active: active == Some(true), rest })
}

/// The members of a client without its id.
fn read_mention(at: &LocatedValue<'_, '_>) -> Result<Mention, InvalidInput> {
    let active = at.get("active").map(|_| at.flag("active")).transpose()?;
    let Json::Object(members) = at.json else { return Err(at.wrong("must be an object")) };
    let rest = members.iter().map(|(key, value)| (&**key, value)).filter(|(key, _)| *key != "active");
    Ok(Mention { active, rest: extract::object(rest) })
}

fn read_stamp(at: &LocatedValue<'_, '_>) -> Result<Arc<Stamp>, InvalidInput> {
    let time = at.moment("time")?.unwrap_or(Stamp::NO_TIME);
    let event = at.get("event").map(|event| event.name()).transpose()?.unwrap_or_default();
    let hex = at.need("digest")?;
    let digest = hex.json.str().filter(|hex| hex.len() == 32 && hex.is_ascii());
    let byte = |n: usize| u8::from_str_radix(digest?.get(2 * n..2 * n + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..16).map(byte).collect();
    let digest = bytes.and_then(|bytes| bytes.try_into().ok());
    let digest = digest.ok_or_else(|| hex.wrong("must be 32 hexadecimal digits"))?;
    Ok(Arc::new(Stamp { time, event: event.as_str().into(), digest }))
}

fn one_of<T: FromStr<Err = UnknownName>>(at: &LocatedValue<'_, '_>) -> Result<T, InvalidInput> {
    at.json.str().unwrap_or_default().parse().map_err(|unknown: UnknownName| at.wrong(&unknown.to_string()))
}
