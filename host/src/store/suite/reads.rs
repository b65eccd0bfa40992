//! Scans, pages, and the records on top of them.

use std::collections::BTreeMap;

use super::super::{
    AttemptLog, ComponentRecord, Cursor, Digest, Direction, Error, Key, LogLine, Page, Paging,
    Prefix, Properties, RequestRecord, RunRecord, SCAN_BYTES_MAX, SCAN_ROWS_MAX, Scan, Store,
    VersionRecord, WorkflowRecord, Write,
};
use super::{Place, commit, noise, on_every_backend, put, run, tenant};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::strategy::RunStrategy;
use segno_engine::workflow::Pin;

on_every_backend! {
    scans_walk_both_ways_and_stop_at_borders
    scans_are_bounded
    names_that_contain_each_other_stay_apart
    events_are_read_from_a_number_on
    records_come_back_as_they_were
    definitions_are_listed
    runs_are_listed_newest_first
    open_runs_of_all_tenants_are_found
    a_component_is_checked_against_its_digest
    names_from_outside_are_checked
    an_unreadable_record_is_damage
}

fn scans_walk_both_ways_and_stop_at_borders(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("b");
    let key = |n| Key::event(&owner, run(2), n);
    let mut writes: Vec<Write> = [0, 1, 2, 5, u64::MAX].map(|n| put(key(n), "x")).into();
    for neighbour in [run(1), run(3)] {
        writes.push(put(Key::event(&owner, neighbour, 3), "not this one"));
    }
    for other in ["a", "c"] {
        writes.push(put(Key::event(&tenant(other), run(2), 3), "nor this"));
    }
    commit(&store, writes);
    let walk = |after: Option<Key>, direction, limit| -> Vec<Key> {
        let prefix = Prefix::events(&owner, run(2));
        let scan = Scan { prefix, after, direction, limit };
        let rows = store.scan(&scan).unwrap();
        rows.into_iter().map(|(key, _)| key).collect()
    };
    let keys = |numbers: &[u64]| numbers.iter().map(|n| key(*n)).collect::<Vec<_>>();
    let (up, down) = (Direction::Ascending, Direction::Descending);
    assert_eq!(walk(None, up, 10), keys(&[0, 1, 2, 5, u64::MAX]));
    assert_eq!(walk(None, down, 10), keys(&[u64::MAX, 5, 2, 1, 0]));
    assert_eq!(walk(Some(key(1)), up, 2), keys(&[2, 5]));
    assert_eq!(walk(Some(key(3)), up, 10), keys(&[5, u64::MAX]));
    assert_eq!(walk(Some(key(3)), down, 2), keys(&[2, 1]));
    assert_eq!(walk(Some(key(u64::MAX)), up, 10), []);
    assert_eq!(walk(Some(key(0)), down, 10), []);
    assert_eq!(walk(None, up, 0), []);
    let (before, behind) = (Key::run(&tenant("a"), run(1)), Key::run(&tenant("c"), run(1)));
    assert_eq!(walk(Some(before.clone()), up, 1), keys(&[0]));
    assert_eq!(walk(Some(behind.clone()), up, 1), []);
    assert_eq!(walk(Some(before), down, 1), []);
    assert_eq!(walk(Some(behind), down, 1), keys(&[u64::MAX]));
}

fn scans_are_bounded(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let small = (0..1500).map(|n| Write::event(&owner, run(1), n, vec![1]));
    commit(&store, small.collect());
    let large = (0..3).map(|n| Write::event(&owner, run(2), n, noise(SCAN_BYTES_MAX / 2)));
    commit(&store, large.collect());
    let rows = |n| store.events(&owner, run(n), 0, usize::MAX).unwrap().len();
    assert_eq!(rows(1), SCAN_ROWS_MAX);
    assert_eq!(rows(2), 2);
    assert_eq!(store.events(&owner, run(2), 2, 9).unwrap().len(), 1);
}

