//! Signals start runs: joins, conditions, keys, and what becomes of triggers
//! when their workflow changes or the host ends.

use crate::stage::{BY, Stage};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use segno_engine::event::Cause;
use segno_engine::id::RunId;
use segno_engine::payload::Payload;
use segno_engine::scope::Scope as _;
use segno_engine::signal::{Params, Publisher};
use segno_host::driver::{Publish, Source};
use segno_host::store::{FiringRecord, Outcome, Paging, TriggerRecord};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A workflow that takes what its triggers give, and does nothing.
fn workflow(name: &str, triggers: &str) -> String {
    format!(
        "{{ workflow: {name}, params: {{ got: {{ type: json, optional: true }} }}, \
         steps: [{{ id: one, noop: true }}], triggers: {triggers} }}"
    )
}

/// The pair that most tests join.
const PAIR: &str = "[{ id: pair, signals: [{ name: left, join: [day] }, { name: right, join: [date] }], \
                    params: { got: \"${signals.map(it, it.sequence)}\" } }]";

fn signal(name: &str, params: Value) -> Publish {
    Publish {
        name: name.to_owned(),
        id: None,
        params: Params::of(&params).expect("they are scalars"),
        payload: Payload::null(),
        publisher: Publisher::api(BY),
    }
}

impl Stage {
    fn trigger(&self, workflow: &str, id: &str) -> TriggerRecord {
        let store = self.driver().store();
        self.block(store.barrier().durable()).expect("the store is sound");
        let found = store.trigger(&self.tenant, (workflow, id)).expect("the store answers");
        found.expect("there is such a trigger")
    }

    /// Waits until a trigger has looked at everything up to here.
    fn until_seen(&self, workflow: &str, id: &str, places: &[(&str, u64)]) -> TriggerRecord {
        let places: Vec<_> = places.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
        self.comes_to(places, || self.trigger(workflow, id).places);
        self.trigger(workflow, id)
    }

    /// What a trigger has used, oldest first.
    fn firings(&self, workflow: &str, id: &str) -> Vec<FiringRecord> {
        let store = self.driver().store();
        self.block(store.barrier().durable()).expect("the store is sound");
        let page = store.firings(&self.tenant, (workflow, id), &Paging::first(1_000));
        let mut firings = page.expect("the store answers").items;
        firings.reverse();
        firings
    }

    /// The runs that a trigger started.
    fn started(&self, workflow: &str, id: &str) -> Vec<RunId> {
        let run = |firing: FiringRecord| match firing.outcome {
            Outcome::Run { run, repeated: false } => Some(run),
            _ => None,
        };
        self.firings(workflow, id).into_iter().filter_map(run).collect()
    }

    /// Every run of a workflow.
    fn runs_of_workflow(&self, workflow: &str) -> Vec<RunId> {
        let store = self.driver().store();
        self.block(store.barrier().durable()).expect("the store is sound");
        let page = store.runs(&self.tenant, Some(workflow), &Paging::first(1_000));
        page.expect("the store answers").items.iter().map(|run| run.run).collect()
    }

    /// The param `got` of a run.
    fn got(&self, run: RunId) -> Value {
        self.run(run).params().value()["got"].clone()
    }
}

#[test]
fn a_join_fires_once_for_each_pair_behind_its_subscription() {
    let stage = Stage::new();
    stage.publish(signal("left", json!({ "day": 1 })));
    stage.publish(signal("right", json!({ "date": 1 })));
    stage.apply(&workflow("w", PAIR));
    assert_eq!(stage.trigger("w", "pair").places, [("left".into(), 1), ("right".into(), 1)]);
    stage.publish(signal("right", json!({ "date": 1 })));
    stage.publish(signal("right", json!({ "date": 2 })));
    stage.publish(signal("right", json!({ "date": "1" })));
    stage.publish(signal("right", json!({ "day": 1 })));
    stage.publish(signal("left", json!({ "day": 1.0 })));
    let known = stage.until_seen("w", "pair", &[("left", 2), ("right", 5)]);
    assert_eq!((known.firings, known.pending), (1, 2));
    stage.publish(signal("left", json!({ "day": 1 })));
    stage.publish(signal("left", json!({ "day": 2 })));
    let known = stage.until_seen("w", "pair", &[("left", 4), ("right", 5)]);
    assert_eq!((known.firings, known.pending), (2, 2), "one left and the text are left over");
    let runs = stage.started("w", "pair");
    let got: Vec<_> = runs.iter().map(|run| stage.got(*run)).collect();
    assert_eq!(got, [json!([2, 2]), json!([4, 3])]);
    assert_eq!(stage.runs_of_workflow("w").len(), 2);
    let origin = stage.run(runs[0]).origin().clone();
    let segno_engine::event::Origin::Start { cause, .. } = origin else { panic!("{origin:?}") };
    let signals = vec![("left".to_owned(), 2), ("right".to_owned(), 2)];
    assert_eq!(cause, Cause::Signal { trigger: "w/pair".to_owned(), signals });
}

