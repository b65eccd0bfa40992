//! Signals on a store in memory, without runs: who is served is what the calls
//! give back.

use super::*;
use crate::store::Memory;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use segno_engine::id::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HOUR_MS: u64 = 60 * 60 * 1_000;

struct Host {
    store: Store,
    signals: Signals,
    owner: TenantId,
}

impl Host {
    fn new() -> Self {
        let store = Store::on(Memory::default()).unwrap();
        Self { store, signals: Signals::default(), owner: "a".parse().unwrap() }
    }

    /// The same rows, with nothing in memory.
    fn restarted(self) -> Self {
        settle(&self.store.barrier());
        Self { signals: Signals::default(), ..self }
    }

    fn order(&self, publish: Publish, at: u64) -> Result<Ordered, PublishError> {
        let fresh = format!("fresh {:032x}", rand::random::<u128>());
        let given = (Timestamp(at), fresh);
        self.signals.order(&self.store, (&self.owner, publish), Vec::new(), given)
    }

    /// Publishes and waits; gives the sequence and who was served.
    fn publish(&self, publish: Publish) -> (u64, Vec<Waiter>) {
        let Ordered { published, ticket, new, .. } = self.order(publish, 1_000).unwrap();
        settle(&ticket);
        (published.sequence, new.map(|(_, waiters)| waiters).unwrap_or_default())
    }

    fn seen(&self, names: &[&str]) -> Vec<Last> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        self.signals.last(&self.store, &self.owner, &names).unwrap()
    }

    fn subscribe(&self, seen: &[Last], waiters: Vec<(String, Pattern, Waiter)>) -> bool {
        let with = (&self.owner, seen);
        self.signals.subscribe(&self.store, with, waiters, || ()).is_some()
    }

    fn kept(&self, name: &str) -> Vec<u64> {
        let all = self.store.signals(&self.owner, name, 0, 1_000).unwrap();
        all.iter().map(|signal| signal.sequence).collect()
    }
}

fn settle(ticket: &Ticket) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(ticket.durable()).unwrap();
}

fn pattern(value: Value) -> Pattern {
    Pattern::of(&value).unwrap()
}

fn params(value: Value) -> Params {
    Params::of(&value).unwrap()
}

fn signal(name: &str, id: Option<&str>, asked: Value) -> Publish {
    Publish {
        name: name.to_owned(),
        id: id.map(str::to_owned),
        params: params(asked),
        payload: Payload::null(),
        publisher: Publisher::api("api"),
    }
}

fn waiter(run: u128, after: u64) -> Waiter {
    let run = RunId::new(Timestamp(1), run);
    Waiter { run, step: 0, sequence: 0, index: 0, after }
}

fn wait(name: &str, asked: Value, waiter: Waiter) -> (String, Pattern, Waiter) {
    (name.to_owned(), pattern(asked), waiter)
}

#[test]
fn an_id_is_published_once() {
    let mut host = Host::new();
    let publish = |host: &Host, name: &str, asked: Value| {
        host.order(signal(name, Some("x"), asked), 1_000).map(|ordered| ordered.published)
    };
    // First while the commits may be on their way, then from the store alone.
    for round in 0..2 {
        let first = publish(&host, "tick", json!({ "a": 1 })).unwrap();
        assert_eq!((first.sequence, first.repeated), (1, round > 0));
        let again = publish(&host, "tick", json!({ "a": 1.0 })).unwrap();
        assert_eq!((again.sequence, again.repeated), (1, true));
        let refused = publish(&host, "tick", json!({ "a": 2 })).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "signal id \"x\" belongs to tick number 1, which has other params or another payload; use a new id"
        );
        let mut other = signal("tick", Some("x"), json!({ "a": 1 }));
        other.payload = Payload::empty_object().clone();
        assert!(matches!(host.order(other, 1_000), Err(PublishError::IdTaken { .. })));
        let elsewhere = publish(&host, "tock", json!({})).unwrap();
        assert_eq!(elsewhere.sequence, 1);
        host = host.restarted();
    }
    assert_eq!(host.publish(signal("tick", None, json!({}))).0, 2);
    assert_eq!(host.kept("tick"), [1, 2]);
}