fn names_that_contain_each_other_stay_apart(place: &dyn Place) {
    let store = place.open();
    let tenants = ["a", "a-", "a-b", "a0", "ab", "b"].map(tenant);
    let names = ["x", "x ", "x!", "x0", "xx", "xy", "ü", "üü"];
    let mut number = 0;
    for owner in &tenants {
        for name in names {
            number += 1;
            let mut record = run_record(number, name, 1);
            record.run = run(number);
            let mut writes = Write::run_created(owner, &record).unwrap();
            writes.push(Write::component(owner, &component(name, "1")).unwrap());
            commit(&store, writes);
        }
    }
    let all = Paging::first(100);
    for owner in &tenants {
        assert_eq!(store.runs(owner, None, &all).unwrap().items.len(), names.len());
        for name in names {
            let runs = store.runs(owner, Some(name), &all).unwrap();
            assert_eq!(runs.items.len(), 1);
            assert_eq!(runs.items[0].workflow, name);
            let components = store.components(owner, Some(name), &all).unwrap();
            assert_eq!(components.items, [component(name, "1")]);
            assert_eq!(store.component_versions(owner, name).unwrap(), components.items);
        }
    }
    assert_eq!(store.tenants().unwrap(), tenants);
}

fn events_are_read_from_a_number_on(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let events = (0..10).map(|n| Write::event(&owner, run(1), n, vec![n as u8]));
    commit(&store, events.collect());
    let logs = (5..8).map(|n| Write::log(&owner, run(1), n, &log(n)));
    commit(&store, logs.collect());
    let read = |from, limit| store.events(&owner, run(1), from, limit).unwrap();
    assert_eq!(read(0, 2), [(0, vec![0]), (1, vec![1])]);
    assert_eq!(read(9, 2), [(9, vec![9])]);
    assert_eq!(read(10, 2), []);
    assert_eq!(store.logs(&owner, run(1), 0, 1).unwrap(), [(5, log(5))]);
    assert_eq!(store.logs(&owner, run(1), 7, 9).unwrap(), [(7, log(7))]);
    assert_eq!(store.logs(&owner, run(2), 0, 1).unwrap(), []);
}

fn records_come_back_as_they_were(place: &dyn Place) {
    let owner = tenant("a");
    let request = RequestRecord { run: run(9), body_hash: *Digest::of(b"body").as_bytes() };
    let store = place.open();
    let writes = vec![
        Write::workflow(&owner, &workflow("report")),
        Write::version(&owner, &version("report", 1)),
        Write::version(&owner, &version("report", 2)),
        Write::component(&owner, &component("load", "1.2.0")),
        Write::request(&owner, "retry of 12:00", &request),
    ];
    commit(&store, writes.into_iter().collect::<Result<_, _>>().unwrap());
    drop(store);
    let store = place.open();
    let found = store.workflow(&owner, "report").unwrap();
    assert_eq!(found, Some(workflow("report")));
    assert_eq!(store.workflow(&owner, "repor").unwrap(), None);
    let found = store.version(&owner, "report", 2).unwrap();
    assert_eq!(found, Some(version("report", 2)));
    assert_eq!(store.version(&owner, "report", 3).unwrap(), None);
    let found = store.request(&owner, "retry of 12:00").unwrap();
    assert_eq!(found, Some(request));
    let found = store.component(&owner, "load", "1.2.0").unwrap();
    assert_eq!(found, Some(component("load", "1.2.0")));
}

