//! A step that fulfils an order: it charges, waits for days until the payment
//! is settled, sends reminders meanwhile, and ships. It reads as if it ran
//! without a break; while it waits, it is nowhere but in the store.

use std::time::{Duration, SystemTime};

use segno::prelude::*;
use segno::signals::{self, Signal};
use segno::{http, timers, waits};
use serde::{Deserialize, Serialize};

/// What was ordered.
#[derive(Debug, Deserialize)]
pub struct Order {
    /// The order's name, by which its payment is found.
    pub order: String,
    /// What it costs.
    pub cents: u64,
    /// The URL of the service that charges and ships.
    pub service: String,
    /// How long to wait between reminders.
    #[serde(default = "one_day")]
    pub remind_every: String,
    /// How long to wait for the payment.
    #[serde(default = "one_week")]
    pub give_up_after: String,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub struct Fulfilled {
    /// The order's name.
    pub order: String,
    /// What the service said to the charge.
    pub charge: Value,
    /// What the signal `payment.settled` said.
    pub payment: Value,
    /// What the service said to the shipment.
    pub shipment: Value,
    /// How many reminders it took.
    pub reminders: u32,
}

/// What ends a wait.
enum Next {
    Paid(Signal<Value>),
    Remind,
    GiveUp,
}

/// Fulfils the order, or takes the charge back and fails for good: steps behind
/// this one must not go on with an order that nobody paid.
#[segno::step]
pub fn run(order: Order) -> Result<Fulfilled> {
    let remind_every = timers::duration(&order.remind_every).context("reading `remind_every`")?;
    let give_up_after =
        timers::duration(&order.give_up_after).context("reading `give_up_after`")?;
    let name = &order.order;

    let charge = ask(&order, "charge", json!({ "order": name, "cents": order.cents }))?;
    info!("order {name} is charged, and waits for its payment");
    let give_up_at = timers::now() + give_up_after;

    let mut reminders = 0;
    let payment = loop {
        match next(name, give_up_at, remind_every)? {
            Next::Paid(signal) => break signal.payload,
            Next::Remind => {
                reminders += 1;
                ask(&order, "remind", json!({ "order": name, "reminder": reminders }))?;
                info!("reminder {reminders} is sent");
            }
            Next::GiveUp => {
                ask(&order, "refund", json!({ "order": name, "charge": charge }))?;
                let why = fatal!("order {name} was not paid within {}", order.give_up_after);
                return Err(why.details(json!({ "charge": charge, "reminders": reminders })));
            }
        }
    };

    let shipment = ask(&order, "ship", json!({ "order": name, "payment": payment }))?;
    info!("order {name} is shipped");
    Ok(Fulfilled { order: order.order, charge, payment, shipment, reminders })
}

/// The payment counts also if it was settled before this wait began. Where two
/// things happened meanwhile, the first one here counts.
fn next(order: &str, give_up_at: SystemTime, remind_every: Duration) -> Result<Next> {
    let paid = signals::wait("payment.settled").matching(json!({ "order": order }));
    waits::any()
        .signal(paid, Next::Paid)
        .at(give_up_at, || Next::GiveUp)
        .after(remind_every, || Next::Remind)
        .first()
}

/// Asks the service for something. The host adds an `Idempotency-Key` that stays
/// the same when the step is tried again, so that nobody is charged twice.
fn ask(order: &Order, what: &str, body: Value) -> Result<Value> {
    let url = format!("{}/{what}", order.service.trim_end_matches('/'));
    http::post(url).json(&body).timeout(seconds(10)).send()?.error_for_status()?.json()
}

fn one_day() -> String {
    "1 day".to_owned()
}

fn one_week() -> String {
    "1 week".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno::testing::Script;

    fn script() -> Script {
        let input = json!({ "order": "a1", "cents": 1250, "service": "http://127.0.0.1:7070" });
        ["charge", "remind", "refund", "ship"].into_iter().fold(
            Script::new(run).input(input),
            |script, what| {
                let url = format!("http://127.0.0.1:7070/{what}");
                script.http("POST", &url, 200, json!({ "id": format!("{what}-1") }))
            },
        )
    }

    fn asked(script: &Script) -> Vec<String> {
        let urls = script.requests().into_iter().map(|request| request.url);
        urls.filter_map(|url| Some(url.rsplit_once('/')?.1.to_owned())).collect()
    }

    #[test]
    fn an_order_is_shipped_when_its_payment_is_settled() {
        let mut script = script();
        script.run_until_suspended().assert_signal("payment.settled");
        script.publish("payment.settled", json!({ "order": "b2" }), json!({ "cents": 1 }));
        script.advance("2 days");
        script.publish("payment.settled", json!({ "order": "a1" }), json!({ "cents": 1250 }));
        let wanted = json!({
            "order": "a1", "charge": { "id": "charge-1" }, "payment": { "cents": 1250 },
            "shipment": { "id": "ship-1" }, "reminders": 2,
        });
        assert_eq!(script.finish().unwrap(), wanted);
        assert_eq!(asked(&script), ["charge", "remind", "remind", "ship"]);
        script.check_replay();
    }

    #[test]
    fn a_payment_that_was_faster_counts_too() {
        let mut script = script();
        script.publish("payment.settled", json!({ "order": "a1" }), json!({}));
        assert_eq!(script.finish().unwrap()["reminders"], 0);
    }

    #[test]
    fn an_order_that_nobody_pays_is_refunded() {
        let mut script = script();
        let error = script.advance("1 week").finish().unwrap_err();
        assert!(error.is_fatal());
        assert_eq!(error.message(), "order a1 was not paid within 1 week");
        assert_eq!(error.added_details().unwrap()["reminders"], 6);
        assert_eq!(asked(&script).last().unwrap(), "refund");
        script.check_replay();
    }

    #[test]
    fn another_try_charges_under_the_same_key() {
        let charge = "http://127.0.0.1:7070/charge";
        let input = json!({ "order": "a1", "cents": 1250, "service": "http://127.0.0.1:7070/" });
        let mut script = Script::new(run).input(input).http("POST", charge, 503, json!({})).http(
            "POST",
            charge,
            200,
            json!({}),
        );
        assert!(!script.finish().unwrap_err().is_fatal());
        script.try_again().run_until_suspended();
        let requests = script.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].idempotency_key(), requests[1].idempotency_key());
    }

    #[test]
    fn a_time_that_nobody_can_read_fails_before_anything_is_charged() {
        let input = json!({
            "order": "a1", "cents": 1, "service": "http://127.0.0.1:7070", "remind_every": "soon",
        });
        let mut script = Script::new(run).input(input);
        let error = script.finish().unwrap_err();
        assert!(error.is_fatal() && error.message().contains("`soon`"), "{error}");
        assert!(script.requests().is_empty());
    }
}
