//! What permits promise.

use crate::config;
use crate::permit_model::Model;
use proptest::prelude::*;
use segno_engine::permit::{Acquired, Permits, Shortage};

const NAMES: [&str; 4] = ["root:a", "tag:x", "tag:y", "workflow:w"];
const HOLDERS: u8 = 12;

#[derive(Clone, Debug)]
enum Move {
    SetLimit(&'static str, Option<u32>),
    Acquire(u8, Vec<String>),
    Hold(u8, Vec<String>),
    Renew(u8, Vec<String>),
    Release(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let holder = || 0..HOLDERS;
    let names = || {
        prop::collection::vec(prop::sample::select(NAMES.as_slice()), 0..4)
            .prop_map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let limit = prop_oneof![1 => Just(None), 6 => (0..4_u32).prop_map(Some)];
    let one = prop_oneof![
        2 => (prop::sample::select(NAMES.as_slice()), limit)
            .prop_map(|(name, limit)| Move::SetLimit(name, limit)),
        6 => (holder(), names()).prop_map(|(holder, names)| Move::Acquire(holder, names)),
        1 => (holder(), names()).prop_map(|(holder, names)| Move::Hold(holder, names)),
        2 => (holder(), names()).prop_map(|(holder, names)| Move::Renew(holder, names)),
        5 => holder().prop_map(Move::Release),
    ];
    prop::collection::vec(one, 0..150)
}

/// The permits in use of a name, and how many wait that ask for it.
fn usage(permits: &Permits<u8>, name: &str) -> (Option<u32>, u32, u32) {
    permits
        .usage()
        .find(|usage| usage.name == name)
        .map_or((None, 0, 0), |usage| (usage.limit, usage.held, usage.waiting))
}

fn once(names: &[String]) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    names.iter().for_each(|name| {
        if !once.contains(name) {
            once.push(name.clone());
        }
    });
    once
}

/// Plays one move on both; who was granted by it.
fn play(permits: &mut Permits<u8>, model: &mut Model<u8>, one: &Move) -> Vec<u8> {
    match one {
        Move::SetLimit(name, limit) => {
            let granted = permits.set_limit(name, *limit);
            assert_eq!(granted, model.set_limit(name, *limit));
            granted
        }
        Move::Acquire(holder, names) => {
            let had = permits.holds(holder);
            let acquired = permits.acquire(*holder, names);
            let waits = model.acquire(*holder, &once(names));
            assert_eq!(acquired, waits.map_or(Acquired::Granted, Acquired::Waits));
            let granted = acquired == Acquired::Granted && !had;
            granted.then_some(*holder).into_iter().collect()
        }
        Move::Hold(holder, names) => {
            permits.hold(*holder, names);
            model.hold(*holder, &once(names));
            Vec::new()
        }
        Move::Renew(holder, names) => {
            let granted = permits.renew(holder, names);
            assert_eq!(granted, model.renew(*holder, &once(names)));
            granted
        }
        Move::Release(holder) => {
            let granted = permits.release(holder);
            assert_eq!(granted, model.release(*holder));
            granted
        }
    }
}

/// Both know the same of everybody and of every name.
fn agree(permits: &Permits<u8>, model: &Model<u8>) {
    for holder in 0..HOLDERS {
        assert_eq!(permits.holds(&holder), model.holding.contains_key(&holder));
        let expected = model.waits_for(holder).map(|name| Shortage {
            name: name.clone(),
            limit: model.limits[name],
            in_use: model.held(name),
        });
        assert_eq!(permits.waits_for(&holder), expected);
    }
    for name in NAMES {
        let asks = |(_, names): &&(u8, Vec<String>)| names.iter().any(|asked| asked == name);
        let waiting = model.waiting.iter().filter(asks).count() as u32;
        let expected = (model.limits.get(name).copied(), model.held(name), waiting);
        assert_eq!(usage(permits, name), expected, "{name}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn permits_do_what_a_list_gone_through_from_its_start_would(moves in moves()) {
        let (mut permits, mut model) = (Permits::default(), Model::default());
        for one in &moves {
            let granted = play(&mut permits, &mut model, one);
            agree(&permits, &model);
            // No limit was exceeded by what was granted.
            for name in granted.iter().flat_map(|holder| &model.holding[holder]) {
                let (limit, held, _) = usage(&permits, name);
                prop_assert!(limit.is_none_or(|limit| held <= limit), "{name}");
            }
            // Nobody waits who could be granted: each lacks something.
            for (holder, _) in &model.waiting {
                let shortage = permits.waits_for(holder).expect("it is short of a name");
                prop_assert!(shortage.in_use >= shortage.limit);
            }
        }
    }

    #[test]
    fn nobody_who_waits_is_lost(moves in moves()) {
        let (mut permits, mut model) = (Permits::default(), Model::default());
        for one in &moves {
            play(&mut permits, &mut model, one);
        }
        let mut waiting: Vec<u8> = model.waiting.iter().map(|(holder, _)| *holder).collect();
        for name in NAMES {
            permits.set_limit(name, Some(1)).iter().for_each(|granted| {
                waiting.retain(|holder| holder != granted);
            });
        }
        // Whoever holds gives back, until nobody holds.
        while let Some(holder) = (0..HOLDERS).find(|holder| permits.holds(holder)) {
            permits.release(&holder).iter().for_each(|granted| {
                waiting.retain(|holder| holder != granted);
            });
        }
        prop_assert!(waiting.is_empty(), "{waiting:?}");
        for name in NAMES {
            permits.set_limit(name, None);
        }
        prop_assert_eq!(permits.usage().count(), 0, "nothing is kept of what nobody uses");
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn waits(name: &str) -> Acquired {
    Acquired::Waits(name.to_owned())
}

#[test]
fn a_limit_of_zero_is_a_closed_gate_that_opens_in_order() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(0));
    for holder in 0..5 {
        assert_eq!(permits.acquire(holder, &names(&["tag:x"])), waits("tag:x"));
    }
    assert_eq!(permits.set_limit("tag:x", Some(2)), [0, 1]);
    assert_eq!(permits.release(&3), [0_u8; 0], "it leaves the queue");
    assert_eq!(permits.release(&1), [2]);
    assert_eq!(permits.set_limit("tag:x", None), [4]);
}

#[test]
fn a_lower_limit_takes_nothing_away() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(3));
    for holder in 0..3 {
        assert_eq!(permits.acquire(holder, &names(&["tag:x"])), Acquired::Granted);
    }
    assert_eq!(permits.set_limit("tag:x", Some(1)), [0_u8; 0]);
    assert_eq!(permits.acquire(3, &names(&["tag:x"])), waits("tag:x"));
    assert!((0..3).all(|holder| permits.holds(&holder)));
    assert_eq!(permits.release(&0), [0_u8; 0]);
    assert_eq!(permits.release(&1), [0_u8; 0]);
    assert_eq!(permits.release(&2), [3]);
}

#[test]
fn a_limit_counts_those_who_held_before_there_was_one() {
    let mut permits = Permits::default();
    permits.hold(0, &names(&["tag:x"]));
    assert_eq!(permits.acquire(1, &names(&["tag:x"])), Acquired::Granted);
    permits.set_limit("tag:x", Some(2));
    assert_eq!(permits.acquire(2, &names(&["tag:x"])), waits("tag:x"));
}

#[test]
fn who_lacks_another_name_is_passed_over_and_keeps_its_place() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(1));
    permits.set_limit("tag:y", Some(0));
    assert_eq!(permits.acquire("both", &names(&["tag:x", "tag:y"])), waits("tag:y"));
    // It holds nothing meanwhile, so a newcomer goes on.
    assert_eq!(permits.acquire("first", &names(&["tag:x"])), Acquired::Granted);
    assert_eq!(permits.acquire("second", &names(&["tag:x"])), waits("tag:x"));
    permits.set_limit("tag:y", Some(1));
    let shortage = Shortage { name: "tag:x".to_owned(), limit: 1, in_use: 1 };
    assert_eq!(permits.waits_for(&"both"), Some(shortage));
    assert_eq!(permits.release(&"first"), ["both"], "it came before the second");
    assert_eq!(permits.release(&"both"), ["second"]);
}

