//! The index against a list that is searched from end to end.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use segno_engine::id::Timestamp;
use serde_json::{Value, json};

fn params(value: Value) -> Params {
    Params::of(&value).unwrap()
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn waiter(run: u128, index: u32) -> Waiter {
    let run = RunId::new(Timestamp(1), run);
    Waiter { run, step: 2, sequence: 7, index, after: 0 }
}

fn wait(name: &str, asked: Value, waiter: Waiter) -> (String, Pattern, Waiter) {
    (name.to_owned(), Pattern::of(&asked).unwrap(), waiter)
}

#[test]
fn a_signal_serves_whom_it_fits_and_nobody_twice() {
    let mut index = Index::default();
    let (a, b) = (tenant("a"), tenant("b"));
    index.add(&a, vec![wait("landed", json!({ "station": "x" }), waiter(1, 0))]);
    index.add(&a, vec![wait("landed", json!({}), waiter(2, 0))]);
    index.add(&a, vec![wait("landed", json!({ "station": "x", "n": 2.0 }), waiter(3, 0))]);
    index.add(&b, vec![wait("landed", json!({}), waiter(4, 0))]);
    let given = params(json!({ "station": "x", "n": 1, "rest": true }));
    assert_eq!(index.take(&a, "other", &given, 1), []);
    assert_eq!(index.take(&a, "landed", &given, 1), [waiter(1, 0), waiter(2, 0)]);
    assert_eq!(index.take(&a, "landed", &given, 2), []);
    let given = params(json!({ "station": "x", "n": 2 }));
    assert_eq!(index.take(&a, "landed", &given, 3), [waiter(3, 0)]);
    assert!(!index.has(&a, "landed") && index.has(&b, "landed"));
}

#[test]
fn only_signals_behind_the_mark_count() {
    let mut index = Index::default();
    let owner = tenant("a");
    let late = Waiter { after: 5, ..waiter(1, 0) };
    index.add(&owner, vec![wait("tick", json!({}), late)]);
    assert_eq!(index.take(&owner, "tick", &Params::default(), 5), []);
    assert_eq!(index.take(&owner, "tick", &Params::default(), 6), [late]);
}

#[test]
fn the_conditions_of_a_wait_on_one_name_go_together() {
    let mut index = Index::default();
    let owner = tenant("a");
    let conditions = || {
        vec![
            wait("tick", json!({ "a": 1 }), waiter(1, 0)),
            wait("tock", json!({}), waiter(1, 1)),
            wait("tick", json!({}), waiter(1, 2)),
            wait("tick", json!({}), waiter(1, 3)),
        ]
    };
    index.add(&owner, conditions());
    let none = params(json!({}));
    assert_eq!(index.take(&owner, "tick", &none, 1), [waiter(1, 2)]);
    assert_eq!(index.take(&owner, "tick", &params(json!({ "a": 1 })), 2), []);
    let patterns: Vec<_> = conditions().into_iter().map(|(name, asked, _)| (name, asked)).collect();
    index.remove(&owner, &patterns, waiter(1, 0).run, 2);
    assert_eq!(index.take(&owner, "tock", &none, 1), []);
    assert!(index.names.is_empty() && index.waiters.is_empty() && index.several.is_empty());
}

/// What the index is about, done slowly.
#[derive(Default)]
struct Naive(Vec<(TenantId, String, Pattern, Waiter)>);

impl Naive {
    fn add(&mut self, tenant: &TenantId, waiters: &[(String, Pattern, Waiter)]) {
        for (name, params, waiter) in waiters {
            let place = |w: &Waiter| (w.run, w.step, w.index);
            self.0.retain(|(t, n, p, w)| {
                (t, n, p) != (tenant, name, params) || place(w) != place(waiter)
            });
            self.0.push((tenant.clone(), name.clone(), params.clone(), *waiter));
        }
    }

    fn remove(
        &mut self,
        tenant: &TenantId,
        patterns: &[(String, Pattern)],
        run: RunId,
        step: StepIndex,
    ) {
        self.0.retain(|(t, n, p, w)| {
            let is_named = patterns.iter().any(|(name, params)| (name, params) == (n, p));
            !(t == tenant && is_named && (w.run, w.step) == (run, step))
        });
    }

    fn take(&mut self, tenant: &TenantId, name: &str, given: &Params, at: u64) -> Vec<Waiter> {
        let mut served: Vec<Waiter> = Vec::new();
        self.0.sort_by_key(|(.., waiter)| (waiter.run, waiter.step, waiter.index));
        for (t, n, asked, waiter) in &self.0 {
            let fits = t == tenant && n == name && asked.fits(given) && waiter.after < at;
            let is_first =
                served.iter().all(|other| (other.run, other.step) != (waiter.run, waiter.step));
            if fits && is_first {
                served.push(*waiter);
            }
        }
        self.0.retain(|(t, n, _, w)| {
            let is_served = served.iter().any(|s| (s.run, s.step) == (w.run, w.step));
            !(t == tenant && n == name && is_served)
        });
        served
    }
}

#[derive(Debug, Clone)]
enum Act {
    Add(TenantId, Vec<(String, Pattern, Waiter)>),
    Remove(TenantId, usize),
    Take(TenantId, String, Params, u64),
}

fn tenants() -> impl Strategy<Value = TenantId> {
    "[ab]".prop_map(|name| tenant(&name))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..2_i64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[01]".prop_map(Value::from),
        Just(Value::from(0.5)),
    ]
}

