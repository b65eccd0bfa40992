//! The rows of schedules: found by name, ticks newest first and swept a few at a
//! time, backfills by number, and nothing left of one that was deleted.

use super::super::{
    BackfillRecord, BackfillState, PAGE_LOOKS_MAX, Paging, PauseOver, SCHEDULE_BYTES_MAX,
    ScheduleRecord, Store, TICK_RETENTION_MS, TICKS_MAX, TickOutcome, TickRecord, Write,
};
use super::{Place, commit, on_every_backend, tenant};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::schedule::state::{Paused, ScheduleState};
use segno_engine::schedule::{Rule, Schedule, Spec};

on_every_backend! {
    schedules_are_found_by_name_and_listed
    schedules_of_one_workflow_fill_their_pages
    ticks_are_listed_newest_first
    old_ticks_go_a_few_at_a_time
    backfills_are_open_until_their_runs_are_over
    a_schedule_that_is_gone_leaves_nothing
    the_longest_name_fits
}

fn spec() -> Schedule {
    Schedule::new(Spec::of(Rule::Cron("*/2 * * * *".to_owned()))).unwrap()
}

fn record(name: &str) -> ScheduleRecord {
    ScheduleRecord {
        name: name.to_owned(),
        workflow: "report".to_owned(),
        version: "active".to_owned(),
        spec: spec(),
        state: ScheduleState::new(Timestamp(7)),
        last_pause: Some(PauseOver {
            paused: Paused { since: Timestamp(4), by: "ada".to_owned(), note: None },
            ended_at: Timestamp(5),
            ended_by: "eve".to_owned(),
            end_note: Some("it is over".to_owned()),
        }),
        trigger: None,
        cancelling: vec![RunId::new(Timestamp(3), 4)],
        note: Some("for the board".to_owned()),
        created_at: Timestamp(1),
        created_by: "ada".to_owned(),
        changed_at: Timestamp(2),
        changed_by: "eve".to_owned(),
        ticks: (1, 1),
        next_backfill: 1,
    }
}

fn tick(sequence: u64, decided_at: u64) -> TickRecord {
    TickRecord {
        sequence,
        at: Timestamp(sequence * 10),
        last: Timestamp(sequence * 10),
        count: 1,
        outcome: TickOutcome::Run(RunId::new(Timestamp(sequence), 9)),
        decided_at: Timestamp(decided_at),
        backfill: None,
        by: None,
    }
}

fn backfill(number: u64, state: BackfillState, open: Vec<RunId>) -> BackfillRecord {
    BackfillRecord {
        number,
        from: Timestamp(0),
        until: Timestamp(100),
        concurrency: 2,
        state,
        spec: spec(),
        instants: 10,
        done_until: Some(Timestamp(20)),
        decided: 3,
        started: 2,
        succeeded: 0,
        failed: 1,
        open,
        note: None,
        key: None,
        created_at: Timestamp(1),
        created_by: "ada".to_owned(),
        changed_at: Timestamp(1),
        changed_by: "ada".to_owned(),
    }
}

fn keep_ticks(store: &Store, owner: &TenantId, ticks: impl IntoIterator<Item = TickRecord>) {
    let writes = ticks.into_iter().map(|tick| Write::tick(owner, "nightly", &tick).unwrap());
    commit(store, writes.collect());
}

fn schedules_are_found_by_name_and_listed(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for name in ["nightly", "report/morning", "hourly"] {
        commit(&store, vec![Write::schedule(&owner, &record(name)).unwrap()]);
    }
    drop(store);
    let store = place.open();
    assert_eq!(store.schedule(&owner, "nightly"), Ok(Some(record("nightly"))));
    assert_eq!(store.schedule(&owner, "night"), Ok(None));
    assert_eq!(store.schedule(&tenant("b"), "nightly"), Ok(None));
    let first = store.schedules(&owner, None, &Paging::first(2)).unwrap();
    assert_eq!(first.items, [record("hourly"), record("nightly")]);
    let rest = store.schedules(&owner, None, &Paging::first(2).after(first.next)).unwrap();
    assert_eq!((rest.items, rest.next), (vec![record("report/morning")], None));
    let mut all = Vec::new();
    store.all_schedules(|owner, record| all.push((owner.clone(), record.name))).unwrap();
    let expected = ["hourly", "nightly", "report/morning"].map(|name| (owner.clone(), name.into()));
    assert_eq!(all, expected);
}

fn schedules_of_one_workflow_fill_their_pages(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let of = |workflow: &str, name: String| ScheduleRecord {
        workflow: workflow.to_owned(),
        ..record(&name)
    };
    let keep = |records: &[ScheduleRecord]| {
        let writes = records.iter().map(|record| Write::schedule(&owner, record).unwrap());
        commit(&store, writes.collect());
    };
    let rare: Vec<_> =
        [5, 900, 2_000].map(|at| of("rare", format!("{at:05}/rare"))).into_iter().collect();
    let often = |range: std::ops::Range<usize>| -> Vec<_> {
        range.map(|at| of("often", format!("{at:05}"))).collect()
    };
    keep(&rare);
    keep(&often(0..3_000));
    let page = |limit: usize, after| {
        let page = store.schedules(&owner, Some("rare"), &Paging::first(limit).after(after));
        let page = page.unwrap();
        (page.items, page.next)
    };
    assert_eq!(page(10, None), (rare.clone(), None));
    assert_eq!(page(3, None), (rare.clone(), None), "no page is empty but the only one");
    let (first, next) = page(2, None);
    assert_eq!((first.as_slice(), next.is_some()), (&rare[..2], true));
    assert_eq!(page(2, next), (vec![rare[2].clone()], None));
    let none = store.schedules(&owner, Some("none"), &Paging::first(2)).unwrap();
    assert_eq!((none.items, none.next), (Vec::new(), None));

    // A page has an end, however many others there are.
    keep(&often(3_000..PAGE_LOOKS_MAX + 10));
    let last = of("rare", "99999".to_owned());
    keep(std::slice::from_ref(&last));
    let (first, next) = page(10, None);
    assert_eq!((first.as_slice(), next.is_some()), (&rare[..], true));
    assert_eq!(page(10, next), (vec![last], None));
}

