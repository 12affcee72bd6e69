//! A record as bytes. Stamps are written once and pointed at, since one event says many things.

mod clients;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    BEFORE_ALL, Claim, Client, ClientId, Edge, Field, JsonText, Override, Part, Reason, Recent, Record,
    Register, SmoochId, SmoochState, Stamp,
};
pub use clients::Unreadable;
use clients::{At, Stamped};

/// The first byte of every record: the layout of the rest. Whatever was written once can be read.
const LAYOUT: u8 = 2;
/// Clients were one word each, the last one.
const WHOLE_CLIENTS: u8 = 1;

const STARTED: u8 = 1;
const SECURED: u8 = 2;
const DEAD: u8 = 4;
const MINTED: u8 = 8;
const ERASED: u8 = 16;

/// The layout. `At` is a place in `stamps`; `C` is what is said of a client.
#[derive(Serialize, Deserialize)]
struct Row<C> {
    stamps: Vec<Arc<Stamp>>,
    fields: Vec<(Field, At, Option<JsonText>)>,
    clients: Vec<C>,
    floors: Vec<(Part, At)>,
    ours: Vec<(Field, At, Option<JsonText>, Option<JsonText>)>,
    devices: Vec<(ClientId, At, Client)>,
    claims: Vec<(ClientId, At, Standing)>,
    into: Vec<(SmoochId, At, bool, Reason)>,
    from: BTreeSet<SmoochId>,
    flags: u8,
    first_seen: Option<i64>,
    last_seen: Option<i64>,
    head: Option<u64>,
    recent: Recent,
}

/// The lowest bit is whether another record claims the client too; the next whether the claim is before all stamps, and
/// so has no place among those. The rest is nothing, or the place, from 1 on, of the claim under the first of the
/// client's ids. Once this was a boolean, which is written alike.
type Standing = u32;

struct Stamps(Vec<Arc<Stamp>>);

impl Stamps {
    fn at(&mut self, stamp: &Arc<Stamp>) -> At {
        let at = self.0.iter().position(|known| Arc::ptr_eq(known, stamp) || known == stamp);
        let at = at.unwrap_or_else(|| {
            self.0.push(stamp.clone());
            self.0.len() - 1
        });
        at as At
    }
}

/// Writes a record.
/// Errors: it is too large to be written.
pub fn encode(record: &Record) -> Result<Vec<u8>, Unreadable> {
    let mut stamps = Stamps(Vec::with_capacity(4));
    // A new member is named here, or this does not compile.
    let Record {
        smooch,
        overrides,
        devices,
        claims,
        started,
        secured,
        minted,
        first_seen,
        last_seen,
        into,
        from,
        removed,
        erased,
        head,
        recent,
    } = record;
    let flag = |set: &bool, flag: u8| if *set { flag } else { 0 };
    let row = Row {
        fields: entries(&smooch.fields, |key, said| (key, stamps.at(&said.stamp), said.value.clone())),
        clients: clients::rows(&smooch.clients, |stamp| stamps.at(stamp)),
        floors: smooch.complete_since.iter().map(|(part, stamp)| (*part, stamps.at(stamp))).collect(),
        ours: entries(overrides, |key, set| {
            (key, stamps.at(&set.stamp), set.value.value.clone(), set.value.basis.clone())
        }),
        devices: entries(devices, |key, set| (key, stamps.at(&set.stamp), set.value.clone())),
        claims: entries(claims, |key, claim| {
            let place = claim.with.as_ref().and_then(|with| claims.keys().position(|id| id == with));
            let place = place.map_or(0, |place| place as Standing + 1);
            let is_first = claim.stamp == *BEFORE_ALL;
            let at = if is_first { 0 } else { stamps.at(&claim.stamp) };
            (key, at, place << 2 | Standing::from(is_first) << 1 | Standing::from(claim.shared))
        }),
        into: entries(into, |key, edge| (key, stamps.at(&edge.stamp), edge.value.joined, edge.value.reason)),
        from: from.clone(),
        flags: flag(started, STARTED)
            | flag(secured, SECURED)
            | flag(removed, DEAD)
            | flag(minted, MINTED)
            | flag(erased, ERASED),
        first_seen: *first_seen,
        last_seen: *last_seen,
        head: *head,
        recent: recent.clone(),
        stamps: stamps.0,
    };
    postcard::to_extend(&row, vec![LAYOUT]).map_err(|error| Unreadable(error.to_string()))
}

