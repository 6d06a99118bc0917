//! When something that failed is tried again, as data, and after how long a person is told.
//!
//! Pure: how often it failed and when it began in, the next moment out. Nothing is given up silently (past its horizon
//! a person is told) and nothing is retried for ever unseen.

use jiff::{SignedDuration, Timestamp};

/// How one kind of effect is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Waits after the first failures, in order; the last one is used from then on.
    pub waits: &'static [SignedDuration],
    /// Past this, from the first try on, a person is told.
    pub horizon: SignedDuration,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    Again(Timestamp),
    /// Tell a person: the horizon is reached.
    TellPerson,
}

/// Offers, reminders and cancellations: greylisting lets the second or third try through, a broken server is mended
/// within hours, and after two days the partner has lost half of the time to answer.
pub const MAIL: Schedule = Schedule {
    waits: &[
        SignedDuration::from_mins(1),
        SignedDuration::from_mins(5),
        SignedDuration::from_mins(15),
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(4),
    ],
    horizon: SignedDuration::from_hours(48),
};

/// One-time codes: somebody sits before the page and waits.
pub const CODE: Schedule = Schedule {
    waits: &[SignedDuration::from_secs(5), SignedDuration::from_secs(20), SignedDuration::from_mins(1)],
    horizon: SignedDuration::from_mins(15),
};

/// Alerts to the duty address: never far apart, and a person is told in another way (worklist, metrics) soon.
pub const ALERT: Schedule = Schedule {
    waits: &[SignedDuration::from_secs(30), SignedDuration::from_mins(2), SignedDuration::from_mins(5)],
    horizon: SignedDuration::from_mins(30),
};

impl Schedule {
    /// What to do after the `failures`-th failure (1 is the first). `wish` is the other side's own, where it said how
    /// long to wait: it is honoured, but not past the horizon.
    pub fn next(&self, failures: u32, first_try: Timestamp, now: Timestamp, wish: Option<SignedDuration>) -> Next {
        let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let own = self.waits.get(step).or(self.waits.last()).copied().unwrap_or(self.horizon);
        let wait = wish.map_or(own, |wish| wish.max(own));
        let end = first_try.saturating_add(self.horizon).unwrap_or(Timestamp::MAX);
        match now.checked_add(wait) {
            Ok(at) if at <= end => Next::Again(at),
            // One last try at the horizon's end, so that a long wait does not swallow the rest of the time.
            _ if now < end && wish.is_none() => Next::Again(end),
            _ => Next::TellPerson,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    /// Minutes after the first try at which a thing that always fails is tried again.
    fn tries(schedule: &Schedule) -> Vec<i64> {
        let (mut now, mut minutes) = (START, Vec::new());
        for failures in 1.. {
            match schedule.next(failures, START, now, None) {
                Next::Again(at) => {
                    assert!(at > now, "it must move on");
                    now = at;
                    minutes.push(now.duration_since(START).as_mins());
                }
                Next::TellPerson => break,
            }
        }
        minutes
    }

    #[test]
    fn mail_is_tried_soon_then_seldom_and_a_person_is_told_after_two_days() {
        let all = tries(&MAIL);
        assert_eq!(&all[..6], [1, 6, 21, 81, 321, 561]);
        assert_eq!(all.last(), Some(&(48 * 60)));
    }

    #[test]
    fn a_code_is_not_chased_for_longer_than_it_lasts() {
        assert_eq!(tries(&CODE).last(), Some(&15));
        assert_eq!(tries(&ALERT).last(), Some(&30));
    }

    #[test]
    fn the_other_sides_wish_is_honoured_within_the_horizon() {
        let hour = SignedDuration::from_hours(1);
        assert_eq!(MAIL.next(1, START, START, Some(hour)), Next::Again(START + hour));
        let soon = Some(SignedDuration::from_secs(1));
        assert_eq!(MAIL.next(1, START, START, soon), Next::Again(START + SignedDuration::from_mins(1)));
        assert_eq!(MAIL.next(1, START, START, Some(SignedDuration::from_hours(72))), Next::TellPerson);
    }

    #[test]
    fn a_failure_after_the_horizon_is_told() {
        let late = START + SignedDuration::from_hours(49);
        assert_eq!(MAIL.next(1, START, late, None), Next::TellPerson);
        assert_eq!(MAIL.next(u32::MAX, START, late, None), Next::TellPerson);
    }
}