fn ticks_are_listed_newest_first(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    keep_ticks(&store, &owner, [1, 2, 300].map(|sequence| tick(sequence, 5)));
    let other = Write::tick(&owner, "nightl", &tick(9, 5)).unwrap();
    commit(&store, vec![other]);
    let first = store.ticks(&owner, "nightly", &Paging::first(2)).unwrap();
    assert_eq!(first.items, [tick(300, 5), tick(2, 5)]);
    let rest = store.ticks(&owner, "nightly", &Paging::first(2).after(first.next)).unwrap();
    assert_eq!((rest.items, rest.next), (vec![tick(1, 5)], None));
    assert_eq!(store.tick(&owner, "nightly", 300), Ok(Some(tick(300, 5))));
    assert_eq!(store.tick(&owner, "nightly", 3), Ok(None));
}

fn old_ticks_go_a_few_at_a_time(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    keep_ticks(&store, &owner, (1..=9).map(|sequence| tick(sequence, sequence)));
    let mut nightly = record("nightly");
    nightly.ticks = (1, 10);
    let mut sweep = |now| {
        let writes = store.ticks_expired(&owner, &mut nightly, Timestamp(now)).unwrap();
        let count = writes.len();
        commit(&store, writes);
        (count, nightly.ticks)
    };
    assert_eq!(sweep(TICK_RETENTION_MS), (0, (1, 10)));
    assert_eq!(sweep(TICK_RETENTION_MS + 3), (2, (3, 10)), "only those that are too old");
    assert_eq!(sweep(TICK_RETENTION_MS + 99), (4, (7, 10)), "no more at a time");
    assert_eq!(sweep(TICK_RETENTION_MS + 99), (3, (10, 10)));
    assert_eq!(sweep(TICK_RETENTION_MS + 99), (0, (10, 10)));
    assert_eq!(store.ticks(&owner, "nightly", &Paging::first(9)).unwrap().items, []);
    nightly.ticks = (20, 20 + TICKS_MAX + 2);
    let writes = store.ticks_expired(&owner, &mut nightly, Timestamp(1)).unwrap();
    assert_eq!((writes.len(), nightly.ticks.0), (2, 22), "only those that are too many");
}

fn backfills_are_open_until_their_runs_are_over(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let run = RunId::new(Timestamp(1), 1);
    let all = [
        backfill(1, BackfillState::Done, Vec::new()),
        backfill(2, BackfillState::Cancelled, vec![run]),
        backfill(3, BackfillState::Paused, Vec::new()),
        backfill(4, BackfillState::Cancelled, Vec::new()),
        backfill(5, BackfillState::Running, vec![run]),
    ];
    let writes = all.iter().map(|it| Write::backfill(&owner, "nightly", it).unwrap());
    commit(&store, writes.collect());
    let open = store.open_backfills(&owner, "nightly").unwrap();
    assert_eq!(open.iter().map(|it| it.number).collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(store.backfill(&owner, "nightly", 2), Ok(Some(all[1].clone())));
    let first = store.backfills(&owner, "nightly", &Paging::first(2)).unwrap();
    assert_eq!(first.items, [all[4].clone(), all[3].clone()]);
    assert_eq!(all[4].left(), 7);
}

fn a_schedule_that_is_gone_leaves_nothing(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let mut gone = record("nightly");
    (gone.ticks, gone.next_backfill) = ((3, 6), 3);
    keep_ticks(&store, &owner, (3..6).map(|sequence| tick(sequence, 1)));
    let mut writes = vec![Write::schedule(&owner, &gone).unwrap()];
    for number in [1, 2] {
        let done = backfill(number, BackfillState::Done, Vec::new());
        writes.push(Write::backfill(&owner, "nightly", &done).unwrap());
    }
    writes.push(Write::schedule(&owner, &record("nightly-2")).unwrap());
    commit(&store, writes);
    commit(&store, Write::schedule_gone(&owner, &gone).unwrap());
    assert_eq!(store.schedule(&owner, "nightly"), Ok(None));
    assert_eq!(store.ticks(&owner, "nightly", &Paging::first(9)).unwrap().items, []);
    assert_eq!(store.backfills(&owner, "nightly", &Paging::first(9)).unwrap().items, []);
    assert_eq!(store.schedule(&owner, "nightly-2"), Ok(Some(record("nightly-2"))));
}

fn the_longest_name_fits(place: &dyn Place) {
    let store = place.open();
    let owner = tenant(&"a".repeat(63));
    let name = "n".repeat(SCHEDULE_BYTES_MAX);
    commit(
        &store,
        vec![
            Write::schedule(&owner, &record(&name)).unwrap(),
            Write::tick(&owner, &name, &tick(1 << 40, 1)).unwrap(),
        ],
    );
    assert_eq!(store.schedule(&owner, &name), Ok(Some(record(&name))));
    assert!(Write::schedule(&owner, &record(&format!("{name}n"))).is_err());
    assert!(Write::schedule(&owner, &record("")).is_err());
}
