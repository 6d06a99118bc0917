//! Whether a freshly read directory may replace the last good copy.
//!
//! A feed that answers with nothing, or with much less than before, is more often broken than true: people would be
//! told "no service" by a fault. The old copy stays until somebody has looked.

use serde::Serialize;

/// What to do with a complete reading of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum SyncVerdict {
    /// The new copy is good.
    Replace,
    /// The last good copy stays, and this is why.
    Keep(String),
}

/// Compares how many services there were with how many there are now: none, or fewer than half, keeps the old copy.
pub fn sync_verdict(old_count: usize, new_count: usize) -> SyncVerdict {
    if new_count == 0 {
        SyncVerdict::Keep("The feed holds no service that can be read.".to_owned())
    } else if new_count * 2 < old_count {
        SyncVerdict::Keep(format!("The feed holds {new_count} services where there were {old_count}: fewer than half."))
    } else {
        SyncVerdict::Replace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangely_empty_feed_keeps_the_last_good_copy() {
        for (old, new, replace) in [(0, 0, false), (300, 0, false), (300, 149, false), (300, 150, true), (0, 1, true)] {
            assert_eq!(sync_verdict(old, new) == SyncVerdict::Replace, replace, "{old} to {new}");
        }
    }
}
