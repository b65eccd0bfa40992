//! Order, wholeness and durability of commits.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Error, Key, Prefix, Scan, Stats, Store, Ticket, Write};
use super::{Place, block_on, commit, noise, on_every_backend, put, run, settle, tenant};
use segno_engine::id::{RunId, TenantId};

on_every_backend! {
    a_durable_commit_has_all_before_it
    a_later_write_wins
    an_empty_commit_is_a_barrier
    a_waiter_may_give_up
    a_commit_is_seen_whole
    every_thread_keeps_its_order
    reopening_finds_everything
    closing_writes_what_is_ordered_and_refuses_the_rest
    dropping_writes_what_is_ordered
    large_values_come_and_go
    a_group_has_one_flush
}

fn a_durable_commit_has_all_before_it(place: &dyn Place) {
    let store = place.open();
    let key = |n| Key::event(&tenant("a"), run(1), n);
    let tickets: Vec<Ticket> =
        (0..3000).map(|n| store.commit(vec![put(key(n), n.to_be_bytes())])).collect();
    settle(&tickets[2000]);
    assert!(tickets[..=2000].iter().all(Ticket::is_durable));
    settle(&store.barrier());
    assert!(tickets.iter().all(Ticket::is_durable));
    for n in 0..3000 {
        assert_eq!(store.get(&key(n)).unwrap().unwrap(), n.to_be_bytes());
    }
}

fn a_later_write_wins(place: &dyn Place) {
    let store = place.open();
    let key = |n| Key::event(&tenant("a"), run(1), n);
    store.commit(vec![
        put(key(1), "first"),
        put(key(2), "first"),
        put(key(1), "second"),
        Write::Delete { key: key(2) },
        Write::Delete { key: key(3) },
        put(key(3), "only"),
    ]);
    store.commit(vec![put(key(1), "third"), put(key(4), "gone")]);
    let last = store.commit(vec![Write::Delete { key: key(4) }]);
    settle(&last);
    let value = |n| store.get(&key(n)).unwrap();
    assert_eq!(value(1).unwrap(), b"third");
    assert_eq!(value(2), None);
    assert_eq!(value(3).unwrap(), b"only");
    assert_eq!(value(4), None);
}

fn an_empty_commit_is_a_barrier(place: &dyn Place) {
    let store = place.open();
    assert!(Ticket::done().is_durable());
    assert!(store.barrier().is_durable(), "nothing is ordered yet");
    let first = store.commit(vec![put(Key::run(&tenant("a"), run(1)), "x")]);
    settle(&store.commit(Vec::new()));
    assert!(first.is_durable());
    settle(&Ticket::done());
    assert_eq!(store.stats().commits, 1);
}

fn a_waiter_may_give_up(place: &dyn Place) {
    let store = place.open();
    let ticket = store.commit(vec![put(Key::run(&tenant("a"), run(1)), "x")]);
    block_on(async {
        for _ in 0..100 {
            // Polled once, then dropped.
            tokio::select! { biased;
                _ = ticket.durable() => {}
                () = std::future::ready(()) => {}
            }
        }
        ticket.durable().await.unwrap();
    });
}

fn a_commit_is_seen_whole(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    // Far apart in the tree, and of sizes that are kept in different ways.
    let rows = |n: u64| {
        let large = [n.to_be_bytes().as_slice(), &noise(9000)].concat();
        vec![
            put(Key::event(&owner, run(1), 0), n.to_be_bytes()),
            put(Key::event(&owner, run(1), 1), large),
            put(Key::event(&owner, run(1), 2), n.to_be_bytes()),
        ]
    };
    commit(&store, rows(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..300 {
                commit(&store, rows(n));
            }
            done.store(true, Ordering::Release);
        });
        let scan = Scan::new(Prefix::events(&owner, run(1)), 10);
        while !done.load(Ordering::Acquire) {
            let seen = store.scan(&scan).unwrap();
            assert_eq!(seen.len(), 3);
            assert!(seen.iter().all(|(_, value)| value[..8] == seen[0].1[..8]));
            assert!(seen[1].1.ends_with(&noise(9000)));
        }
    });
}

