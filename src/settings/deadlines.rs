//! People's deadlines: working days in Europe/London, with a bank-holiday file.
//!
//! Pure: a moment and a number of days in, a moment out. A deadline is the end of a working day, 17:00 London time
//! whatever the season; something that should be read on a day is due at 9:00. A day that the file does not cover
//! counts as a working day unless it is a weekend: `running_out` tells in time (`wellbridge check`, the log, the worklist).

use std::collections::BTreeMap;

use jiff::{
    Timestamp,
    civil::{Date, Time, Weekday, time},
};
use serde::Deserialize;

use crate::clock::{london, london_date};

/// The compiled-in file: England and Wales.
const COMPILED_IN: &str = include_str!("../../config/bank-holidays.toml");

/// When a working day ends.
const CLOSE: Time = time(17, 0, 0, 0);
/// When a working day begins.
const OPEN: Time = time(9, 0, 0, 0);

/// For so many days to come they must be known.
const AHEAD: i32 = 90;

/// The days on which nobody is expected to answer, besides weekends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankHolidays {
    from: Date,
    until: Date,
    days: BTreeMap<Date, String>,
}

impl BankHolidays {
    /// Reads a file of the shape of `config/bank-holidays.toml`.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let read: Self = toml::from_str(text).map_err(|why| why.to_string().trim_end().to_owned())?;
        match read.days.keys().find(|day| **day < read.from || **day > read.until) {
            Some(day) => {
                Err(format!("{day} lies outside {} to {}, which the file says it covers", read.from, read.until))
            }
            None => Ok(read),
        }
    }

    /// England and Wales, compiled in.
    pub fn compiled_in() -> Result<Self, String> {
        Self::from_toml(COMPILED_IN)
    }

    /// The last day the file knows about.
    pub fn covers_until(&self) -> Date {
        self.until
    }

    /// What to do, where the file ends so soon after today that it must be replaced.
    pub fn running_out(&self, today: Date) -> Option<String> {
        let (until, left) = (self.until, today.until(self.until).map_or(0, |span| span.get_days()));
        (left < AHEAD)
            .then(|| format!("known only until {until}: name a newer file with `bank_holidays`, or update wellbridge"))
    }

    /// Whether people work on this day.
    pub fn is_working_day(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.days.contains_key(&day)
    }
}

/// 17:00 in London on the `n`-th working day after the day of `from`. For `n = 0`: the day itself where it is a
/// working day, else the next one.
pub fn add_working_days(from: Timestamp, n: u8, holidays: &BankHolidays) -> Timestamp {
    let day = step(london_date(from), n, holidays, Date::tomorrow);
    at(day, CLOSE)
}

/// 9:00 in London on the `n`-th working day before the day of `deadline`: when something about it should be read.
/// For `n = 0`: the day itself where it is a working day, else the one before.
pub fn subtract_working_days(deadline: Timestamp, n: u8, holidays: &BankHolidays) -> Timestamp {
    let day = step(london_date(deadline), n, holidays, Date::yesterday);
    at(day, OPEN)
}

/// A deadline's day as people say it: `Thu 3 December`.
pub fn as_people_say(moment: Timestamp) -> String {
    london_date(moment).strftime("%a %-d %B").to_string()
}

/// A moment as people say it: `Tue 24 November 10:05`.
pub fn moment_as_people_say(moment: Timestamp) -> String {
    moment.to_zoned(london()).strftime("%a %-d %B %H:%M").to_string()
}

fn step(start: Date, n: u8, holidays: &BankHolidays, next: impl Fn(Date) -> Result<Date, jiff::Error>) -> Date {
    let mut day = start;
    let mut left = n;
    while left > 0 || !holidays.is_working_day(day) {
        // The calendar's last day, year 9999: there is none further.
        let Ok(following) = next(day) else { return day };
        day = following;
        if left > 0 && holidays.is_working_day(day) {
            left -= 1;
        }
    }
    day
}