fn few_tests() -> impl Strategy<Value = Pattern> {
    let operator = select(vec![">", ">=", "<", "<="]);
    let test = prop_oneof![
        4 => scalar(),
        1 => (operator, 0..2_i64).prop_map(|(name, number)| json!({ name: number })),
        1 => (scalar(), scalar()).prop_map(|(one, other)| json!({ "in": [one, other] })),
        1 => (scalar(), "[01]?").prop_map(|(value, start)| json!({ "!=": value, "prefix": start })),
    ];
    proptest::collection::btree_map("[xyz]", test, 0..3)
        .prop_map(|members| Pattern::of(&json!(members)).unwrap())
}

fn few_params() -> impl Strategy<Value = Params> {
    proptest::collection::btree_map("[xyz]", scalar(), 0..3)
        .prop_map(|members| params(Value::Object(members.into_iter().collect())))
}

fn acts() -> impl Strategy<Value = Act> {
    // A step has one wait at a time: its place in the journal makes it new.
    let conditions = vec(("[mn]", few_tests(), 0..4_u64), 1..4);
    prop_oneof![
        (tenants(), 0..1_000_u128, conditions).prop_map(|(tenant, run, conditions)| {
            let waiters = (0..).zip(conditions).map(|(index, (name, asked, after))| {
                (name, asked, Waiter { after, ..waiter(run, index) })
            });
            Act::Add(tenant, waiters.collect())
        }),
        (tenants(), 0..40_usize).prop_map(|(tenant, which)| Act::Remove(tenant, which)),
        (tenants(), "[mn]", few_params(), 1..6_u64)
            .prop_map(|(tenant, name, given, at)| Act::Take(tenant, name, given, at)),
    ]
}

proptest! {
    #[test]
    fn the_index_does_what_a_search_does(acts in vec(acts(), 1..40)) {
        let (mut index, mut naive) = (Index::default(), Naive::default());
        let mut added: Vec<Vec<(String, Pattern, Waiter)>> = Vec::new();
        for act in acts {
            match act {
                Act::Add(tenant, waiters) => {
                    // Whoever waits anew has ended what it waited for before.
                    let Waiter { run, step, .. } = waiters[0].2;
                    if added.iter().any(|known| known[0].2.run == run) {
                        continue;
                    }
                    prop_assert_eq!(step, 2);
                    naive.add(&tenant, &waiters);
                    index.add(&tenant, waiters.clone());
                    added.push(waiters);
                }
                Act::Remove(tenant, which) => {
                    let Some(waiters) = added.get(which) else { continue };
                    let patterns: Vec<_> =
                        waiters.iter().map(|(name, asked, _)| (name.clone(), asked.clone())).collect();
                    let Waiter { run, step, .. } = waiters[0].2;
                    naive.remove(&tenant, &patterns, run, step);
                    index.remove(&tenant, &patterns, run, step);
                }
                Act::Take(tenant, name, given, at) => {
                    let expected = naive.take(&tenant, &name, &given, at);
                    prop_assert_eq!(index.take(&tenant, &name, &given, at), expected);
                }
            }
            prop_assert_eq!(index.waiters.len(), naive.0.len());
            let counted = index.names.values().flat_map(HashMap::values).flatten();
            prop_assert_eq!(counted.map(|set| set.waiters).sum::<usize>(), naive.0.len());
            let known = |(tenant, name, ..): &(TenantId, String, Pattern, Waiter)| index.has(tenant, name);
            prop_assert!(naive.0.iter().all(known));
        }
    }
}
