//! Webhooks and their deliveries come, are listed and go.

use super::super::{DeliveryOutcome, DeliveryRecord, Paging, WebhookRecord, Write};
use super::{Place, commit, on_every_backend, tenant};
use segno_engine::id::Timestamp;
use serde_json::json;

on_every_backend! {
    webhooks_come_and_go
    deliveries_are_listed_newest_first
}

fn webhooks_come_and_go(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let webhook = |name: &str| WebhookRecord {
        name: name.into(),
        definition: json!({ "kind": "github" }).as_object().cloned().unwrap(),
        created_by: "ada".into(),
        created_at: Timestamp(1),
        changed_by: "bob".into(),
        changed_at: Timestamp(2),
    };
    for name in ["pushes", "paid"] {
        commit(&store, vec![Write::webhook(&owner, &webhook(name)).unwrap()]);
    }
    assert_eq!(store.webhook(&owner, "paid"), Ok(Some(webhook("paid"))));
    let page = store.webhooks(&owner, &Paging::first(9)).unwrap();
    assert_eq!(page.items, [webhook("paid"), webhook("pushes")]);
    commit(&store, vec![Write::webhook_deleted(&owner, "paid").unwrap()]);
    assert_eq!(store.webhook(&owner, "paid"), Ok(None));
    assert_eq!(store.webhooks(&tenant("b"), &Paging::first(9)).unwrap().items, []);
    assert!(Write::webhook(&owner, &webhook("a\nb")).is_err());
}

fn deliveries_are_listed_newest_first(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let delivery = |sequence: u64| DeliveryRecord {
        sequence,
        outcome: DeliveryOutcome::BadSignature,
        at: Timestamp(sequence),
        last_at: Some(Timestamp(9)),
        count: 3,
        remote: Some("10.0.0.1".into()),
        id: None,
        signal: Some(("pushed".into(), 7)),
        detail: None,
    };
    for (webhook, sequence) in [("a", 1), ("a", 300), ("b", 2), ("a", 2)] {
        let write = Write::delivery(&owner, webhook, &delivery(sequence)).unwrap();
        commit(&store, vec![write]);
    }
    let page = store.deliveries(&owner, "a", &Paging::first(2)).unwrap();
    assert_eq!(page.items, [delivery(300), delivery(2)]);
    let rest = store.deliveries(&owner, "a", &Paging::first(2).after(page.next)).unwrap();
    assert_eq!((rest.items, rest.next), (vec![delivery(1)], None));
    commit(&store, vec![Write::delivery_deleted(&owner, "a", 300).unwrap()]);
    let page = store.deliveries(&owner, "a", &Paging::first(1)).unwrap();
    assert_eq!(page.items, [delivery(2)]);
}