#[test]
fn both_halves_at_once_start_exactly_one_run() {
    const ROUNDS: u64 = 150;
    let stage = Stage::new();
    stage.apply(&workflow("w", PAIR));
    for day in 1..=ROUNDS {
        std::thread::scope(|scope| {
            scope.spawn(|| stage.publish(signal("left", json!({ "day": day }))));
            scope.spawn(|| stage.publish(signal("right", json!({ "date": day }))));
        });
    }
    let known = stage.until_seen("w", "pair", &[("left", ROUNDS), ("right", ROUNDS)]);
    assert_eq!((known.firings, known.pending, known.dropped), (ROUNDS, 0, 0));
    let runs: BTreeSet<_> = stage.started("w", "pair").into_iter().collect();
    assert_eq!(runs.len() as u64, ROUNDS);
    assert_eq!(stage.runs_of_workflow("w").len() as u64, ROUNDS);
}

#[test]
fn two_to_eight_names_make_a_set() {
    let stage = Stage::new();
    for names in 2..=8_u64 {
        let parts = (0..names).map(|n| format!("{{ name: n{n} }}")).collect::<Vec<_>>().join(", ");
        let params = "params: { got: \"${signals.map(it, it.name)}\" }";
        let source = format!("[{{ id: all, signals: [{parts}], {params} }}]");
        stage.apply(&workflow(&format!("w{names}"), &source));
    }
    // Whichever comes first, a workflow has its run with the last of its names.
    for n in [3, 0, 7, 1, 4, 2, 6, 5] {
        stage.publish(signal(&format!("n{n}"), json!({})));
    }
    for names in 2..=8_u64 {
        let workflow = format!("w{names}");
        stage.comes_to(1, || stage.runs_of_workflow(&workflow).len());
        let expected: Vec<_> = (0..names).map(|n| format!("n{n}")).collect();
        assert_eq!(stage.got(stage.runs_of_workflow(&workflow)[0]), json!(expected));
    }
}

#[test]
fn conditions_and_params_see_what_signals_say() {
    let stage = Stage::new();
    let triggers = "[{ signal: { name: paid, match: { shop: { in: [a, b] }, amount: { \">=\": 5 } } }, \
        when: \"signal.payload.items.size() > 1\", \
        params: { got: { first: \"${signal.payload.items[0]}\", by: \"${trigger.id}\", \
                         what: \"${signal.name} ${signal.sequence} ${signal.params.shop}\" } } }]";
    stage.apply(&workflow("w", triggers));
    let paid = |shop: &str, amount: u64, payload: Value| {
        let params = json!({ "shop": shop, "amount": amount });
        stage.publish(Publish { payload: Payload::from(payload), ..signal("paid", params) });
    };
    paid("a", 5, json!({ "items": ["x", "y"] }));
    paid("c", 9, json!({ "items": ["x", "y"] }));
    paid("b", 4, json!({ "items": ["x", "y"] }));
    paid("b", 7, json!({ "items": ["x"] }));
    paid("b", 7, json!({}));
    let known = stage.until_seen("w", "signal-1", &[("paid", 5)]);
    assert_eq!(known.firings, 3);
    let runs = stage.runs_of_workflow("w");
    assert_eq!(runs.len(), 1);
    let expected = json!({ "first": "x", "by": "signal-1", "what": "paid 1 a" });
    assert_eq!(stage.got(runs[0]), expected);
    let outcomes: Vec<_> =
        stage.firings("w", "signal-1").into_iter().map(|firing| firing.outcome).collect();
    assert!(matches!(outcomes[1], Outcome::False { kept: false }), "{outcomes:?}");
    let Outcome::Failed { message } = &outcomes[2] else { panic!("{outcomes:?}") };
    assert!(message.starts_with("when: signal.payload.items.size() > 1 "), "{message}");
}

