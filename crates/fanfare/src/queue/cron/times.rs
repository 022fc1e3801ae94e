//! When a schedule fires. No I/O, and no clock.

use std::collections::HashMap;

use bytes::Bytes;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use fanfare_client::{Error, ErrorKind};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::queue::ticket::text;

/// What becomes of firings that were missed, since no program ran the schedules when they were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// Nothing: what is more than a minute late is not made up for.
    Skip,
    /// The last one is made up for, however many there were.
    One,
    /// The last ones are, so many at most, the oldest first. At most 100.
    All(u32),
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pattern: String,
    cron: Cron,
    zone_name: String,
    zone: TimeZone,
    pub(super) missed: Missed,
}

/// How late a firing may be that is not made up for, in milliseconds.
const LATE_MAX: i64 = 60_000;

/// The most firings that are made up for.
const OWED_MAX: u32 = 100;

impl Times {
    pub(super) fn new(pattern: String, zone: &str, missed: Missed) -> Result<Self, Error> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Optional).build();
        let cron = parser.parse(&pattern).map_err(|source| {
            wrong(format!("{pattern:?} is no pattern of a schedule: {source}")).with_source(source)
        })?;
        let zone_name = zone.to_owned();
        let zone = TimeZone::get(zone).map_err(|source| {
            wrong(format!("the time zone {zone_name:?} is not known here")).with_source(source)
        })?;
        Ok(Self { pattern, cron, zone_name, zone, missed })
    }

    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(super) fn time_zone(&self) -> &str {
        &self.zone_name
    }

    /// When it fires first after this moment, if it ever does.
    pub(super) fn after(&self, ms: i64) -> Result<Option<i64>, Error> {
        let next = self.cron.find_next_occurrence(&self.zoned(ms)?, false).ok();
        Ok(next.map(|it| it.timestamp().as_millisecond()))
    }

    /// What is to be fired now of a schedule that was due at `due`, oldest first.
    pub(super) fn owed(&self, due: i64, now: i64) -> Result<Vec<Timestamp>, Error> {
        let n_max = match self.missed {
            Missed::Skip | Missed::One => 1,
            Missed::All(n) => n.clamp(1, OWED_MAX),
        };
        let earliest = match self.missed {
            Missed::Skip => due.max(now.saturating_sub(LATE_MAX)),
            Missed::One | Missed::All(_) => due,
        };
        let mut owed = Vec::new();
        let mut before = self.zoned(now)?;
        let mut is_inclusive = true;
        for _ in 0..n_max {
            let Ok(at) = self.cron.find_previous_occurrence(&before, is_inclusive) else { break };
            if at.timestamp().as_millisecond() < earliest {
                break;
            }
            owed.push(at.timestamp());
            (before, is_inclusive) = (at, false);
        }
        owed.reverse();
        Ok(owed)
    }

    /// Its second: patterns know no less.
    fn zoned(&self, ms: i64) -> Result<Zoned, Error> {
        let at = Timestamp::from_second(ms.div_euclid(1_000)).map_err(|source| {
            Error::new(ErrorKind::Decode, "a time beyond all calendars").with_source(source)
        })?;
        Ok(at.to_zoned(self.zone.clone()))
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, Bytes)> {
        let missed = match self.missed {
            Missed::Skip => "skip".to_owned(),
            Missed::One => "one".to_owned(),
            Missed::All(n) => n.to_string(),
        };
        vec![
            ("pattern", self.pattern.clone().into()),
            ("zone", self.zone_name.clone().into()),
            ("missed", missed.into()),
        ]
    }

    pub(super) fn read(fields: &mut HashMap<String, Bytes>) -> Result<Self, Error> {
        let mut take = |name: &str| fields.remove(name).map(text).unwrap_or_default();
        let missed = match take("missed").as_str() {
            "skip" => Missed::Skip,
            "one" => Missed::One,
            n => Missed::All(n.parse().map_err(|_| wrong(format!("{n:?} missed firings")))?),
        };
        Self::new(take("pattern"), &take("zone"), missed)
    }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}

/// A score that is a whole number of milliseconds.
pub(super) fn whole(score: f64) -> i64 {
    format!("{score:.0}").parse().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(pattern: &str, zone: &str, missed: Missed) -> Times {
        Times::new(pattern.to_owned(), zone, missed).unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn owed(times: &Times, due: &str, now: &str) -> Vec<String> {
        times.owed(ms(due), ms(now)).unwrap().iter().map(Timestamp::to_string).collect()
    }

    #[test]
    fn a_day_has_its_times_in_its_zone() {
        let nine = times("0 9 * * MON-FRI", "Europe/Vienna", Missed::One);
        let next = |from: &str| nine.after(ms(from)).unwrap().unwrap();
        // A Friday in summer, and the Monday behind it.
        assert_eq!(next("2026-06-05T06:59:59.999Z"), ms("2026-06-05T07:00:00Z"));
        assert_eq!(next("2026-06-05T07:00:00Z"), ms("2026-06-08T07:00:00Z"));
        // In winter.
        assert_eq!(next("2026-12-07T00:00:00Z"), ms("2026-12-07T08:00:00Z"));
    }

    #[test]
    fn clocks_that_are_put_forward_and_back_lose_no_day_and_double_none() {
        let half_past_two = times("30 2 * * *", "Europe/Vienna", Missed::All(100));
        let fired = |due: &str, now: &str| owed(&half_past_two, due, now);
        assert_eq!(
            fired("2026-03-28T01:30:00Z", "2026-03-30T23:00:00Z"),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            fired("2026-10-24T00:30:00Z", "2026-10-26T23:00:00Z"),
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_was_said() {
        let (due, now) = ("2026-06-01T10:00:00Z", "2026-06-01T13:00:20.5Z");
        let fired = |missed| owed(&times("0 * * * *", "UTC", missed), due, now);
        assert_eq!(fired(Missed::One), ["2026-06-01T13:00:00Z"]);
        assert_eq!(fired(Missed::All(2)), ["2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z"]);
        assert_eq!(fired(Missed::All(100)).len(), 4);
        assert_eq!(fired(Missed::Skip), ["2026-06-01T13:00:00Z"], "that is not late");
        let late = "2026-06-01T13:01:00.001Z";
        assert!(owed(&times("0 * * * *", "UTC", Missed::Skip), due, late).is_empty());
        assert_eq!(owed(&times("0 * * * *", "UTC", Missed::One), due, late).len(), 1);
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        for (pattern, zone) in
            [("", "UTC"), ("61 * * * *", "UTC"), ("* * *", "UTC"), ("* * * * *", "Nowhere/At_All")]
        {
            let error = Times::new(pattern.to_owned(), zone, Missed::One).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{pattern} {zone}");
        }
        let past = times("0 0 0 1 1 * 2020", "UTC", Missed::One);
        assert_eq!(past.after(ms("2026-01-01T00:00:00Z")).unwrap(), None);
        let never = times("0 0 30 2 *", "UTC", Missed::One);
        assert_eq!(never.after(ms("2026-01-01T00:00:00Z")).unwrap(), None);
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for missed in [Missed::Skip, Missed::One, Missed::All(7)] {
            let kept = times("*/5 * * * *", "Asia/Tokyo", missed);
            let fields = kept.fields().into_iter().map(|(name, it)| (name.to_owned(), it));
            let read = Times::read(&mut fields.collect()).unwrap();
            assert_eq!((read.pattern(), read.time_zone()), ("*/5 * * * *", "Asia/Tokyo"));
            assert_eq!(read.missed, missed);
        }
    }
}
