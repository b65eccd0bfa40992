//! The parts of rules: what each kind means, and what is refused.

use crate::{cron, moment, schedule};
use segno_engine::id::Timestamp;
use segno_engine::payload::Payload;
use segno_engine::schedule::{Ambiguous, Note, Rule, Schedule, Spec};
use serde_json::json;

/// The first instants after a moment, as the clocks of the zone show them.
fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let instants = schedule.instants("s", moment(after), Timestamp(u64::MAX)).take(count);
    instants.map(|instant| instant.local).collect()
}

fn days(rule: &str, after: &str) -> Vec<String> {
    let found = next(&cron(rule, "UTC"), after, 4);
    found.iter().map(|local| local[..10].to_owned()).collect()
}

#[test]
fn weekdays_are_numbered_as_in_unix_in_every_form() {
    // 2026-11-22 is a Sunday.
    let after = "2026-11-21T00:00:01Z";
    for rule in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 0 ? * 0", "0 0 0 ? * SUNDAY *"] {
        assert_eq!(days(rule, after)[0], "2026-11-22", "{rule}");
    }
    assert_eq!(days("0 0 * * sat-sun", after)[..2], ["2026-11-22", "2026-11-28"]);
    assert_eq!(days("0 0 * * 1-5/2", after)[..3], ["2026-11-23", "2026-11-25", "2026-11-27"]);
}