#[test]
fn params_that_do_not_fit_are_a_failed_firing() {
    let stage = Stage::new();
    stage.apply(&workflow("w", "[{ signal: { name: s }, params: '${{signal.params.name: 1}}' }]"));
    stage.publish(signal("s", json!({ "name": "gott" })));
    stage.comes_to(1, || stage.firings("w", "signal-1").len());
    let outcome = stage.firings("w", "signal-1").remove(0).outcome;
    let Outcome::Failed { message } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("gott"), "{message}");
    assert_eq!(stage.runs_of_workflow("w"), []);
}

#[test]
fn a_set_whose_condition_is_false_is_used_or_kept() {
    let stage = Stage::new();
    let join = |when_false: &str| {
        format!(
            "[{{ id: t, signals: [{{ name: a, join: [k] }}, {{ name: b, join: [k] }}], \
             when: \"signals[0].params.n + signals[1].params.n > 9\", when_false: {when_false}, \
             params: {{ got: \"${{signals.map(it, it.params.n)}}\" }} }}]"
        )
    };
    stage.apply(&workflow("uses", &join("consume")));
    stage.apply(&workflow("keeps", &join("keep")));
    let publish = |name: &str, n: u64| stage.publish(signal(name, json!({ "k": "x", "n": n })));
    publish("a", 4);
    publish("b", 4);
    publish("b", 6);
    publish("a", 5);
    let seen = [("a", 2), ("b", 2)];
    let (uses, keeps) =
        (stage.until_seen("uses", "t", &seen), stage.until_seen("keeps", "t", &seen));
    assert_eq!((uses.firings, uses.pending), (2, 0), "4 and 4 are gone, 5 and 6 fire");
    assert_eq!(stage.got(stage.runs_of_workflow("uses")[0]), json!([5, 6]));
    assert_eq!((keeps.firings, keeps.pending), (3, 2), "4 and 4, 4 and 6, 5 and 4");
    assert_eq!(stage.got(stage.runs_of_workflow("keeps")[0]), json!([4, 6]));
    let outcomes: Vec<_> =
        stage.firings("keeps", "t").into_iter().map(|firing| firing.outcome).collect();
    assert!(matches!(outcomes[0], Outcome::False { kept: true }), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::False { kept: true }), "{outcomes:?}");
    publish("a", 6);
    let keeps = stage.until_seen("keeps", "t", &[("a", 3), ("b", 2)]);
    assert_eq!((keeps.firings, keeps.pending), (4, 1), "6 and the 4 that was left over");
}

/// Nobody who waits for a partner that does not come keeps others waiting.
#[test]
fn a_set_that_is_kept_makes_way_for_the_next() {
    let stage = Stage::new();
    let trigger = "[{ id: t, signals: [{ name: a, join: [k] }, { name: b, join: [k] }], \
                   when: \"signals[0].payload == signals[1].payload\", when_false: keep, \
                   params: { got: \"${signals.map(it, it.sequence)}\" } }]";
    stage.apply(&workflow("w", trigger));
    let publish = |name: &str, rows: u64| {
        let payload = Payload::from(json!(rows));
        stage.publish(Publish { payload, ..signal(name, json!({ "k": "x" })) });
    };
    for rows in [1, 2, 3] {
        publish("a", rows);
    }
    for rows in [3, 4, 2] {
        publish("b", rows);
    }
    let known = stage.until_seen("w", "t", &[("a", 3), ("b", 3)]);
    assert_eq!((known.firings, known.pending), (3, 2), "4 has no partner yet");
    let got: Vec<_> = stage.runs_of_workflow("w").into_iter().map(|run| stage.got(run)).collect();
    assert_eq!(got.len(), 2);
    assert!(got.contains(&json!([3, 1])) && got.contains(&json!([2, 3])), "{got:?}");
    let firing = stage.firings("w", "t").remove(1);
    assert!(matches!(firing.outcome, Outcome::False { kept: true }), "{firing:?}");
    assert_eq!(firing.signals, [("a".to_owned(), 1), ("b".to_owned(), 2)], "the oldest");
}

