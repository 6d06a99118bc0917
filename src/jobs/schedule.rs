//! When an effect is tried again, and after how long a person is told: data, not code.
//!
//! Every effect has a horizon. Nothing is given up silently, nothing is retried for ever unseen.

use std::time::Duration;

/// A retry schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Wait before each further attempt; the last one repeats.
    pub waits: &'static [Duration],
    /// After so long since it was asked for, it is given up and a person is told.
    pub horizon: Duration,
}

impl Schedule {
    /// How long to wait after attempt number `attempt` (from 1) failed.
    pub fn wait(&self, attempt: i32) -> Duration {
        let index = usize::try_from(attempt.max(1) - 1).unwrap_or(0);
        self.waits.get(index).or(self.waits.last()).copied().unwrap_or(Duration::from_mins(1))
    }
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn mins(n: u64) -> Duration {
    Duration::from_mins(n)
}

/// Mail to a partner: quickly at first (greylisting passes after minutes), then patiently for two days.
pub const MAIL: Schedule = Schedule {
    waits: &[secs(10), mins(1), mins(5), mins(15), mins(30), mins(60), mins(120), mins(240)],
    horizon: Duration::from_hours(48),
};

/// Mail to the duty address: never slower than five minutes, for a day.
pub const ALERT: Schedule =
    Schedule { waits: &[secs(5), secs(30), mins(1), mins(2), mins(5)], horizon: Duration::from_hours(24) };

/// Writing to the record: the practice's system may be down for a weekend.
pub const RECORD: Schedule = Schedule {
    waits: &[secs(5), secs(30), mins(2), mins(10), mins(30), mins(60), mins(120)],
    horizon: Duration::from_hours(96),
};

/// Reading from a practice or a feed: the next tick comes anyway.
pub const READ: Schedule =
    Schedule { waits: &[secs(5), secs(30), mins(2), mins(5)], horizon: Duration::from_hours(24) };

/// Our own work (matching, chasing): only the database can fail.
pub const OWN: Schedule =
    Schedule { waits: &[secs(1), secs(5), secs(30), mins(2), mins(5)], horizon: Duration::from_hours(24) };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wait_repeats_until_the_horizon() {
        assert_eq!(MAIL.wait(1), secs(10));
        assert_eq!(MAIL.wait(8), mins(240));
        assert_eq!(MAIL.wait(32_767), mins(240));
    }

    #[test]
    fn every_schedule_is_tried_more_than_once_before_its_horizon() {
        for schedule in [MAIL, ALERT, RECORD, READ, OWN] {
            let total: Duration = schedule.waits.iter().sum();
            assert!(total < schedule.horizon, "{schedule:?}");
        }
    }
}
