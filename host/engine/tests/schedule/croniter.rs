//! Fire times against croniter's, for 54 rules in 8 zones over two years. The
//! lists come from `reference.py`; where we differ by choice, `differences.txt`
//! says so, with the reason. `UPDATE=1` writes that file: look at what changed.

use crate::schedule;
use segno_engine::id::Timestamp;
use segno_engine::schedule::{Ambiguous, Rule, Spec};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{env, fs};

const REFERENCE: &str = include_str!("croniter-7.0.0.txt");
const DIFFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schedule/differences.txt");

/// 2024 and 2025.
const START: i64 = 1_704_067_200;
const END: i64 = 1_767_225_600;

/// How far from a change of the clocks instants are listed.
const NEAR: i64 = 4 * 3_600;

#[test]
fn fire_times_are_those_of_croniter_but_where_we_chose() {
    let mut changes = Vec::new();
    let (mut zone, mut pairs) = ("", 0);
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for line in REFERENCE.lines() {
        if let Some(rest) = line.strip_prefix("zone ") {
            let mut words = rest.split(' ');
            zone = words.next().expect("a zone");
            changes = words.filter_map(|word| word.parse::<i64>().ok()).collect();
            continue;
        }
        let parts: Vec<_> = line.split(" ;").collect();
        let [rule, rest, windows] = parts.as_slice() else { panic!("{line}") };
        pairs += 1;
        let (ours_near, ours_rest) = ours((rule, zone), Ambiguous::Once, &changes);
        let (twice_near, _) = ours((rule, zone), Ambiguous::Twice, &changes);
        let text: Vec<_> = ours_rest.iter().map(i64::to_string).collect();
        let digest = Sha256::digest(text.join("\n"));
        let digest: String = digest[..8].iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        assert_eq!(format!("{} {digest}", text.len()), rest.trim(), "{rule} in {zone}");
        let windows: Vec<_> = windows.split('|').collect();
        let windows: Vec<_> = windows.iter().map(|window| numbers(window)).collect();
        for (mode, ours) in [("once", ours_near), ("twice", twice_near)] {
            for (place, ours) in ours.iter().enumerate() {
                let theirs = windows.get(place).map(Vec::as_slice).unwrap_or_default();
                let Some(difference) = difference(theirs, ours) else { continue };
                let line = format!("{mode} ; {rule} ; {difference}");
                found.entry(line).or_default().push(format!("{zone} {}", changes[place]));
            }
        }
    }
    assert_eq!(pairs, 54 * 8);
    let mut text = header(DIFFERENCES);
    for (difference, places) in found {
        let _ = writeln!(text, "{difference} ; {}", places.join(", "));
    }
    if env::var_os("UPDATE").is_some() {
        fs::write(DIFFERENCES, &text).expect("the list can be written");
    }
    let expected = fs::read_to_string(DIFFERENCES).expect("the list of differences");
    assert_eq!(text, expected, "croniter and we differ where it was not said");
}

/// What only they have, and what only we have.
fn difference(theirs: &[i64], ours: &[i64]) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let missing: Vec<_> = theirs.iter().filter(|at| !ours.contains(at)).collect();
    let added: Vec<_> = ours.iter().filter(|at| !theirs.contains(at)).collect();
    assert_eq!(theirs.len() - missing.len(), ours.len() - added.len(), "one is there twice");
    Some(format!("croniter {missing:?} ours {added:?}"))
}

/// The lines with the reasons.
fn header(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

fn numbers(text: &str) -> Vec<i64> {
    text.trim().split(',').filter_map(|number| number.parse().ok()).collect()
}

/// Our instants: those near each change, from the change, and the rest.
fn ours(
    (rule, zone): (&str, &str),
    ambiguous: Ambiguous,
    changes: &[i64],
) -> (Vec<Vec<i64>>, Vec<i64>) {
    let rule = Rule::Cron(rule.to_owned());
    let schedule = schedule(Spec { timezone: zone.to_owned(), ambiguous, ..Spec::of(rule) });
    let second = |second: i64| Timestamp(second as u64 * 1_000);
    let (mut near, mut rest) = (vec![Vec::new(); changes.len()], Vec::new());
    for instant in
        schedule.instants("s", Timestamp(second(START).0 - 1), Timestamp(second(END).0 - 1))
    {
        let at = (instant.at.0 / 1_000) as i64;
        match changes.iter().position(|change| (at - change).abs() <= NEAR) {
            Some(place) => near[place].push(at - changes[place]),
            None => rest.push(at),
        }
    }
    (near, rest)
}