#[test]
fn what_goes_with_a_signal_is_written_also_when_it_is_repeated() {
    let host = Host::new();
    for n in 0..2 {
        let run = RunId::new(Timestamp(1), 1);
        let extra = vec![Write::event(&host.owner, run, n, vec![1])];
        let publish = signal("tick", Some("x"), json!({}));
        let given = (Timestamp(1), String::new());
        let with = (&host.owner, publish);
        let ordered = host.signals.order(&host.store, with, extra, given).unwrap();
        assert_eq!(ordered.published.repeated, n == 1);
        settle(&ordered.ticket);
        assert_eq!(host.store.events(&host.owner, run, n, 9).unwrap().len(), 1);
    }
}

#[test]
fn many_threads_publish_into_one_order_and_ids_count_once() {
    const THREADS: usize = 8;
    const EACH: usize = 150;
    let host = Host::new();
    let names = ["one", "two", "three"];
    let publish_all = |thread: usize| -> Vec<Published> {
        let one = |n: usize| {
            // Half of the ids are wanted by every thread at once.
            let id = match n % 2 {
                0 => format!("shared {n}"),
                _ => format!("own {thread} {n}"),
            };
            let publish = signal(names[n % 3], Some(&id), json!({ "n": n }));
            let ordered = host.order(publish, 1_000).unwrap();
            if n.is_multiple_of(16) {
                settle(&ordered.ticket);
            }
            ordered.published
        };
        (0..EACH).map(one).collect()
    };
    let published: Vec<Published> = std::thread::scope(|scope| {
        let publish_all = &publish_all;
        let threads: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || publish_all(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    settle(&host.store.barrier());
    let mut by_id: BTreeMap<(String, String), u64> = BTreeMap::new();
    for Published { name, id, sequence, .. } in &published {
        let known = by_id.entry((name.clone(), id.clone())).or_insert(*sequence);
        assert_eq!(known, sequence, "one id, one place");
    }
    let new = published.iter().filter(|published| !published.repeated).count();
    assert_eq!(new, by_id.len());
    assert_eq!(new, EACH / 2 + THREADS * EACH / 2);
    for name in names {
        let count = by_id.keys().filter(|(its, _)| its == name).count() as u64;
        let all: Vec<u64> = (1..=count).collect();
        assert_eq!(host.kept(name), all);
        assert_eq!(host.store.last_signal(&host.owner, name), Ok(count));
    }
}

#[test]
fn nothing_slips_between_a_look_and_a_wait() {
    let host = Host::new();
    let seen = host.seen(&["tick", "tock"]);
    host.publish(signal("tock", None, json!({})));
    assert!(!host.subscribe(&seen, vec![wait("tick", json!({}), waiter(1, 0))]));
    let seen = host.seen(&["tick", "tock"]);
    assert_eq!(seen.iter().map(|last| last.sequence).collect::<Vec<_>>(), [0, 1]);
    let conditions = vec![
        wait("tick", json!({ "a": true }), waiter(1, 0)),
        wait("tock", json!({}), waiter(1, 1)),
    ];
    assert!(host.subscribe(&seen, conditions));
    assert_eq!(host.publish(signal("tick", None, json!({ "a": 1 }))), (1, vec![]));
    let served = host.publish(signal("tick", None, json!({ "a": true, "b": 1 })));
    assert_eq!(served, (2, vec![waiter(1, 0)]));
    let patterns =
        [("tick".to_owned(), pattern(json!({}))), ("tock".to_owned(), pattern(json!({})))];
    host.signals.lock().waiting.remove(&host.owner, &patterns, waiter(1, 0).run, 0);
    assert_eq!(host.publish(signal("tock", None, json!({}))), (2, vec![]));
}

#[test]
fn waiters_that_come_while_others_publish_get_the_very_next_signal() {
    const SIGNALS: u64 = 400;
    let host = Host::new();
    let publish_all = || {
        let mut served = Vec::new();
        for _ in 0..SIGNALS {
            let ordered = host.order(signal("tick", None, json!({})), 1_000).unwrap();
            let sequence = ordered.published.sequence;
            let (_, waiters) = ordered.new.unwrap();
            served.extend(waiters.into_iter().map(|waiter| (waiter, sequence)));
        }
        served
    };
    let subscribe_once = |run: u128| {
        let seen = host.seen(&["tick"]);
        let waiter = waiter(run, seen[0].sequence);
        host.subscribe(&seen, vec![wait("tick", json!({}), waiter)])
    };
    let subscribe_all = |runs: std::ops::Range<u128>| {
        for run in runs {
            while !subscribe_once(run) {}
        }
    };
    let served: Vec<(Waiter, u64)> = std::thread::scope(|scope| {
        let publisher = scope.spawn(publish_all);
        let subscribers =
            [1_000..1_100, 2_000..2_100].map(|runs| scope.spawn(|| subscribe_all(runs)));
        subscribers.into_iter().for_each(|thread| thread.join().unwrap());
        publisher.join().unwrap()
    });
    for (waiter, sequence) in &served {
        assert_eq!(*sequence, waiter.after + 1);
    }
    let (last, rest) = host.publish(signal("tick", None, json!({})));
    assert!(rest.iter().all(|waiter| waiter.after + 1 == last));
    assert_eq!(served.len() + rest.len(), 200, "each is served, and once");
}

#[test]
fn an_id_is_free_when_its_signal_is_over_and_not_when_that_is_gone() {
    let host = Host::new();
    host.signals.retention_ms.store(HOUR_MS, Ordering::Relaxed);
    let publish = |id: &str, at: u64| {
        let ordered = host.order(signal("tick", Some(id), json!({ "a": 1 })), at).unwrap();
        settle(&ordered.ticket);
        ordered.published.sequence
    };
    assert_eq!([publish("x", 0), publish("y", 0), publish("z", 9)], [1, 2, 3]);
    let now = HOUR_MS + 1;
    assert_eq!(publish("x", now), 4, "its time is over");
    assert_eq!(publish("z", now), 3, "not yet");
    let all = host.store.signals(&host.owner, "tick", 0, 2).unwrap();
    settle(&host.signals.take_away(&host.store, &host.owner, &all).unwrap());
    assert_eq!(host.kept("tick"), [3, 4]);
    assert_eq!(publish("x", now), 4, "the later one keeps the id");
    assert_eq!(publish("y", now), 5);
    assert_eq!(host.restarted().publish(signal("tick", None, json!({}))).0, 6);
}

#[test]
fn an_id_whose_signal_goes_at_this_moment_is_free() {
    let host = Host::new();
    let (first, _) = host.publish(signal("tick", Some("x"), json!({})));
    // As somebody sees it who reads the row of the id before that commit, and the
    // signal after it.
    let gone = host.store.signal(&host.owner, "tick", first).unwrap().unwrap();
    let gone = Write::signal_expired(&host.owner, &gone, false).unwrap();
    settle(&host.store.commit(gone));
    let again = host.order(signal("tick", Some("x"), json!({})), 1_000).unwrap().published;
    assert_eq!((again.sequence, again.repeated), (2, false));
}

#[test]
fn a_signal_with_many_uses_goes_with_the_last_of_them() {
    let host = Host::new();
    host.publish(signal("tick", None, json!({ "a": 1 })));
    let uses: Vec<_> = (0..1_200)
        .map(|n| {
            let run = RunId::new(Timestamp(1), n);
            let used = store::SignalUse { run, step: None, trigger: None, at: Timestamp(2) };
            Write::signal_use(&host.owner, ("tick", 1), &used).unwrap()
        })
        .collect();
    settle(&host.store.commit(uses));
    let uses_left = || {
        let page = host.store.signal_uses(&host.owner, ("tick", 1), &store::Paging::first(1_000));
        let page = page.unwrap();
        page.items.len() + if page.next.is_some() { 200 } else { 0 }
    };
    for (left, kept) in [(700, 1), (200, 1), (0, 0)] {
        let all = host.store.signals(&host.owner, "tick", 0, 9).unwrap();
        settle(&host.signals.take_away(&host.store, &host.owner, &all).unwrap());
        assert_eq!((uses_left(), host.kept("tick").len()), (left, kept), "a little at a time");
    }
    assert_eq!(host.store.last_signal(&host.owner, "tick"), Ok(1));
}

#[test]
fn a_wait_is_shown_nothing_whose_time_is_over() {
    let host = Host::new();
    for at in [0, 5, 9] {
        settle(&host.order(signal("tick", None, json!({})), at).unwrap().ticket);
    }
    let waiters = vec![wait("tick", json!({}), waiter(1, 0))];
    host.signals.resubscribe(&host.store, &host.owner, waiters).unwrap();
    host.signals.retention_ms.store(HOUR_MS, Ordering::Relaxed);
    let woken = Mutex::new(Vec::new());
    let wake = |_: &TenantId, _: &Waiter, signal: &Arc<SignalRecord>| {
        woken.lock().unwrap().push(signal.sequence);
    };
    host.signals.catch_up((&host.store, Timestamp(HOUR_MS + 6)), wake).unwrap();
    assert_eq!(*woken.lock().unwrap(), [3]);
}

proptest! {
    #[test]
    fn the_last_that_is_over_is_found(
        (count, gone, over) in (0..70_u64, 0..70_u64, 0..70_u64),
        after in 0..75_u64,
    ) {
        let host = Host::new();
        for n in 1..=count {
            host.order(signal("tick", None, json!({})), n).unwrap();
        }
        settle(&host.store.barrier());
        let all = host.store.signals(&host.owner, "tick", 0, gone as usize).unwrap();
        settle(&host.signals.take_away(&host.store, &host.owner, &all).unwrap());
        let kept = host.kept("tick");
        host.signals.retention_ms.store(HOUR_MS, Ordering::Relaxed);
        let retention = host.signals.retention(Timestamp(HOUR_MS + over + 1));
        let passed = retention.passed(&host.store, (&host.owner, "tick"), after).unwrap();
        let expected = kept.into_iter().filter(|n| after < *n && *n <= over).max();
        prop_assert_eq!(passed, expected.unwrap_or(after));
    }
}

#[test]
fn after_a_restart_waiters_are_shown_what_is_kept_in_order() {
    let host = Host::new();
    for n in 1..=50 {
        host.publish(signal("tick", None, json!({ "n": n })));
    }
    let host = host.restarted();
    let waiters = vec![
        wait("tick", json!({ "n": 30 }), waiter(1, 0)),
        wait("tick", json!({}), waiter(2, 45)),
        wait("tick", json!({ "n": 10 }), waiter(3, 10)),
        wait("tick", json!({}), waiter(4, 50)),
        wait("tock", json!({}), waiter(5, 0)),
    ];
    host.signals.resubscribe(&host.store, &host.owner, waiters).unwrap();
    // What is published before everybody has caught up does not overtake.
    for _ in 0..2 {
        assert_eq!(host.publish(signal("tick", None, json!({ "n": 10 }))).1, []);
    }
    let woken = Mutex::new(Vec::new());
    let wake = |_: &TenantId, waiter: &Waiter, signal: &Arc<SignalRecord>| {
        woken.lock().unwrap().push((*waiter, signal.sequence));
    };
    host.signals.catch_up((&host.store, Timestamp(1_000)), wake).unwrap();
    let expected =
        [(waiter(1, 0), 30), (waiter(2, 45), 46), (waiter(3, 10), 51), (waiter(4, 50), 51)];
    assert_eq!(*woken.lock().unwrap(), expected);
    host.signals.catch_up((&host.store, Timestamp(1_000)), wake).unwrap();
    assert_eq!(woken.lock().unwrap().len(), 4);
    assert_eq!(host.publish(signal("tock", None, json!({}))).1, [waiter(5, 0)]);
}

#[test]
fn whoever_comes_back_later_misses_nothing_that_is_on_its_way() {
    let host = Host::new();
    let woken = Mutex::new(Vec::new());
    for round in 0..50 {
        let first = 2 * round;
        // Neither of the two is durable for sure when the waiters come back.
        for _ in 0..2 {
            host.order(signal("tick", None, json!({})), 1_000).unwrap();
        }
        let back = |run, after| {
            let waiters = vec![wait("tick", json!({}), waiter(run, after))];
            host.signals.resubscribe(&host.store, &host.owner, waiters).unwrap();
        };
        back(1, first + 1);
        let wake = |_: &TenantId, waiter: &Waiter, signal: &Arc<SignalRecord>| {
            woken.lock().unwrap().push((waiter.run, signal.sequence));
            // Another comes back while this one is woken, and has seen less.
            if waiter.run == self::waiter(1, 0).run {
                back(2, first);
                host.signals
                    .catch_up((&host.store, Timestamp(1_000)), |_, _, _| panic!("one at a time"))
                    .unwrap();
            }
        };
        host.signals.catch_up((&host.store, Timestamp(1_000)), wake).unwrap();
        let expected = [(waiter(1, 0).run, first + 2), (waiter(2, 0).run, first + 1)];
        assert_eq!(std::mem::take(&mut *woken.lock().unwrap()), expected);
    }
    assert!(host.signals.lock().behind.is_empty());
}

fn few_params() -> impl Strategy<Value = Params> {
    let members = proptest::collection::btree_map("[xyz]", 0..3_i64, 0..4);
    members.prop_map(|members| {
        params(Value::Object(members.into_iter().map(|(name, n)| (name, n.into())).collect()))
    })
}

fn few_tests() -> impl Strategy<Value = Pattern> {
    let operator = select(vec!["=", "!=", ">", ">=", "<", "<="]);
    let test = prop_oneof![
        2 => (0..3_i64).prop_map(Value::from),
        2 => (operator, 0..3_i64).prop_map(|(name, number)| json!({ name: number })),
        1 => vec(0..3_i64, 1..3).prop_map(|all| json!({ "in": all })),
    ];
    proptest::collection::btree_map("[xyz]", test, 0..4)
        .prop_map(|members| Pattern::of(&json!(members)).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_search_finds_what_reading_everything_finds(
        published in vec(few_params(), 0..60),
        asked in vec((few_tests(), 0..40_u64, 0..70_u64), 20),
        taken in proptest::collection::hash_set(1..60_u64, 0..30),
        expired in 0..20_usize,
    ) {
        let host = Host::new();
        for params in published {
            host.order(Publish { params, ..signal("tick", None, json!({})) }, 1_000).unwrap();
        }
        settle(&host.store.barrier());
        let all = host.store.signals(&host.owner, "tick", 0, 1_000).unwrap();
        let (gone, kept) = all.split_at(expired.min(all.len()));
        for signal in gone {
            host.store.commit(Write::signal_expired(&host.owner, signal, true).unwrap());
        }
        settle(&host.store.barrier());
        for (pattern, after, until) in asked {
            let fits = |signal: &&SignalRecord| {
                let is_within = after < signal.sequence && signal.sequence <= until;
                is_within && pattern.fits(&signal.params) && !taken.contains(&signal.sequence)
            };
            let expected = kept.iter().find(fits);
            let between = (after, until);
            let wanted =
                Wanted { tenant: &host.owner, name: "tick", pattern: &pattern, between, taken: &taken };
            let found = find::find(&host.store, &wanted, 1).unwrap();
            prop_assert_eq!(found.first(), expected);
            let found = find::find(&host.store, &wanted, 5).unwrap();
            let expected: Vec<_> = kept.iter().filter(fits).take(5).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