fn at(day: Date, time: Time) -> Timestamp {
    // Neither 9:00 nor 17:00 is ever skipped or doubled by a change of the clocks in London.
    day.to_datetime(time).to_zoned(london()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holidays() -> BankHolidays {
        BankHolidays::compiled_in().unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        let local: jiff::civil::DateTime = text.parse().unwrap();
        local.to_zoned(london()).unwrap().timestamp()
    }

    #[test]
    fn deadlines_skip_weekends_and_bank_holidays() {
        for (from, days, due) in [
            ("2026-11-24T10:00", 5, "2026-12-01T17:00"), // a plain week
            ("2026-11-27T16:59", 1, "2026-11-30T17:00"), // Friday
            ("2026-11-28T12:00", 1, "2026-11-30T17:00"), // Saturday
            ("2026-11-24T23:59", 0, "2026-11-24T17:00"), // the day itself
            ("2026-11-28T12:00", 0, "2026-11-30T17:00"), // the next one, on a Saturday
            ("2026-12-23T09:00", 2, "2026-12-29T17:00"), // Christmas Friday, weekend, substitute Monday
            ("2027-12-24T09:00", 1, "2027-12-29T17:00"), // both substitute days
            ("2027-12-31T09:00", 1, "2028-01-04T17:00"), // New Year on a Saturday
            ("2026-04-02T09:00", 1, "2026-04-07T17:00"), // Easter
            ("2028-04-13T09:00", 3, "2028-04-20T17:00"),
        ] {
            assert_eq!(add_working_days(moment(from), days, &holidays()), moment(due), "{from} + {days}");
        }
    }

    #[test]
    fn a_reminder_is_due_in_the_morning_of_an_earlier_working_day() {
        for (deadline, days, due) in [
            ("2026-12-01T17:00", 2, "2026-11-27T09:00"),
            ("2026-12-29T17:00", 2, "2026-12-23T09:00"),
            ("2026-04-07T17:00", 1, "2026-04-02T09:00"),
            ("2026-12-01T17:00", 0, "2026-12-01T09:00"),
        ] {
            assert_eq!(subtract_working_days(moment(deadline), days, &holidays()), moment(due), "{deadline} - {days}");
        }
    }

    #[test]
    fn five_o_clock_is_five_o_clock_in_summer_and_in_winter() {
        // The clocks go back on 25 October 2026 and forward on 28 March 2027 (Easter Sunday).
        let autumn = add_working_days("2026-10-23T09:00:00Z".parse().unwrap(), 1, &holidays());
        assert_eq!(autumn.to_string(), "2026-10-26T17:00:00Z");
        let summer = add_working_days("2026-10-22T09:00:00Z".parse().unwrap(), 1, &holidays());
        assert_eq!(summer.to_string(), "2026-10-23T16:00:00Z");
        let spring = add_working_days("2027-03-25T12:00:00Z".parse().unwrap(), 1, &holidays());
        assert_eq!(spring.to_string(), "2027-03-30T16:00:00Z");
    }

    #[test]
    fn half_past_eleven_at_night_in_summer_is_still_that_day_in_london() {
        // 22:30 UTC is 23:30 on Thursday in London, 23:30 UTC is half past midnight on Friday.
        let thursday = add_working_days("2026-07-02T22:30:00Z".parse().unwrap(), 1, &holidays());
        let friday = add_working_days("2026-07-02T23:30:00Z".parse().unwrap(), 1, &holidays());
        assert_eq!(thursday, moment("2026-07-03T17:00"));
        assert_eq!(friday, moment("2026-07-06T17:00"));
    }

    #[test]
    fn bank_holidays_that_run_out_within_a_quarter_are_told() {
        let known = BankHolidays::from_toml("from = \"2026-01-01\"\nuntil = \"2027-01-31\"\n[days]\n").unwrap();
        for (today, told) in [
            ("2026-01-01", false),
            ("2026-11-02", false),
            ("2026-11-03", true),
            ("2027-01-31", true),
            ("2028-01-01", true),
        ] {
            let said = known.running_out(today.parse().unwrap());
            assert_eq!(said.is_some(), told, "{today}: {said:?}");
            let what_to_do = |words: &String| words.contains("2027-01-31") && words.contains("`bank_holidays`");
            assert!(said.as_ref().is_none_or(what_to_do), "{said:?}");
        }
    }

    #[test]
    fn a_day_is_written_as_people_say_it() {
        assert_eq!(as_people_say(moment("2026-12-03T17:00")), "Thu 3 December");
        assert_eq!(as_people_say("2026-07-02T23:30:00Z".parse().unwrap()), "Fri 3 July");
        assert_eq!(moment_as_people_say("2026-07-02T23:30:00Z".parse().unwrap()), "Fri 3 July 00:30");
    }

    proptest::proptest! {
        #[test]
        fn exactly_n_working_days_lie_between_a_moment_and_its_deadline(hour in 0i64..26_000, n in 1u8..30) {
            let from = moment("2026-01-01T00:00") + jiff::SignedDuration::from_hours(hour);
            let (holidays, start) = (holidays(), london_date(from));
            let due = london_date(add_working_days(from, n, &holidays));
            let between = start.series(jiff::Span::new().days(1)).skip(1).take_while(|day| *day <= due);
            proptest::prop_assert_eq!(between.filter(|day| holidays.is_working_day(*day)).count(), usize::from(n));
            proptest::prop_assert!(holidays.is_working_day(due));
        }
    }

    /// Easter Sunday by the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8).
    #[expect(clippy::many_single_char_names, reason = "the book's own letters")]
    fn easter(year: i16) -> Date {
        let y = i32::from(year);
        let (a, b, c) = (y % 19, y / 100, y % 100);
        let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
        let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
        let m = (a + 11 * h + 22 * l) / 451;
        let n = h + l - 7 * m + 114;
        Date::new(year, i8::try_from(n / 31).unwrap(), i8::try_from(n % 31 + 1).unwrap()).unwrap()
    }

    /// The holidays of a year from the law's own rules, to check the file against.
    fn by_rule(year: i16) -> Vec<Date> {
        let day = |m, d| Date::new(year, m, d).unwrap();
        let easter = easter(year);
        let mut days = vec![easter.checked_sub(jiff::Span::new().days(2)).unwrap(), easter.tomorrow().unwrap()];
        days.push(day(5, 1).nth_weekday_of_month(1, Weekday::Monday).unwrap());
        days.push(day(5, 1).nth_weekday_of_month(-1, Weekday::Monday).unwrap());
        days.push(day(8, 1).nth_weekday_of_month(-1, Weekday::Monday).unwrap());
        for fixed in [day(1, 1), day(12, 25), day(12, 26)] {
            let mut kept = fixed;
            while matches!(kept.weekday(), Weekday::Saturday | Weekday::Sunday) || days.contains(&kept) {
                kept = kept.tomorrow().unwrap();
            }
            days.push(kept);
        }
        days.sort_unstable();
        days
    }

    #[test]
    fn the_compiled_in_file_holds_the_right_days() {
        let file = holidays();
        for year in 2026..=2028 {
            let listed: Vec<Date> = file.days.keys().copied().filter(|d| d.year() == year).collect();
            assert_eq!(listed, by_rule(year), "{year}");
        }
        assert_eq!(file.covers_until().to_string(), "2028-12-31");
    }

    #[test]
    fn a_file_with_a_slip_is_refused_with_the_place() {
        let slip = "from = \"2026-01-01\"\nuntil = \"2026-12-31\"\n[days]\n\"2027-01-01\" = \"New Year\"\n";
        assert!(BankHolidays::from_toml(slip).unwrap_err().contains("2027-01-01"));
        let slip = "from = \"2026-01-01\"\nuntil = \"2026-13-31\"\n[days]\n";
        assert!(BankHolidays::from_toml(slip).unwrap_err().contains("line 2"));
    }
}
