//! The index against a look at every trigger.

use super::*;
use crate::driver::triggers::State;
use crate::store::{Ticket, TriggerRecord};
use proptest::collection::vec;
use proptest::prelude::*;
use segno_engine::id::Timestamp;
use segno_engine::payload::Payload;
use segno_engine::signal::Publisher;
use segno_engine::trigger::signal::Part;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn owner() -> TenantId {
    "a".parse().unwrap()
}

fn trigger(number: usize, parts: &[(String, Value)]) -> Arc<Trigger> {
    let part = |(name, pattern): &(String, Value)| Part {
        name: name.clone(),
        pattern: Pattern::of(pattern).unwrap(),
        join: Vec::new(),
    };
    let parts: Vec<_> = parts.iter().map(part).collect();
    let record = TriggerRecord {
        workflow: "w".to_owned(),
        id: number.to_string(),
        says: String::new(),
        parts: parts.clone(),
        version: 1,
        is_subscribed: true,
        since: Timestamp(0),
        places: Vec::new(),
        pending: 0,
        dropped: 0,
        firings: 0,
    };
    let shown = Ticket::done();
    let state = State { record, join: None, at_hand: BTreeMap::new(), shown, is_gone: false };
    Trigger::new((&owner(), parts), state, false)
}

fn signal(name: &str, params: &Value) -> Arc<SignalRecord> {
    Arc::new(SignalRecord {
        name: name.to_owned(),
        sequence: 1,
        id: String::new(),
        params: Params::of(params).unwrap(),
        payload: Payload::null(),
        published_at: Timestamp(0),
        publisher: Publisher::Url,
    })
}

fn pattern() -> impl Strategy<Value = Value> {
    let test = prop_oneof![
        (0..3_i64).prop_map(|n| json!(n)),
        (0..3_i64).prop_map(|n| json!({ ">=": n })),
        (0..3_i64).prop_map(|n| json!({ "=": n, "!=": 1 })),
    ];
    proptest::collection::btree_map("[xyz]", test, 0..3).prop_map(|tests| json!(tests))
}

fn name() -> impl Strategy<Value = String> {
    "[mn]"
}

proptest! {
    #[test]
    fn a_signal_finds_the_triggers_that_it_concerns(
        all in vec(vec((name(), pattern()), 1..4), 0..12),
        removed in vec(any::<bool>(), 12),
        name in name(),
        params in proptest::collection::btree_map("[xyz]", 0..3_i64, 0..4),
    ) {
        let mut index = Index::default();
        let triggers: Vec<_> =
            all.iter().enumerate().map(|(number, parts)| trigger(number, parts)).collect();
        triggers.iter().for_each(|trigger| index.add(trigger));
        for (trigger, removed) in triggers.iter().zip(&removed) {
            if *removed {
                index.remove(trigger);
            }
        }
        let signal = signal(&name, &json!(params));
        let mut idle: Vec<_> = index
            .offer(&owner(), &signal)
            .iter()
            .map(|trigger| trigger.id.clone())
            .collect();
        idle.sort();
        let mut expected = Vec::new();
        for (number, trigger) in triggers.iter().enumerate() {
            let fits = trigger.parts.iter().any(|part| part.fits(&name, &signal.params).is_some());
            let is_offered = fits && !removed[number];
            prop_assert_eq!(trigger.lock_queue().signals.len(), usize::from(is_offered));
            if is_offered {
                expected.push(number.to_string());
            }
        }
        expected.sort();
        prop_assert_eq!(idle, expected, "each is told once");
        triggers.iter().for_each(|trigger| index.remove(trigger));
        prop_assert!(index.0.is_empty());
    }
}

#[test]
fn one_that_is_far_behind_reads_from_the_store() {
    let one = trigger(1, &[("n".to_owned(), json!({}))]);
    let mut index = Index::default();
    index.add(&one);
    let offer = || index.offer(&owner(), &signal("n", &json!({}))).len();
    assert_eq!(offer(), 1);
    for _ in 1..super::super::QUEUE_MAX {
        assert_eq!(offer(), 0, "somebody is at it");
    }
    assert!(!one.lock_queue().is_behind);
    offer();
    assert!(one.lock_queue().is_behind && one.lock_queue().signals.is_empty());
    offer();
    assert!(one.lock_queue().signals.is_empty());
}
