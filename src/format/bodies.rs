//! Bodies as received, compressed a batch at a time.
//!
//! Most batches of a quiet app hold one body, too short to compress on its own: the dictionary
//! holds what all bodies share. A dictionary can never be dropped, only followed by another.

use std::cell::RefCell;

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

/// The dictionary that new rows are compressed with.
pub const DICTIONARY: i64 = 1;
const TYPICAL: &[u8] = include_bytes!("bodies.dictionary");
const LEVEL: i32 = 1;

/// Bodies that cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[error("bodies: {0}")]
pub struct BodiesError(String);

impl From<std::io::Error> for BodiesError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Packs the bodies of a batch.
pub struct Packer {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
}

impl Packer {
    /// Prepares the dictionary.
    /// Errors: the dictionary cannot be used.
    pub fn new() -> Result<Self, BodiesError> {
        let compressor = Compressor::with_dictionary(LEVEL, TYPICAL)?;
        Ok(Self { compressor, plain: Vec::new() })
    }

    /// Each body behind its length in bytes, a little-endian u32; then the whole compressed.
    /// Errors: a body has over 4 GiB, or there is no memory.
    pub fn pack(&mut self, bodies: &[Bytes]) -> Result<Vec<u8>, BodiesError> {
        self.plain.clear();
        for body in bodies {
            let length =
                u32::try_from(body.len()).map_err(|_| BodiesError("one has over 4 GiB".to_owned()))?;
            self.plain.extend_from_slice(&length.to_le_bytes());
            self.plain.extend_from_slice(body);
        }
        Ok(self.compressor.compress(&self.plain)?)
    }
}

thread_local! {
    /// To prepare one takes longer than to unpack a batch.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn decompress(packed: &[u8], size: usize) -> std::io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|prepared| match prepared {
        Some(prepared) => prepared.decompress(packed, size),
        None => prepared.insert(Decompressor::with_dictionary(TYPICAL)?).decompress(packed, size),
    })
}

/// Unpacks the bodies of a batch.
/// Errors: the bytes are damaged, or packed with a dictionary of a newer program.
pub fn unpack(dictionary: i64, packed: &[u8]) -> Result<Vec<Bytes>, BodiesError> {
    if dictionary != DICTIONARY {
        return Err(BodiesError(format!("compressed with the unknown dictionary {dictionary}")));
    }
    let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| BodiesError("their size is missing".to_owned()))?;
    let plain = Bytes::from(decompress(packed, size)?);
    let mut bodies = Vec::new();
    let mut at = 0;
    while let Some((length, _)) = plain[at..].split_first_chunk::<4>() {
        let from = at + 4;
        at = from + u32::from_le_bytes(*length) as usize;
        if at > plain.len() {
            return Err(BodiesError("they are shorter than they say".to_owned()));
        }
        bodies.push(plain.slice(from..at));
    }
    Ok(bodies)
}
