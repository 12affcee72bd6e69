//! Finds the bytes that a JSON string must escape.

/// The bytes that a string must escape: control characters, quote and backslash.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        special[control] = true;
        control += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

/// The position of the first such byte.
pub(super) fn find_special(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| SPECIAL[usize::from(*byte)])
}
