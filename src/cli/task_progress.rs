//! Shows the progress of long tasks of the store.

use std::sync::Arc;

use super::progress::Progress;
use crate::config::Settings;
use crate::store::sqlite::{FileTask, TaskStage};

/// Runs a long task of the store and shows its progress.
///
/// # Errors
/// The progress cannot be shown.
pub(super) fn watched<T>(
    settings: &Settings,
    work: impl FnOnce(&mut FileTask<'_>) -> T,
) -> anyhow::Result<T> {
    let (mut progress, mut now) = (Progress::new(|| None, word(TaskStage::Copying))?, None);
    let mut told = |stage, done, of| {
        if now.replace(stage) != Some(stage) {
            // The bar could be drawn before.
            _ = progress.begin(word(stage), of);
        }
        progress.reach(done);
    };
    let wal_limit = settings.store.wal_limit;
    let ended = work(&mut FileTask { progress: &mut told, stop: Arc::default(), wal_limit });
    progress.finish();
    Ok(ended)
}

fn word(stage: TaskStage) -> &'static str {
    match stage {
        TaskStage::Copying => "pages copied",
        TaskStage::Checking => "steps of checking every page",
        TaskStage::Summing => "app users read",
        TaskStage::Comparing => "rows of derived tables compared",
    }
}
