//! The example `order-fulfilment`: charged, reminded of by a timer, paid by a
//! signal, shipped.

use super::mortal::Mortal;
use super::{COMMIT, Sweep, TAKING_UP, check_events, effects};
use crate::durable::service::Service;
use serde_json::{Value, json};

/// Long enough for a restart between the reminder and the payment, most times;
/// where it is not, there is one more reminder, and everything else is the same.
const REMIND_EVERY: &str = "300ms";

const POINTS: [&str; 13] = [
    "alarm fires",
    "answer begins",
    "group flushed",
    "group written",
    "guest goes on",
    "guest is gone",
    "guest starts",
    "mark flushed",
    "mark written",
    "request answered",
    "request leaves",
    "run ordered",
    "signal is answered",
];

const AWAY: [&str; 7] = [
    "put away",
    "run is in memory again",
    "run leaves memory",
    "signal ordered",
    "start is answered",
    "wait ordered",
    "wake ordered",
];

#[test]
fn an_order_is_fulfilled_once_wherever_its_host_is_killed() {
    Sweep { grace: "1h", again: &[], late_at: &[], points: &POINTS, play }.run();
}

#[test]
fn an_order_that_leaves_memory_is_fulfilled_once_wherever_its_host_is_killed() {
    Sweep { grace: "0s", again: &[], late_at: &[], points: &AWAY, play }.run();
}

#[test]
fn an_order_is_fulfilled_once_if_the_next_host_is_killed_too() {
    Sweep { grace: "0s", again: &TAKING_UP, late_at: &[], points: &AWAY, play }.run();
}

#[test]
fn nothing_of_an_order_leaves_the_host_before_the_disk_has_it() {
    Sweep { grace: "1h", again: &[], late_at: &[COMMIT], points: &[COMMIT], play }.run();
}

fn play(mortal: &mut Mortal, service: &Service) {
    let params = json!({
        "order": "a1", "cents": 1250, "service": service.url(), "remind_every": REMIND_EVERY,
    });
    let start = json!({ "workflow": "order-fulfilment", "params": params });
    let started = mortal.post("runs", "start-a1", &start);
    let run = started["run"].as_str().expect("a run has an identifier").to_owned();
    // The second wait, or a later one: what leaves is behind a durable resume.
    mortal.until(service, &run, |view| {
        !service.keys("/remind").is_empty() && view["steps"][0]["status"] == "suspended"
    });
    let payment = json!({ "cents": 1250, "by": "transfer" });
    let paid =
        json!({ "name": "payment.settled", "params": { "order": "a1" }, "payload": payment });
    let published = mortal.post("signals", "paid-a1", &paid);
    assert_eq!(published["sequence"], 1);
    let ended = mortal.until(service, &run, |view| view.get("ended_at").is_some());
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["steps"][0]["attempt"], 1, "a kill is no failure of the step");
    judge(mortal, service, &run, &payment);
}

fn judge(mortal: &mut Mortal, service: &Service, run: &str, payment: &Value) {
    let output = mortal.get(&format!("runs/{run}/steps/fulfil"))["output"].clone();
    let reminders = output["reminders"].as_u64().expect("a number");
    let answer = |path: &str, number| json!({ "path": path, "number": number, "heard": "" });
    let expected = json!({
        "order": "a1", "charge": answer("/charge", 1), "payment": payment,
        "shipment": answer("/ship", reminders + 2), "reminders": reminders,
    });
    assert_eq!(output, expected);

    let place = |sequence: u64| format!("fulfil/{sequence}");
    let charge = json!({ "order": "a1", "cents": 1250 });
    let mut expected = vec![("/charge".to_owned(), place(0), charge)];
    for number in 1..=reminders {
        let body = json!({ "order": "a1", "reminder": number });
        expected.push(("/remind".to_owned(), place(2 * number), body));
    }
    let ship = json!({ "order": "a1", "payment": payment });
    expected.push(("/ship".to_owned(), place(2 * reminders + 2), ship));
    assert_eq!(effects(service, &[run], mortal.deaths().len()), expected);

    let mut lines = vec!["order a1 is charged, and waits for its payment".to_owned()];
    lines.extend((1..=reminders).map(|number| format!("reminder {number} is sent")));
    lines.push("order a1 is shipped".to_owned());
    assert_eq!(mortal.log(run), lines);

    assert_eq!(mortal.list("runs").len(), 1);
    let signals = mortal.list("signals/payment.settled");
    assert_eq!((signals.len(), &signals[0]["id"]), (1, &json!("paid-a1")));
    check_events(mortal, run);
}