#[test]
fn either_day_is_enough_if_both_are_restricted() {
    let found = days("0 0 13 * fri", "2026-11-01T00:00:00Z");
    assert_eq!(found, ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27"]);
    assert_eq!(days("0 0 */1 * fri", "2026-11-01T00:00:00Z")[0], "2026-11-06");
}

#[test]
fn last_nearest_and_nth_days() {
    let after = "2026-01-01T00:00:00Z";
    let cases = [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("0 0 L-2 * *", ["2026-01-29", "2026-02-26", "2026-03-29", "2026-04-28"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30"]),
        ("0 0 1W * *", ["2026-02-02", "2026-03-02", "2026-04-01", "2026-05-01"]),
        ("0 0 15W * *", ["2026-01-15", "2026-02-16", "2026-03-16", "2026-04-15"]),
        ("0 0 * * friL", ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"]),
        ("0 0 * * 1#2", ["2026-01-12", "2026-02-09", "2026-03-09", "2026-04-13"]),
        ("0 0 * * 5#5", ["2026-01-30", "2026-05-29", "2026-07-31", "2026-10-30"]),
    ];
    for (rule, expected) in cases {
        assert_eq!(days(rule, after), expected, "{rule}");
    }
}

#[test]
fn seconds_stand_in_front_and_years_behind() {
    let rule = cron("15,45 30 6 * * * 2027", "UTC");
    let found = next(&rule, "2026-11-22T00:00:00Z", 3);
    let expected =
        ["2027-01-01T06:30:15+00:00", "2027-01-01T06:30:45+00:00", "2027-01-02T06:30:15+00:00"];
    assert_eq!(found, expected);
    assert_eq!(rule.next_after("s", moment("2027-12-31T06:30:45Z")), None);
}

#[test]
fn leap_days_are_found_and_the_calendar_ends() {
    let rule = cron("0 0 29 2 *", "UTC");
    assert_eq!(days("0 0 29 2 *", "2026-01-01T00:00:00Z")[0], "2028-02-29");
    assert_eq!(rule.next_after("s", moment("2097-01-01T00:00:00Z")), None);
}

#[test]
fn what_is_not_understood_is_refused_with_the_field_and_the_remedy() {
    let cases = [
        ("0 0 30 2 *", "fits no day"),
        ("0 0 31 4,6,9,11 *", "fits no day"),
        ("60 * * * *", "field for the minute cannot be \"60\""),
        ("* 24 * * *", "field for the hour"),
        ("* * 0 * *", "field for the day of the month"),
        ("* * * 13 *", "field for the month"),
        ("* * * foo *", "field for the month"),
        ("* * * * 8", "field for the day of the week"),
        ("* * * * fri-mon", "field for the day of the week"),
        ("* * * * 1#6", "field for the day of the week"),
        ("* * L-31 * *", "field for the day of the month"),
        ("* * 32W * *", "field for the day of the month"),
        ("* 22-2 * * *", "goes backward"),
        ("*/0 * * * *", "field for the minute"),
        ("1,,2 * * * *", "field for the minute"),
        ("* ? * * *", "field for the hour"),
        ("99999999999 * * * *", "field for the minute"),
        ("0 0 0 * * * 1969", "field for the year"),
        ("0 0 0 * * * 2101", "field for the year"),
        ("* * * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("* * * * * * * *", "has 8 fields"),
        ("@reboot", "is no name of a rule"),
    ];
    for (rule, part) in cases {
        let spec = Spec::of(Rule::Cron(rule.to_owned()));
        let problems = Schedule::new(spec).expect_err(rule);
        let text = problems.to_string();
        assert!(text.contains(part) && text.contains("; "), "{rule}: {text}");
    }
}

#[test]
fn whatever_is_written_is_read_or_refused_in_time() {
    let signs: Vec<char> = "0123456789*/,-LW#? ?abcjanmonfri".chars().collect();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..5_000 {
        let field = |random: &mut fastrand::Rng| -> String {
            (0..random.usize(1..5)).map(|_| signs[random.usize(..signs.len())]).collect()
        };
        let fields: Vec<_> = (0..5).map(|_| field(&mut random)).collect();
        let spec = Spec::of(Rule::Cron(fields.join(" ")));
        if let Ok(schedule) = Schedule::new(spec) {
            assert!(schedule.next_after("s", Timestamp(0)).is_some(), "{fields:?}");
        }
    }
}

#[test]
fn fixed_times_count_from_the_start() {
    let start = Some(moment("2026-01-01T00:07:00Z"));
    let every = schedule(Spec { start, ..Spec::of(Rule::Every(900_000)) });
    let found = next(&every, "2025-01-01T00:00:00Z", 2);
    assert_eq!(found, ["2026-01-01T00:07:00+00:00", "2026-01-01T00:22:00+00:00"]);
    let end = Some(moment("2026-01-01T00:22:00Z"));
    let every = schedule(Spec { start, end, ..Spec::of(Rule::Every(900_000)) });
    assert_eq!(next(&every, "2025-01-01T00:00:00Z", 5).len(), 1, "the end is not part of it");
    let epoch = schedule(Spec::of(Rule::Every(90_000)));
    assert_eq!(epoch.next_after("s", Timestamp(0)).map(|it| it.at), Some(Timestamp(90_000)));
    assert!(Schedule::new(Spec::of(Rule::Every(999))).is_err());
}

#[test]
fn gaps_fire_once_at_their_end_and_repeated_times_as_said() {
    let zone = "America/Los_Angeles";
    let notes = |rule: &str, ambiguous, after: &str, until: &str| -> Vec<_> {
        let spec =
            Spec { timezone: zone.to_owned(), ambiguous, ..Spec::of(Rule::Cron(rule.to_owned())) };
        let schedule = schedule(spec);
        let found = schedule.instants("s", moment(after), moment(until));
        found.map(|it| (it.local[11..].to_owned(), it.note)).collect()
    };
    let (from, to) = ("2026-03-08T09:00:00Z", "2026-03-08T11:00:00Z");
    let found = notes("*/20 2 * * *", Ambiguous::Once, from, to);
    assert_eq!(found, [("03:00:00-07:00".to_owned(), Some(Note::Gap))]);
    let found = notes("0,30 2-3 * * *", Ambiguous::Once, from, to);
    let expected = [("03:00:00-07:00".to_owned(), None), ("03:30:00-07:00".to_owned(), None)];
    assert_eq!(found, expected);
    let (from, to) = ("2026-11-01T07:59:00Z", "2026-11-01T10:00:00Z");
    let first = ("01:30:00-07:00".to_owned(), Some(Note::Repeated));
    let second = ("01:30:00-08:00".to_owned(), Some(Note::Repeated));
    assert_eq!(notes("30 1 * * *", Ambiguous::Once, from, to), std::slice::from_ref(&first));
    assert_eq!(notes("30 1 * * *", Ambiguous::Twice, from, to), [first.clone(), second.clone()]);
    assert_eq!(notes("30 * * * *", Ambiguous::Once, from, to), [first, second]);
    // From within the second hour on, what was there the first time is not there again.
    let rest =
        notes("* * 1,4 * * *", Ambiguous::Once, "2026-11-01T09:10:00Z", "2026-11-01T12:00:01Z");
    assert_eq!(rest.first().map(|(local, _)| local.as_str()), Some("04:00:00-08:00"));
}

#[test]
fn a_day_that_a_zone_left_out_fires_when_it_is_over() {
    let rule = cron("0 12 30 12 *", "Pacific/Apia");
    let found = rule.next_after("s", moment("2011-12-01T00:00:00Z")).expect("one");
    assert_eq!((found.local.as_str(), found.note), ("2011-12-31T00:00:00+14:00", Some(Note::Gap)));
}

#[test]
fn counting_is_going_through() {
    let rules = ["*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "15 4 1,15 * 1", "5 5 5 * * *"];
    for zone in ["America/Los_Angeles", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"] {
        for (rule, ambiguous) in
            rules.iter().flat_map(|rule| [(rule, Ambiguous::Once), (rule, Ambiguous::Twice)])
        {
            let spec = Spec {
                timezone: zone.to_owned(),
                ambiguous,
                ..Spec::of(Rule::Cron((*rule).to_owned()))
            };
            let schedule = schedule(spec);
            let (from, until) = (moment("2025-02-03T04:05:06Z"), moment("2025-12-07T08:09:10Z"));
            let all: Vec<_> = schedule.instants("s", from, until).map(|it| it.at).collect();
            assert_eq!(schedule.count(from, until), all.len() as u64, "{rule} {zone}");
            assert_eq!(schedule.last(from, until), all.last().copied(), "{rule} {zone}");
            assert!(all.is_sorted_by(|one, other| one < other), "{rule} {zone}");
        }
    }
}

#[test]
fn jitter_follows_from_identity_and_instant() {
    let spec = Spec { jitter_ms: 30_000, ..Spec::of(Rule::Cron("0 6 * * *".to_owned())) };
    let schedule = schedule(spec);
    let late = |identity: &str, day: u64| {
        let found = schedule.next_after(identity, Timestamp(day * 86_400_000)).expect("one");
        found.fires_at.since(found.at)
    };
    let days: Vec<_> = (0..50).map(|day| late("a", day)).collect();
    assert!(days.iter().all(|late| *late <= 30_000) && days.iter().any(|late| *late > 20_000));
    assert_eq!(days, (0..50).map(|day| late("a", day)).collect::<Vec<_>>());
    assert_ne!(days, (0..50).map(|day| late("b", day)).collect::<Vec<_>>());
}

#[test]
fn params_see_the_instant_and_nothing_else() {
    let params = json!({
        "at": "${schedule.at}", "local": "${schedule.local}", "day": "${schedule.local_date}",
        "before": "${schedule.local_date.addDays(-1)}", "where": "${schedule.timezone}",
        "which": "on ${schedule.id}", "fixed": 7
    });
    let spec = Spec {
        timezone: "America/Los_Angeles".to_owned(),
        params: Payload::from(params),
        ..Spec::of(Rule::Cron("0 18 * * *".to_owned()))
    };
    let given = schedule(spec).params_at("morning", moment("2026-03-09T01:00:00Z"));
    let expected = json!({
        "at": "2026-03-09T01:00:00Z", "local": "2026-03-08T18:00:00-07:00", "day": "2026-03-08",
        "before": "2026-03-07", "where": "America/Los_Angeles", "which": "on morning", "fixed": 7
    });
    assert_eq!(given.expect("they have values").value(), &expected);
}

#[test]
fn what_comes_by_itself_as_json_is_read_like_a_trigger() {
    let json = json!({
        "cron": "0 6 * * *", "timezone": "Europe/Berlin", "start": "2026-01-01T00:00:00Z",
        "jitter": "30s", "overlap": "buffer_one", "catch_up": "2h", "ambiguous": "twice",
        "params": { "day": "${schedule.local_date}" }
    });
    let schedule = Schedule::from_json(&json).expect("it is right");
    assert_eq!(serde_json::Value::Object(schedule.spec().to_json()), json);
    let bytes = postcard::to_allocvec(&schedule).expect("it can be stored");
    assert_eq!(postcard::from_bytes::<Schedule>(&bytes).expect("and read"), schedule);
    let wrong = json!({
        "cron": "0 25 * * *", "timezone": "Europe/Belrin", "paused": true, "jitter": "2d",
        "params": { "x": "${params.y}" }
    });
    let problems = Schedule::from_json(&wrong).expect_err("it is wrong");
    let mut shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    shown.sort();
    assert_eq!(shown.len(), 5, "{shown:#?}");
    assert!(shown.iter().any(|it| it.contains("did you mean \"Europe/Berlin\"?")), "{shown:#?}");
}