fn definitions_are_listed(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for name in ["report", "load"] {
        let record = workflow(name);
        commit(&store, vec![Write::workflow(&owner, &record).unwrap()]);
    }
    for number in [1, 10, 2] {
        let record = version("report", number);
        commit(&store, vec![Write::version(&owner, &record).unwrap()]);
    }
    let all = store.workflows(&owner, &Paging::first(2)).unwrap();
    let (items, next) = (["load", "report"].map(workflow).into(), None);
    assert_eq!(all, Page { items, next });
    let first = store.versions(&owner, "report", &Paging::first(2)).unwrap();
    assert_eq!(first.items, [version("report", 10), version("report", 2)]);
    let rest = Paging::first(2).after(first.next);
    let (items, next) = (vec![version("report", 1)], None);
    let found = store.versions(&owner, "report", &rest).unwrap();
    assert_eq!(found, Page { items, next });
    let elsewhere = store.workflows(&tenant("b"), &Paging::first(1)).unwrap();
    assert_eq!(elsewhere.items, []);
}

fn runs_are_listed_newest_first(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for n in 0..25 {
        let workflow = if n % 5 == 0 { "weekly" } else { "daily" };
        let record = run_record(n, workflow, n.into());
        commit(&store, Write::run_created(&owner, &record).unwrap());
    }
    let all = numbers(&store, &owner, None, 7);
    assert!(all.into_iter().eq((0..25).rev()));
    assert_eq!(numbers(&store, &owner, Some("weekly"), 1), [20, 15, 10, 5, 0]);
    assert_eq!(numbers(&store, &owner, Some("weekly"), 5), [20, 15, 10, 5, 0]);
    assert_eq!(numbers(&store, &owner, Some("never"), 5), [0_u64; 0]);
    let found = store.run_by_number(&owner, "weekly", 15).unwrap().unwrap();
    assert_eq!(found.run, run(15));
    assert_eq!(store.run_by_number(&owner, "weekly", 16).unwrap(), None);
    assert_eq!(store.last_run_number(&owner, "weekly"), Ok(20));
    assert_eq!(store.last_run_number(&owner, "never"), Ok(0));

    // A page of large runs ends early and says where to go on.
    for n in 0..3 {
        let mut record = run_record(100 + n, "large", n.into());
        record.reason = Some("x".repeat(SCAN_BYTES_MAX / 2));
        commit(&store, Write::run_created(&owner, &record).unwrap());
    }
    let page = store.runs(&owner, Some("large"), &Paging::first(9)).unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(numbers(&store, &owner, Some("large"), 9), [2, 1, 0]);
}

fn open_runs_of_all_tenants_are_found(place: &dyn Place) {
    let store = place.open();
    let mut expected = Vec::new();
    for name in ["a", "a-b", "ab", "z9"] {
        let owner = tenant(name);
        for n in 0..4 {
            let mut record = run_record(n, "w", n.into());
            commit(&store, Write::run_created(&owner, &record).unwrap());
            if n % 2 == 0 || name == "ab" {
                record.status = "succeeded".into();
                record.ended_at = Some(Timestamp(9));
                commit(&store, Write::run_ended(&owner, &record));
                assert_eq!(store.run(&owner, record.run).unwrap(), Some(record));
            } else {
                expected.push((owner.clone(), record.run));
            }
        }
    }
    let mut found = Vec::new();
    store.open_runs(|tenant, run, _| found.push((tenant.clone(), run))).unwrap();
    assert_eq!(found, expected);
}

fn a_component_is_checked_against_its_digest(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let bytes = noise(12 << 20);
    let digest = Digest::of(&bytes);
    assert_eq!(store.component_bytes(&owner, &digest).unwrap(), None);
    for writes in Write::component_bytes(&owner, &digest, &bytes) {
        commit(&store, writes);
    }
    assert!(store.component_bytes(&owner, &digest).unwrap().unwrap() == bytes);
    assert_eq!(store.component_bytes(&tenant("b"), &digest).unwrap(), None);

    let key = Key::component_bytes(&owner, digest.as_bytes(), 3);
    commit(&store, vec![Write::Delete { key }]);
    let damaged = store.component_bytes(&owner, &digest).unwrap_err();
    assert!(matches!(damaged, Error::Corrupt { .. }), "{damaged}");
    assert!(damaged.to_string().contains(&digest.to_string()));
}

