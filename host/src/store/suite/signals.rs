//! The rows of signals, of values that outlive runs, and of secrets.

use serde_json::{Value, json};

use super::super::{
    Error, NAME_BYTES_MAX, NAMESPACE_BYTES_MAX, Paging, RunSignalRecord, SIGNAL_ID_BYTES_MAX,
    SecretRecord, SignalRecord, Store, VALUE_KEY_BYTES_MAX, ValueRecord, WaitpointRecord, Write,
};
use super::{Place, commit, noise, on_every_backend, run, tenant};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Publisher};

on_every_backend! {
    signals_come_back_as_they_were
    signals_are_found_by_id_and_by_param
    an_expired_signal_leaves_nothing_but_the_order
    names_of_signals_are_listed
    signals_for_a_run_are_taken_one_by_one
    a_one_time_url_is_found_by_its_token_alone
    values_and_secrets_come_and_go
    the_longest_names_fit
}

fn signals_come_back_as_they_were(place: &dyn Place) {
    let owner = tenant("a");
    let mut large = signal("landed", 3, json!({}));
    large.payload = Payload::from(Value::from("x".repeat(200_000)));
    large.id = "i".repeat(SIGNAL_ID_BYTES_MAX);
    let all = [
        signal("landed", 1, json!({ "station": "seattle", "rain": 1.5, "final": true })),
        signal("landed", 2, json!({ "n": -3, "big": 1e300, "text": "1" })),
        large,
    ];
    let store = place.open();
    all.iter().for_each(|record| keep(&store, &owner, record));
    drop(store);
    let store = place.open();
    for record in &all {
        let found = store.signal(&owner, "landed", record.sequence).unwrap();
        assert_eq!(found.as_ref(), Some(record));
    }
    assert_eq!(store.signals(&owner, "landed", 0, 2).unwrap(), all[..2]);
    assert_eq!(store.signals(&owner, "landed", 2, 9).unwrap(), all[2..]);
    assert_eq!(store.signals(&owner, "landed", 3, 9).unwrap(), []);
    assert_eq!(store.signals(&owner, "lande", 0, 9).unwrap(), []);
    assert_eq!(store.signals(&tenant("b"), "landed", 0, 9).unwrap(), []);
    assert_eq!(store.last_signal(&owner, "landed"), Ok(3));
    assert_eq!(store.last_signal(&owner, "lande"), Ok(0));
}

fn signals_are_found_by_id_and_by_param(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for n in 1..=6 {
        let params = json!({ "even": n % 2 == 0, "text": n.to_string(), "third": n % 3 });
        keep(&store, &owner, &signal("tick", n, params));
    }
    assert_eq!(store.signal_by_id(&owner, "tick", "id 4"), Ok(Some(4)));
    assert_eq!(store.signal_by_id(&owner, "tick", "id 7"), Ok(None));
    assert_eq!(store.signal_by_id(&owner, "tock", "id 4"), Ok(None));
    let next = |param: Value, after| {
        let params = Params::of(&param).unwrap();
        let (name, value) = params.iter().next().unwrap();
        store.next_with_param(&owner, "tick", (name, value), after).unwrap()
    };
    assert_eq!(next(json!({ "even": true }), 0), Some(2));
    assert_eq!(next(json!({ "even": true }), 2), Some(4));
    assert_eq!(next(json!({ "even": true }), 6), None);
    assert_eq!(next(json!({ "third": 0.0 }), 0), Some(3));
    assert_eq!(next(json!({ "text": "5" }), 0), Some(5));
    assert_eq!(next(json!({ "text": 5 }), 0), None);
    assert_eq!(next(json!({ "even": 1 }), 0), None);
}

fn an_expired_signal_leaves_nothing_but_the_order(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let record = signal("tick", 1, json!({ "a": 1, "b": "x" }));
    keep(&store, &owner, &record);
    let rows = store.stats().rows;
    commit(&store, Write::signal_expired(&owner, &record).unwrap());
    assert_eq!(rows, 5, "the signal, its id, two params and the name");
    assert_eq!(store.signals(&owner, "tick", 0, 9).unwrap(), []);
    assert_eq!(store.signal_by_id(&owner, "tick", "id 1"), Ok(None));
    for param in record.params.iter() {
        assert_eq!(store.next_with_param(&owner, "tick", param, 0), Ok(None));
    }
    assert_eq!(store.last_signal(&owner, "tick"), Ok(1));
}

fn names_of_signals_are_listed(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for (name, sequence) in [("tock", 1), ("tick", 1), ("tick", 2), ("ünder way", 1)] {
        keep(&store, &owner, &signal(name, sequence, json!({})));
    }
    let first = store.signal_names(&owner, "", &Paging::first(2)).unwrap();
    let rest = store.signal_names(&owner, "", &Paging::first(2).after(first.next)).unwrap();
    let names: Vec<_> = first.items.iter().chain(&rest.items).collect();
    let shown: Vec<_> = names.iter().map(|record| (record.name.as_str(), record.last)).collect();
    assert_eq!(shown, [("tick", 2), ("tock", 1), ("ünder way", 1)]);
    assert_eq!(rest.next, None);
}