#[test]
fn two_sets_with_one_key_start_one_run() {
    let mut stage = Stage::new();
    let key = "[{ id: daily, signal: { name: s }, key: \"${signal.params.day}\", \
               params: { got: \"${signal.sequence}\" } }]";
    stage.apply(&workflow("w", key));
    for (day, n) in [("mon", 1), ("mon", 2), ("tue", 3)] {
        stage.publish(signal("s", json!({ "day": day })));
        stage.until_seen("w", "daily", &[("s", n)]);
    }
    stage.restart();
    stage.publish(signal("s", json!({ "day": "mon" })));
    stage.until_seen("w", "daily", &[("s", 4)]);
    let firings = stage.firings("w", "daily");
    let of = |firing: &FiringRecord| match firing.outcome {
        Outcome::Run { run, repeated } => (run, repeated),
        ref other => panic!("{other:?}"),
    };
    let of: Vec<_> = firings.iter().map(of).collect();
    assert_eq!(
        of.iter().map(|(_, repeated)| *repeated).collect::<Vec<_>>(),
        [false, true, false, true]
    );
    assert!(of[0].0 == of[1].0 && of[0].0 == of[3].0 && of[0].0 != of[2].0);
    assert_eq!(stage.runs_of_workflow("w").len(), 2);
}

#[test]
fn triggers_follow_the_active_version() {
    let stage = Stage::new();
    stage.apply(&workflow("w", PAIR));
    stage.publish(signal("left", json!({ "day": 1 })));
    stage.until_seen("w", "pair", &[("left", 1), ("right", 0)]);
    // Another version that says the same of the trigger: it goes on.
    let same = workflow("w", PAIR).replace("id: one", "id: two");
    let version = stage.apply(&same);
    assert_eq!(stage.trigger("w", "pair").pending, 1);
    stage.publish(signal("right", json!({ "date": 1 })));
    stage.until_seen("w", "pair", &[("left", 1), ("right", 1)]);
    let runs = stage.runs_of_workflow("w");
    assert_eq!((runs.len(), stage.run(runs[0]).version()), (1, version));
    // One that says something else waits from now on.
    stage.publish(signal("left", json!({ "day": 2 })));
    stage.until_seen("w", "pair", &[("left", 2), ("right", 1)]);
    stage.apply(&same.replace("it.sequence", "it.name"));
    stage.publish(signal("right", json!({ "date": 2 })));
    let known = stage.until_seen("w", "pair", &[("left", 2), ("right", 2)]);
    assert_eq!((known.firings, known.pending), (1, 1), "the left one was before");
    // Without an active version nobody waits, and nothing is caught up with.
    let driver = stage.driver();
    stage.block(driver.deactivate_workflow(&stage.tenant, "w", BY)).expect("it is there");
    let known = stage.trigger("w", "pair");
    assert!(!known.is_subscribed && known.pending == 0);
    stage.publish(signal("left", json!({ "day": 2 })));
    stage.publish(signal("left", json!({ "day": 3 })));
    stage.apply(&same.replace("it.sequence", "it.id"));
    stage.publish(signal("right", json!({ "date": 3 })));
    let known = stage.until_seen("w", "pair", &[("left", 4), ("right", 3)]);
    assert_eq!((known.firings, known.pending), (1, 1));
    // A workflow that is gone has no triggers.
    stage.comes_to(0, || {
        let runs = stage.runs_of_workflow("w").into_iter();
        runs.filter(|run| stage.run(*run).status().is_open()).count()
    });
    stage.block(driver.delete_workflow(&stage.tenant, "w", BY)).expect("its runs are over");
    let gone = driver.store().trigger(&stage.tenant, ("w", "pair")).expect("the store answers");
    assert_eq!(gone, None);
    assert_eq!(stage.firings("w", "pair"), []);
}

/// What happens, in order.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Left(u64),
    Right(u64),
    Push,
    Restart,
}