#[test]
fn what_is_asked_for_twice_is_counted_once() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(1));
    assert_eq!(permits.acquire(0, &names(&["tag:x", "tag:x"])), Acquired::Granted);
    assert_eq!(permits.acquire(0, &names(&["tag:x"])), Acquired::Granted);
    assert_eq!(permits.acquire(1, &names(&["tag:x"])), waits("tag:x"));
    assert_eq!(permits.acquire(1, &names(&[])), waits("tag:x"));
    assert_eq!(permits.release(&0), [1]);
}

const MANY: u32 = 100_000;

#[test]
fn a_hundred_thousand_go_through_one_name_with_one_look_each() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(3));
    for holder in 0..MANY {
        permits.acquire(holder, &names(&["root:a", "tag:x"]));
    }
    for holder in 0..MANY {
        let next = (holder + 3 < MANY).then_some(holder + 3);
        assert_eq!(permits.release(&holder), Vec::from_iter(next));
    }
    assert!(permits.looks() <= u64::from(MANY), "{}", permits.looks());
}

#[test]
fn those_who_wait_for_the_same_move_together() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(0));
    permits.set_limit("tag:y", Some(0));
    for holder in 0..MANY {
        permits.acquire(holder, &names(&["tag:x", "tag:y"]));
    }
    for _ in 0..1_000 {
        for (open, closed) in [("tag:x", "tag:y"), ("tag:y", "tag:x")] {
            permits.set_limit(closed, Some(0));
            assert_eq!(permits.set_limit(open, Some(1)), [0_u32; 0]);
        }
    }
    assert!(permits.looks() <= 2_000, "{}", permits.looks());
}