fn signals_for_a_run_are_taken_one_by_one(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let record = |sequence: u64| RunSignalRecord {
        name: "approved".into(),
        sequence,
        id: format!("id {sequence}"),
        payload: Payload::parse(r#"{"by":"me", "n":1.50}"#).unwrap(),
        published_at: Timestamp(7),
        publisher: Publisher::api("api"),
    };
    for sequence in [1, 2, 300] {
        commit(&store, Write::run_signal(&owner, run(1), &record(sequence)).unwrap());
    }
    commit(&store, Write::run_signal(&owner, run(2), &record(9)).unwrap());
    assert_eq!(store.run_signals(&owner, run(1)).unwrap(), [1, 2, 300].map(record));
    commit(&store, vec![Write::run_signal_taken(&owner, run(1), 300)]);
    assert_eq!(store.run_signals(&owner, run(1)).unwrap(), [1, 2].map(record));
    assert_eq!(store.run_signal_by_id(&owner, run(1), "id 300"), Ok(Some(300)));
    assert_eq!(store.last_run_signal(&owner, run(1)), Ok(300));
    assert_eq!(store.last_run_signal(&owner, run(3)), Ok(0));
    commit(&store, store.run_signals_gone(&owner, run(1)).unwrap());
    assert_eq!(store.run_signals(&owner, run(1)).unwrap(), []);
    assert_eq!(store.run_signal_by_id(&owner, run(1), "id 1"), Ok(None));
    assert_eq!(store.run_signals(&owner, run(2)).unwrap(), [record(9)]);
}

fn a_one_time_url_is_found_by_its_token_alone(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let mut record = WaitpointRecord { run: run(1), name: "approved".into(), used_at: None };
    commit(&store, vec![Write::waitpoint(&owner, "a.token", &record)]);
    assert_eq!(store.waitpoint(&owner, "a.token"), Ok(Some(record.clone())));
    assert_eq!(store.waitpoint(&owner, "a.toke"), Ok(None));
    assert_eq!(store.waitpoint(&tenant("b"), "a.token"), Ok(None));
    record.used_at = Some(Timestamp(9));
    commit(&store, vec![Write::waitpoint(&owner, "a.token", &record)]);
    assert_eq!(store.waitpoint(&owner, "a.token"), Ok(Some(record)));
}

fn values_and_secrets_come_and_go(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let value = ValueRecord { value: Payload::parse("[1.50]").unwrap(), set_at: Timestamp(3) };
    commit(&store, vec![Write::value(&owner, ("counts", "x"), &value).unwrap()]);
    assert_eq!(store.value(&owner, "counts", "x"), Ok(Some(value)));
    assert_eq!(store.value(&owner, "count", "sx"), Ok(None));
    commit(&store, vec![Write::value_deleted(&owner, "counts", "x").unwrap()]);
    assert_eq!(store.value(&owner, "counts", "x"), Ok(None));

    let secret =
        |name: &str| SecretRecord { name: name.into(), sealed: noise(99), set_at: Timestamp(4) };
    for name in ["token", "key"] {
        commit(&store, vec![Write::secret(&owner, &secret(name)).unwrap()]);
    }
    assert_eq!(store.secret(&owner, "key"), Ok(Some(secret("key"))));
    let all = store.secrets(&owner, &Paging::first(9)).unwrap();
    assert_eq!(all.items, ["key", "token"].map(secret));
    commit(&store, vec![Write::secret_deleted(&owner, "key").unwrap()]);
    assert_eq!(store.secret(&owner, "key"), Ok(None));
    assert_eq!(store.secrets(&tenant("b"), &Paging::first(9)).unwrap().items, []);
}

fn the_longest_names_fit(place: &dyn Place) {
    let store = place.open();
    let owner = tenant(&"t".repeat(63));
    let name = "n".repeat(NAME_BYTES_MAX);
    keep(&store, &owner, &signal(&name, u64::MAX, json!({ "p": "v" })));
    assert_eq!(store.last_signal(&owner, &name), Ok(u64::MAX));
    let namespace = "s".repeat(NAMESPACE_BYTES_MAX);
    let key = "k".repeat(VALUE_KEY_BYTES_MAX);
    let value = ValueRecord { value: Payload::null(), set_at: Timestamp(3) };
    commit(&store, vec![Write::value(&owner, (&namespace, &key), &value).unwrap()]);
    assert_eq!(store.value(&owner, &namespace, &key), Ok(Some(value.clone())));
    let too_long = key + "k";
    let refused = Write::value(&owner, (&namespace, &too_long), &value);
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    let id = "i".repeat(SIGNAL_ID_BYTES_MAX + 1);
    assert!(store.signal_by_id(&owner, &name, &id).is_err());
}

fn keep(store: &Store, owner: &TenantId, record: &SignalRecord) {
    commit(store, Write::signal(owner, record).unwrap());
}

fn signal(name: &str, sequence: u64, params: Value) -> SignalRecord {
    SignalRecord {
        name: name.into(),
        sequence,
        id: format!("id {sequence}"),
        params: Params::of(&params).unwrap(),
        payload: Payload::parse(format!(r#"{{"n": {sequence}.50}}"#)).unwrap(),
        published_at: Timestamp(5),
        publisher: Publisher::api("api"),
    }
}