fn names_from_outside_are_checked(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for wrong in ["", "a\0b", "a\nb", &"x".repeat(129)] {
        let found = store.workflow(&owner, wrong);
        assert!(matches!(found, Err(Error::Invalid { .. })), "{wrong:?}");
    }
    assert!(store.request(&owner, &"x".repeat(255)).is_ok());
    assert!(store.request(&owner, &"x".repeat(256)).is_err());
    let too_long = "x".repeat(64);
    for wrong in ["", "-a", "A", "a b", "a\0", "ä", &too_long] {
        assert!(wrong.parse::<TenantId>().is_err(), "{wrong:?}");
    }
    for wrong in ["xyz", "0", "é", &"00".repeat(400)] {
        assert!(wrong.parse::<Cursor>().is_err(), "{wrong:?}");
    }
    // A cursor from elsewhere, or one made up, stays within its list.
    let made_up: Cursor = "00".repeat(40).parse().unwrap();
    let paging = Paging::first(3).after(Some(made_up));
    assert_eq!(store.runs(&owner, None, &paging).unwrap().items, []);
}

fn an_unreadable_record_is_damage(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for wrong in [&b""[..], b"\x02{}", b"\x01", b"\x01{}", b"\x01[1"] {
        commit(&store, vec![put(Key::run(&owner, run(1)), wrong)]);
        let found = store.run(&owner, run(1));
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{wrong:?}");
    }
}

fn numbers(store: &Store, owner: &TenantId, workflow: Option<&str>, limit: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut paging = Paging::first(limit);
    loop {
        let page = store.runs(owner, workflow, &paging).unwrap();
        assert!(page.items.len() <= limit);
        numbers.extend(page.items.iter().map(|record| record.number));
        let Some(next) = page.next else {
            return numbers;
        };
        let given_out: Cursor = next.to_string().parse().unwrap();
        paging = Paging::first(limit).after(Some(given_out));
    }
}

fn run_record(id: u8, workflow: &str, number: u64) -> RunRecord {
    RunRecord {
        run: run(id),
        workflow: workflow.into(),
        version: 1,
        number,
        status: "running".into(),
        reason: None,
        created_at: Timestamp(1),
        started_at: Some(Timestamp(2)),
        ended_at: None,
        schedule: None,
        trigger: None,
    }
}

fn log(place: u64) -> AttemptLog {
    let line = |message: &str| LogLine {
        at: Timestamp(place),
        level: "info".into(),
        message: message.into(),
    };
    AttemptLog {
        run: run(2),
        iteration: None,
        step: "load".into(),
        attempt: 1,
        dropped: place,
        lines: vec![line("first"), line("second \u{1F3B5}")],
    }
}

fn component(name: &str, version: &str) -> ComponentRecord {
    ComponentRecord {
        name: name.into(),
        version: version.into(),
        digest: Digest::of(name.as_bytes()),
        size_bytes: 4,
        pushed_at: Timestamp(5),
        imports: vec!["segno:step/log".into()],
        requests: serde_json::from_str(r#"{"http":["https://api.example.com"]}"#).unwrap(),
    }
}

fn workflow(name: &str) -> WorkflowRecord {
    let properties = Properties {
        owner: Some("weather-team".into()),
        tags: vec!["nightly".into()],
        run_strategy: Some(RunStrategy::Parallel(3)),
        ..Properties::default()
    };
    WorkflowRecord {
        name: name.into(),
        latest_version: 2,
        active_version: Some(1),
        changed_at: Timestamp(7),
        properties,
    }
}

fn version(workflow: &str, version: u64) -> VersionRecord {
    let pin = Pin {
        name: "load".into(),
        version: "1.2.0".into(),
        digest: Digest::of(b"load").to_string(),
    };
    VersionRecord {
        workflow: workflow.into(),
        version,
        source: "workflow: report\n# \u{1F3B5}".into(),
        pins: BTreeMap::from([("load@1".into(), pin)]),
        created_at: Timestamp(8),
        created_by: "ada".into(),
    }
}
