//! Generates `_id`s in the format of Smooch's own.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::now_seconds;
use crate::domain::SmoochId;

/// 24 lower-case hex digits: the second, five random bytes of this process, a counter.
pub(super) fn generate_id() -> SmoochId {
    static PROCESS: LazyLock<[u8; 9]> = LazyLock::new(|| {
        let mut random = [0; 9];
        getrandom::fill(&mut random).expect("the system gives random bytes");
        random
    });
    static COUNTER: LazyLock<AtomicU32> = LazyLock::new(|| {
        let start: [u8; 4] = std::array::from_fn(|n| PROCESS[5 + n]);
        AtomicU32::new(u32::from_le_bytes(start))
    });
    let second = u32::try_from(now_seconds()).unwrap_or(u32::MAX);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
    let process: String = PROCESS[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    SmoochId::from(format!("{second:08x}{process}{count:06x}").as_str())
}