/// Whatever happens to the host in between, the sets are those of the signals.
#[test]
fn every_set_starts_one_run_whenever_the_host_ends() {
    let happens = prop_oneof![
        4 => (0..4_u64).prop_map(Happens::Left),
        4 => (0..4_u64).prop_map(Happens::Right),
        1 => Just(Happens::Push),
        1 => Just(Happens::Restart),
    ];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) };
    let many = proptest::collection::vec(happens, 1..60);
    let outcome = TestRunner::new(config).run(&many, |all| {
        let mut stage = Stage::new();
        stage.apply(&workflow("w", PAIR));
        let mut days: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let (mut lefts, mut rights) = (0, 0);
        for one in all {
            match one {
                Happens::Left(day) => {
                    stage.publish(signal("left", json!({ "day": day })));
                    days.entry(day).or_default().0 += 1;
                    lefts += 1;
                }
                Happens::Right(day) => {
                    stage.publish(signal("right", json!({ "date": day })));
                    days.entry(day).or_default().1 += 1;
                    rights += 1;
                }
                // The trigger stays as it is.
                Happens::Push => {
                    let id = format!("id: one{}", lefts + rights);
                    stage.apply(&workflow("w", PAIR).replace("id: one", &id));
                }
                Happens::Restart => stage.restart(),
            }
        }
        let known = stage.until_seen("w", "pair", &[("left", lefts), ("right", rights)]);
        let sets: u64 = days.values().map(|(left, right)| left.min(right)).sum();
        prop_assert_eq!(known.firings, sets);
        prop_assert_eq!(known.pending, lefts + rights - 2 * sets);
        let runs = stage.runs_of_workflow("w");
        prop_assert_eq!(runs.len() as u64, sets);
        // No signal is in two sets, and the two of a set have one day.
        let mut used = BTreeSet::new();
        for run in runs {
            let got = stage.got(run);
            prop_assert!(used.insert((0, got[0].as_u64())), "{got} is used twice");
            prop_assert!(used.insert((1, got[1].as_u64())), "{got} is used twice");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn lineage_leads_from_a_signal_to_who_published_it_and_who_used_it() {
    let stage = Stage::with(&["probe"]);
    stage.apply(
        "{ workflow: source, steps: [{ id: tell, component: probe@1, grants: { signals: [landed] }, \
         params: { calls: [{ publish: { name: landed, payload: 1 } }] } }] }",
    );
    stage.apply(&workflow("w", "[{ id: t, signal: { name: landed } }]"));
    stage.apply("{ workflow: above, steps: [{ id: below, workflow: source }] }");
    let above = stage.start("above");
    assert_eq!(stage.end(above), "succeeded");
    stage.comes_to(1, || stage.runs_of_workflow("w").len());
    let run = stage.runs_of_workflow("w")[0];
    let lineage = |depth: u32, runs: usize| {
        let lineage = stage.driver().lineage(&stage.tenant, run, (depth, runs));
        stage.block(lineage).expect("there is such a run")
    };
    let all = lineage(10, 10);
    assert!(all.is_complete);
    let child = stage.child(above, "below");
    let runs: Vec<_> = all.links.iter().map(|link| (link.depth, link.run)).collect();
    assert_eq!(runs, [(0, run), (1, child), (2, above)]);
    let Source::Signals { trigger, signals } = &all.links[0].source else { panic!("{all:?}") };
    assert_eq!((trigger.as_str(), signals.len()), ("w/t", 1));
    assert_eq!(signals[0].publisher, Some((child, "tell".to_owned())));
    let Source::Step { run: parent, step } = &all.links[1].source else { panic!("{all:?}") };
    assert_eq!((*parent, step.as_deref()), (above, Some("below")));
    assert!(matches!(&all.links[2].source, Source::Cause(Cause::Manual { .. })), "{all:?}");
    for (depth, runs) in [(1, 10), (10, 2)] {
        let some = lineage(depth, runs);
        assert_eq!((some.links.len(), some.is_complete), (2, false));
    }
    // A step that waits is released by the same signal.
    stage.apply("{ workflow: gate, steps: [{ id: hold, wait: { signal: landed } }] }");
    let gate = stage.start("gate");
    assert_eq!(stage.end(gate), "succeeded");
    let store = stage.driver().store();
    let uses = store.signal_uses(&stage.tenant, ("landed", 1), &Paging::first(10));
    let uses = uses.expect("the store answers").items.into_iter();
    let uses: BTreeSet<_> = uses.map(|used| (used.run, used.step, used.trigger)).collect();
    let expected = [(run, None, Some("w/t".to_owned())), (gate, Some("hold".to_owned()), None)];
    assert_eq!(uses, BTreeSet::from(expected));
}
