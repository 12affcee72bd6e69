//! Traces of the person in the files of a database: in plain bytes, and in compressed frames.

use rollcall::directory::open_reader;
use zstd::dict::DecoderDictionary;

use super::CANARY;
use crate::support::{Home, journal};

const DICTIONARY: &[u8] = include_bytes!("../../../src/format/bodies.dictionary");
/// The start of every compressed frame.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The places where traces were found.
pub struct Traces(Vec<String>);

impl Traces {
    pub fn of(home: &Home) -> Self {
        let mut found = Vec::new();
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let path = home.path().join(format!("rollcall.db{suffix}"));
            let Ok(bytes) = std::fs::read(&path) else { continue };
            found.extend(places(&bytes).map(|at| format!("rollcall.db{suffix} at {at}")));
            found.extend(frames(&bytes).map(|at| format!("compressed in rollcall.db{suffix} at {at}")));
        }
        let reader = open_reader(&home.database()).unwrap();
        for (entry, body) in journal(&reader, 0, 100_000) {
            found.extend(places(&body).map(|_| format!("the body of journal entry {}", entry.seq)));
        }
        Self(found)
    }

    pub fn found(&self) -> usize {
        self.0.len()
    }

    pub fn nothing_in(&self, what: &str) {
        assert!(self.0.is_empty(), "{what}: {:#?}", self.0);
    }
}

fn places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let canary = CANARY.as_bytes();
    bytes.windows(canary.len()).enumerate().filter(move |(_, window)| *window == canary).map(|(at, _)| at)
}

/// Frames, whole or broken off, in which there is a trace: also those of which only a page is left.
fn frames(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let dictionary = DecoderDictionary::copy(DICTIONARY);
    let starts = bytes.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
    starts.map(|(at, _)| at).filter(move |at| {
        let decoder = zstd::Decoder::with_prepared_dictionary(&bytes[*at..], &dictionary);
        let (mut decoder, mut plain) = (decoder.unwrap().single_frame(), Vec::new());
        let mut piece = [0; 512];
        // As far as it can be read.
        while let Ok(read @ 1..) = std::io::Read::read(&mut decoder, &mut piece) {
            plain.extend_from_slice(&piece[..read]);
        }
        places(&plain).next().is_some()
    })
}