fn every_thread_keeps_its_order(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (store, owner) = (&store, &owner);
            scope.spawn(move || commit_a_hundred(store, owner, run(thread)));
        }
    });
    settle(&store.barrier());
    for thread in 0..16 {
        let events = store.events(&owner, run(thread), 0, 1000).unwrap();
        assert!(events.iter().map(|(n, _)| *n).eq(0..100));
        let latest = store.get(&Key::run(&owner, run(thread))).unwrap();
        assert_eq!(latest.unwrap(), 99_u64.to_be_bytes());
    }
}

fn commit_a_hundred(store: &Store, owner: &TenantId, run: RunId) {
    let latest = Key::run(owner, run);
    for n in 0..100_u64 {
        let event = Key::event(owner, run, n);
        let ticket = store.commit(vec![put(latest.clone(), n.to_be_bytes()), put(event, "x")]);
        if n % 3 == 0 {
            settle(&ticket);
            assert_eq!(store.get(&latest).unwrap().unwrap(), n.to_be_bytes());
        }
    }
}

fn reopening_finds_everything(place: &dyn Place) {
    let owner = tenant("a");
    for round in 0..5_u64 {
        let store = place.open();
        let found = store.events(&owner, run(1), 0, 1000).unwrap();
        assert!(found.iter().map(|(n, _)| *n).eq(round.saturating_sub(1)..round));
        let mut writes = vec![Write::event(&owner, run(1), round, noise(100))];
        if round > 0 {
            let key = Key::event(&owner, run(1), round - 1);
            writes.push(Write::Delete { key });
        }
        commit(&store, writes);
    }
}

fn closing_writes_what_is_ordered_and_refuses_the_rest(place: &dyn Place) {
    let store = place.open();
    let key = |n| Key::event(&tenant("a"), run(1), n);
    let before = store.commit(vec![put(key(1), "x")]);
    store.close().unwrap();
    assert!(before.is_durable());
    let after = store.commit(vec![put(key(2), "x")]);
    assert!(!after.is_durable());
    let refused = block_on(after.durable()).unwrap_err();
    assert_eq!(refused.to_string(), "the store is unavailable: the store is closed");
    assert!(store.get(&key(1)).unwrap().is_some());
    settle(&store.barrier());
    store.close().unwrap();
}

fn dropping_writes_what_is_ordered(place: &dyn Place) {
    let key = Key::run(&tenant("a"), run(1));
    let ticket = place.open().commit(vec![put(key.clone(), "x")]);
    settle(&ticket);
    assert!(place.open().get(&key).unwrap().is_some());
}

fn large_values_come_and_go(place: &dyn Place) {
    let key = Key::run(&tenant("a"), run(1));
    let sizes = [0, 1, 4095, 4096, 4097, 8192, 1 << 20, 5000, 3 << 20, 100_000, 10, 1 << 20];
    for size in sizes {
        let store = place.open();
        commit(&store, vec![put(key.clone(), noise(size))]);
        assert!(store.get(&key).unwrap().unwrap() == noise(size), "{size}");
        drop(store);
        assert!(place.open().get(&key).unwrap().unwrap() == noise(size), "{size}");
    }
    let store = place.open();
    commit(&store, vec![Write::Delete { key: key.clone() }]);
    assert_eq!(store.get(&key).unwrap(), None);
}

fn a_group_has_one_flush(place: &dyn Place) {
    let store = place.open();
    let key = |n| Key::event(&tenant("a"), run(1), n);
    for n in 0..5000 {
        store.commit(vec![put(key(n), "x"), put(key(n), "y")]);
    }
    settle(&store.barrier());
    let Stats { commits, groups, rows, bytes, queued_commits, queued_bytes } = store.stats();
    assert_eq!((commits, rows, queued_commits, queued_bytes), (5000, 5000, 0, 0));
    assert_eq!(bytes, 5000 * (key(0).as_bytes().len() as u64 + 1));
    assert!((5..=5000).contains(&groups), "at most 1024 commits share a flush");
    let failed = block_on(async {
        tokio::select! { biased;
            error = store.failed() => Some(error),
            () = std::future::ready(()) => None,
        }
    });
    assert_eq!(failed, None::<Error>);
}