#[test]
fn a_release_looks_only_at_those_who_wait_for_what_it_frees() {
    let mut permits = Permits::default();
    permits.set_limit("tag:x", Some(1));
    permits.set_limit("tag:y", Some(1));
    permits.acquire(MANY, &names(&["tag:x"]));
    permits.acquire(MANY + 1, &names(&["tag:y"]));
    for holder in 0..MANY {
        // Each has a kind of its own.
        let root = format!("root:{holder}");
        assert_eq!(permits.acquire(holder, &names(&[&root, "tag:x"])), waits("tag:x"));
    }
    assert_eq!(permits.release(&(MANY + 1)), [0_u32; 0]);
    assert_eq!(permits.looks(), 0);
    assert_eq!(permits.release(&MANY), [0]);
    assert_eq!(permits.looks(), 1);
}

#[test]
fn who_needs_more_counts_at_once_or_keeps_its_place() {
    let mut permits = Permits::default();
    permits.set_limit("a", Some(1));
    assert_eq!(permits.acquire(1, &names(&["a"])), Acquired::Granted);
    assert_eq!(permits.acquire(2, &names(&["a"])), waits("a"));
    permits.set_limit("b", Some(1));
    assert!(permits.renew(&1, &names(&["a", "b"])).is_empty());
    assert!(permits.renew(&2, &names(&["b", "a"])).is_empty());
    assert_eq!(permits.acquire(3, &names(&["a", "b"])), waits("a"));
    assert_eq!(usage(&permits, "b"), (Some(1), 1, 2));
    assert_eq!(permits.release(&1), [2]);
    assert_eq!((usage(&permits, "a"), usage(&permits, "b")), ((Some(1), 1, 1), (Some(1), 1, 1)));
    assert!(permits.renew(&4, &names(&["a"])).is_empty());
    assert!(!permits.holds(&4), "who asked for nothing gets nothing");
    assert_eq!(permits.release(&2), [3]);
}

#[test]
fn who_needs_less_gives_it_back_or_waits_no_more() {
    let mut permits = Permits::default();
    permits.set_limit("a", Some(1));
    permits.set_limit("b", Some(1));
    assert_eq!(permits.acquire(1, &names(&["a", "b"])), Acquired::Granted);
    assert_eq!(permits.acquire(2, &names(&["a"])), waits("a"));
    assert_eq!(permits.acquire(3, &names(&["b"])), waits("b"));
    assert_eq!(permits.renew(&1, &names(&["a"])), [3]);
    assert_eq!(permits.renew(&2, &names(&["c"])), [2]);
    assert_eq!(usage(&permits, "a"), (Some(1), 1, 0));
}