fn entries<K: Clone, V, R>(map: &BTreeMap<K, V>, mut row: impl FnMut(K, &V) -> R) -> Vec<R> {
    map.iter().map(|(key, value)| row(key.clone(), value)).collect()
}

/// Reads a record, of this layout or an older one.
/// Errors: the bytes are damaged, or of a newer program.
pub fn decode(bytes: &[u8]) -> Result<Record, Unreadable> {
    match bytes.split_first() {
        Some((&LAYOUT, bytes)) => record(read(bytes)?, clients::of_rows),
        Some((&WHOLE_CLIENTS, bytes)) => record(read(bytes)?, clients::of_whole),
        _ => Err(Unreadable("unknown layout".to_owned())),
    }
}

fn read<'b, C: Deserialize<'b>>(bytes: &'b [u8]) -> Result<Row<C>, Unreadable> {
    postcard::from_bytes(bytes).map_err(|error| Unreadable(error.to_string()))
}

fn record<C>(
    row: Row<C>,
    clients: impl FnOnce(Vec<C>, Stamped<'_>) -> Result<clients::Clients, Unreadable>,
) -> Result<Record, Unreadable> {
    let stamps = row.stamps;
    let stamp =
        |at: At| stamps.get(at as usize).cloned().ok_or_else(|| Unreadable("a stamp is missing".to_owned()));
    fn collect<R, K: Ord, V>(
        rows: Vec<R>,
        entry: impl Fn(R) -> Result<(K, V), Unreadable>,
    ) -> Result<BTreeMap<K, V>, Unreadable> {
        rows.into_iter().map(entry).collect()
    }
    let smooch = SmoochState {
        fields: collect(row.fields, |(key, at, value)| Ok((key, Register { stamp: stamp(at)?, value })))?,
        clients: clients(row.clients, &stamp)?,
        complete_since: collect(row.floors, |(part, at)| Ok((part, stamp(at)?)))?,
    };
    Ok(Record {
        smooch,
        overrides: collect(row.ours, |(key, at, value, basis)| {
            Ok((key, Register { stamp: stamp(at)?, value: Override { value, basis } }))
        })?,
        devices: collect(row.devices, |(key, at, value)| Ok((key, Register { stamp: stamp(at)?, value })))?,
        claims: claims(row.claims, &stamp)?,
        into: collect(row.into, |(key, at, joined, reason)| {
            Ok((key, Register { stamp: stamp(at)?, value: Edge { joined, reason } }))
        })?,
        from: row.from,
        started: row.flags & STARTED != 0,
        secured: row.flags & SECURED != 0,
        minted: row.flags & MINTED != 0,
        removed: row.flags & DEAD != 0,
        erased: row.flags & ERASED != 0,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        head: row.head,
        recent: row.recent,
    })
}

fn claims(
    rows: Vec<(ClientId, At, Standing)>,
    stamp: Stamped<'_>,
) -> Result<BTreeMap<ClientId, Claim>, Unreadable> {
    let with = |standing: Standing| match standing >> 2 {
        0 => Ok(None),
        place => match rows.get(place as usize - 1) {
            Some((id, ..)) => Ok(Some(id.clone())),
            None => Err(Unreadable("an id of a client is missing".to_owned())),
        },
    };
    let claim = |(id, at, standing): &(ClientId, At, Standing)| {
        let stamp = if standing & 2 == 0 { stamp(*at)? } else { BEFORE_ALL.clone() };
        Ok((id.clone(), Claim { stamp, with: with(*standing)?, shared: standing & 1 == 1 }))
    };
    rows.iter().map(claim).collect()
}
