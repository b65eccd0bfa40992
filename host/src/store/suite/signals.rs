//! The rows of signals, of values that outlive runs, and of secrets.

use serde_json::{Value, json};

use super::super::{
    Error, Ids, NAME_BYTES_MAX, NAMESPACE_BYTES_MAX, Paging, ParamRange, RunSignalRecord,
    SIGNAL_ID_BYTES_MAX, SecretRecord, SignalRecord, SignalUse, Store, VALUE_KEY_BYTES_MAX,
    ValueRecord, WaitpointRecord, Write,
};
use super::{Place, commit, noise, on_every_backend, run, tenant};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Pattern, Publisher};

on_every_backend! {
    signals_come_back_as_they_were
    signals_are_found_by_id_and_by_param
    signals_are_found_by_comparison
    uses_of_a_signal_are_listed_and_go
    an_expired_signal_leaves_nothing_but_the_order
    the_ids_of_webhooks_are_their_own
    the_oldest_signal_of_each_name_is_found
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
    assert_eq!(store.signal_by_id(&owner, &of("tick"), "id 4"), Ok(Some(("tick".to_owned(), 4))));
    assert_eq!(store.signal_by_id(&owner, &of("tick"), "id 7"), Ok(None));
    assert_eq!(store.signal_by_id(&owner, &of("tock"), "id 4"), Ok(None));
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

/// The sequences in every range of a pattern, walked two rows at a time.
fn in_range(store: &Store, tenant: &TenantId, pattern: &Value) -> Vec<u64> {
    let pattern = Pattern::of(pattern).unwrap();
    let [range] = ParamRange::of(&pattern).try_into().expect("it is about one param");
    let (mut found, mut behind) = (Vec::new(), None);
    loop {
        let (some, next) = store.signals_in_range((tenant, "tick"), &range, behind, 2).unwrap();
        found.extend(some);
        behind = next;
        if behind.is_none() {
            return found;
        }
    }
}

fn signals_are_found_by_comparison(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let long = |end: &str| format!("{}{end}", "x".repeat(200));
    let values = [
        json!(7),
        json!(-1.5),
        json!(1_u64 << 60),
        json!("b"),
        json!(true),
        json!("a\u{0}b"),
        json!(long("b")),
        json!(7.5),
        json!(""),
        json!(long("a")),
        json!((1_u64 << 60) + 1),
        json!("a"),
    ];
    for (place, value) in values.iter().enumerate() {
        keep(&store, &owner, &signal("tick", place as u64 + 1, json!({ "p": value, "q": 1 })));
    }
    let found = |tests: Value| in_range(&store, &owner, &json!({ "p": tests }));
    assert_eq!(found(json!({ ">=": -2 })), [2, 1, 8, 3, 11]);
    assert_eq!(found(json!({ ">": 7, "<=": 1_u64 << 60 })), [8, 3]);
    assert_eq!(found(json!({ "<": 7 })), [2, 1], "whoever reads the signal compares");
    assert_eq!(found(json!({ ">": "a" })), [12, 6, 4, 7, 10]);
    assert_eq!(found(json!({ ">=": "a", "<": "b" })), [12, 6, 4]);
    assert_eq!(found(json!({ "prefix": "a" })), [12, 6]);
    assert_eq!(found(json!({ "prefix": "a", ">": "aa" })), Vec::<u64>::new());
    assert_eq!(found(json!({ "prefix": long("") })), [7, 10]);
    assert_eq!(found(json!({ ">=": long("b") })), [7, 10]);
    assert_eq!(found(json!({ ">=": "y" })), Vec::<u64>::new());
    let newest = |before, limit| {
        let page = store.signals_before(&owner, "tick", before, limit).unwrap();
        page.into_iter().map(|signal| signal.sequence).collect::<Vec<_>>()
    };
    assert_eq!(newest(None, 3), [12, 11, 10]);
    assert_eq!(newest(Some(3), 3), [2, 1]);
    assert_eq!(newest(Some(1), 3), Vec::<u64>::new());
}

fn uses_of_a_signal_are_listed_and_go(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let released = |number: u8, step: &str| SignalUse {
        run: run(number),
        step: Some(step.to_owned()),
        trigger: None,
        at: Timestamp(4),
    };
    let started =
        SignalUse { step: None, trigger: Some("w/signal-1".to_owned()), ..released(3, "") };
    let all = [released(1, "a"), released(1, "b"), released(2, "a"), started];
    for used in &all {
        let write = Write::signal_use(&owner, ("tick", 7), used).unwrap();
        commit(&store, vec![write.clone()]);
        commit(&store, vec![write]);
    }
    commit(&store, vec![Write::signal_use(&owner, ("tick", 8), &all[0]).unwrap()]);
    let page = store.signal_uses(&owner, ("tick", 7), &Paging::first(3)).unwrap();
    let rest = Paging::first(3).after(page.next.clone());
    let rest = store.signal_uses(&owner, ("tick", 7), &rest).unwrap();
    let mut found: Vec<_> = page.items.into_iter().chain(rest.items).collect();
    found.sort_by_key(|used| (used.run, used.step.clone()));
    assert_eq!(found, all);
    let (gone, are_all) = store.signal_uses_gone(&owner, ("tick", 7), 3).unwrap();
    assert!(!are_all && gone.len() == 3);
    commit(&store, gone);
    let (gone, are_all) = store.signal_uses_gone(&owner, ("tick", 7), 3).unwrap();
    assert!(are_all && gone.len() == 1);
    commit(&store, gone);
    let left = store.signal_uses(&owner, ("tick", 7), &Paging::first(3)).unwrap();
    assert_eq!(left.items, []);
    let other = store.signal_uses(&owner, ("tick", 8), &Paging::first(3)).unwrap();
    assert_eq!(other.items, all[..1]);
}

fn an_expired_signal_leaves_nothing_but_the_order(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let record = signal("tick", 1, json!({ "a": 1, "b": "x" }));
    keep(&store, &owner, &record);
    let rows = store.stats().rows;
    commit(&store, Write::signal_expired(&owner, &record, true).unwrap());
    assert_eq!(rows, 5, "the signal, its id, two params and the name");
    assert_eq!(store.signals(&owner, "tick", 0, 9).unwrap(), []);
    assert_eq!(store.signal_by_id(&owner, &of("tick"), "id 1"), Ok(None));
    for param in record.params.iter() {
        assert_eq!(store.next_with_param(&owner, "tick", param, 0), Ok(None));
    }
    assert_eq!(store.last_signal(&owner, "tick"), Ok(1));
}

fn the_ids_of_webhooks_are_their_own(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let by = |source: &str, sequence| SignalRecord {
        id: "x".to_owned(),
        publisher: Publisher::Webhook { source: source.to_owned() },
        ..signal("tick", sequence, json!({}))
    };
    let one = SignalRecord { name: "tock".to_owned(), ..by("tick", 7) };
    let by_api = SignalRecord { publisher: Publisher::api("ada"), ..by("tick", 8) };
    let all = [one, by("ticks", 7), by_api];
    all.iter().for_each(|record| keep(&store, &owner, record));
    let place_of = |record: &SignalRecord| store.signal_by_id(&owner, &record.ids(), "x").unwrap();
    for record in &all {
        assert_eq!(place_of(record), Some((record.name.clone(), record.sequence)));
    }
    commit(&store, Write::signal_expired(&owner, &all[2], false).unwrap());
    assert!(place_of(&all[2]).is_some(), "by now it is another's");
    commit(&store, Write::signal_expired(&owner, &all[0], true).unwrap());
    assert_eq!(all.each_ref().map(|record| place_of(record).is_some()), [false, true, true]);
}

fn the_oldest_signal_of_each_name_is_found(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for (name, sequence) in [("b/2", 4), ("b", 3), ("b", u64::MAX), ("a", 9), ("b", 2)] {
        keep(&store, &owner, &signal(name, sequence, json!({})));
    }
    keep(&store, &tenant("aa"), &signal("a", 1, json!({})));
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    while let Some(next) = store.next_oldest_signal(&owner, after.as_deref()).unwrap() {
        found.push((next.name.clone(), next.sequence));
        after = Some(next.name);
    }
    let expected = [("a", 9), ("b", 2), ("b/2", 4)];
    assert_eq!(found, expected.map(|(name, sequence)| (name.to_owned(), sequence)));
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
    let begin = |text| store.signal_names(&owner, text, &Paging::first(9)).unwrap().items;
    assert_eq!(begin("t").len(), 2);
    assert_eq!(begin("tick").first().map(|record| record.name.as_str()), Some("tick"));
    assert_eq!(begin("ticks"), []);
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
    keep(&store, &owner, &signal(&name, u64::MAX, json!({ &name: "v".repeat(256) })));
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
    assert!(store.signal_by_id(&owner, &of(&name), &id).is_err());
}

fn keep(store: &Store, owner: &TenantId, record: &SignalRecord) {
    commit(store, Write::signal(owner, record).unwrap());
}

fn of(name: &str) -> Ids {
    Ids::Name(name.to_owned())
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
