//! Bodies as received, compressed a batch at a time.
//!
//! Most batches of a quiet app hold one body, too short to compress on its own: the dictionary
//! holds what all bodies share. A dictionary can never be dropped, only followed by another.

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

use super::{Error, Result};

/// The dictionary that new rows are compressed with.
pub(super) const DICTIONARY: i64 = 1;
const TYPICAL: &[u8] = include_bytes!("bodies.dictionary");
const LEVEL: i32 = 1;

/// Packs the bodies of a batch.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> Result<Self> {
        let compressor = Compressor::with_dictionary(LEVEL, TYPICAL).map_err(trouble)?;
        Ok(Self { compressor, plain: Vec::new() })
    }

    /// Each body behind its length in bytes, a little-endian u32; then the whole compressed.
    pub(super) fn pack(&mut self, bodies: &[Bytes]) -> Result<Vec<u8>> {
        self.plain.clear();
        for body in bodies {
            let length =
                u32::try_from(body.len()).map_err(|_| Error::Unavailable("a body over 4 GiB".to_owned()))?;
            self.plain.extend_from_slice(&length.to_le_bytes());
            self.plain.extend_from_slice(body);
        }
        self.compressor.compress(&self.plain).map_err(trouble)
    }
}

/// Unpacks the bodies of a batch.
pub(super) fn unpack(dictionary: i64, packed: &[u8]) -> Result<Vec<Bytes>> {
    if dictionary != DICTIONARY {
        return Err(Error::Damaged(format!("bodies compressed with the unknown dictionary {dictionary}")));
    }
    let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| Error::Damaged("bodies without their size".to_owned()))?;
    let mut decompressor = Decompressor::with_dictionary(TYPICAL).map_err(trouble)?;
    let plain = Bytes::from(decompressor.decompress(packed, size).map_err(trouble)?);
    let mut bodies = Vec::new();
    let mut at = 0;
    while let Some((length, _)) = plain[at..].split_first_chunk::<4>() {
        let from = at + 4;
        at = from + u32::from_le_bytes(*length) as usize;
        if at > plain.len() {
            return Err(Error::Damaged("bodies shorter than they say".to_owned()));
        }
        bodies.push(plain.slice(from..at));
    }
    Ok(bodies)
}

fn trouble(error: std::io::Error) -> Error {
    Error::Damaged(format!("bodies: {error}"))
}
