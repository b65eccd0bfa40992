//! A step that books a journey at three services that know nothing of each
//! other. When one of them has no more room, what was booked before is
//! cancelled, last first.

use std::time::Duration;

use segno::prelude::*;
use segno::{http, timers};
use serde::{Deserialize, Serialize};

/// What is booked, in this order.
const BOOKINGS: [&str; 3] = ["flight", "hotel", "car"];

/// How often a service that does not answer is asked.
const TRIES: u64 = 3;

/// What to book.
#[derive(Debug, Deserialize)]
pub struct Journey {
    /// The journey's name.
    pub trip: String,
    /// The URL under which the services are: `/flight`, `/hotel`, `/car`.
    pub service: String,
    /// How long to wait before a service that did not answer is asked again;
    /// twice as long before the next time.
    #[serde(default = "ten_seconds")]
    pub pause: String,
}

/// What was done and undone.
#[derive(Debug, Serialize)]
pub struct Booked {
    /// The journey's name.
    pub trip: String,
    /// Whether everything is booked.
    pub complete: bool,
    /// What was booked, in order.
    pub done: Vec<Booking>,
    /// What was cancelled, in order.
    pub undone: Vec<&'static str>,
    /// Why it is not complete.
    pub failed: Option<String>,
}

/// One booking.
#[derive(Debug, Serialize)]
pub struct Booking {
    /// Such as `flight`.
    pub what: &'static str,
    /// What the service said.
    pub answer: Value,
}

/// Books everything or nothing. Nothing is a result too: what can be done
/// without the journey is for the workflow to decide.
#[segno::step]
pub fn run(ctx: &Context, journey: Journey) -> Result<Booked> {
    let pause = timers::duration(&journey.pause).context("reading `pause`")?;
    let mut done = Vec::new();
    for what in BOOKINGS {
        match book(ctx, &journey, what, pause) {
            Ok(answer) => done.push(Booking { what, answer }),
            Err(error) => {
                warn!("no {what}: {error}");
                // A service that never answered may have booked all the same.
                let unsure = (!error.is_fatal()).then_some(what);
                let undone = unsure.into_iter().chain(done.iter().rev().map(|b| b.what));
                let undone = undone.collect::<Vec<_>>();
                for what in &undone {
                    cancel(ctx, &journey, what).context("undoing what was booked")?;
                }
                let failed = Some(format!("{what}: {error}"));
                return Ok(Booked { trip: journey.trip, complete: false, done, undone, failed });
            }
        }
    }
    Ok(Booked { trip: journey.trip, complete: true, done, undone: Vec::new(), failed: None })
}

/// Books one thing. The step asks again by itself: if it failed instead, its
/// last try would leave behind what is booked.
fn book(ctx: &Context, journey: &Journey, what: &str, pause: Duration) -> Result<Value> {
    let mut wait = pause;
    for left in (0..TRIES).rev() {
        match ask(ctx, journey, what, what) {
            Err(error) if !error.is_fatal() && left > 0 => {
                info!("{error}; asking again in {} s", wait.as_secs());
                timers::sleep(wait);
                wait *= 2;
            }
            other => return other,
        }
    }
    unreachable!("the last try returns")
}

/// Cancels one thing. A failure is handed on, and the step's retry policy asks
/// again: a cancellation that is given up leaves somebody with a bill.
fn cancel(ctx: &Context, journey: &Journey, what: &str) -> Result<()> {
    ask(ctx, journey, what, &format!("{what}/cancel"))?;
    info!("the {what} is cancelled");
    Ok(())
}

/// Asks a service. The host's own `Idempotency-Key` belongs to one call; this
/// one belongs to the booking, however often it is asked for.
fn ask(ctx: &Context, journey: &Journey, what: &str, path: &str) -> Result<Value> {
    http::post(format!("{}/{path}", journey.service.trim_end_matches('/')))
        .idempotency_key(format!("{}/{path}", ctx.run()))
        .json(&json!({ "trip": journey.trip, "booking": format!("{}/{what}", ctx.run()) }))
        .timeout(seconds(10))
        .send()?
        .error_for_status()?
        .json()
}

fn ten_seconds() -> String {
    "10 seconds".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno::refusal::Code;
    use segno::testing::Script;

    fn url(path: &str) -> String {
        format!("http://127.0.0.1:7070/{path}")
    }

    /// The services that work.
    fn script(working: &[&str]) -> Script {
        let input = json!({ "trip": "lisbon", "service": "http://127.0.0.1:7070" });
        let script = Script::new(run).input(input);
        working.iter().fold(script, |script, path| {
            script.http("POST", &url(path), 200, json!({ "id": path }))
        })
    }

    fn asked(script: &Script) -> Vec<String> {
        let urls = script.requests().into_iter().map(|request| request.url);
        urls.map(|asked| asked.trim_start_matches(&url("")).to_owned()).collect()
    }

    #[test]
    fn everything_is_booked() {
        let mut script = script(&["flight", "hotel", "car"]);
        let booked = script.finish().unwrap();
        assert_eq!(booked["complete"], true);
        assert_eq!(booked["done"][2], json!({ "what": "car", "answer": { "id": "car" } }));
        assert_eq!(asked(&script), ["flight", "hotel", "car"]);
        script.check_replay();
    }

    #[test]
    fn what_was_booked_is_cancelled_last_first() {
        let mut script = script(&["flight", "hotel", "flight/cancel", "hotel/cancel"]).http(
            "POST",
            &url("car"),
            409,
            json!("sold out"),
        );
        let booked = script.finish().unwrap();
        assert_eq!(booked["complete"], false);
        assert_eq!(booked["undone"], json!(["hotel", "flight"]));
        let failed = booked["failed"].as_str().unwrap();
        assert!(failed.starts_with("car: ") && failed.contains("sold out"), "{failed}");
        assert_eq!(asked(&script), ["flight", "hotel", "car", "hotel/cancel", "flight/cancel"]);
        script.check_replay();
    }

    #[test]
    fn a_service_that_never_answers_is_cancelled_too() {
        let mut script = script(&["flight", "flight/cancel", "hotel/cancel"]).http_refused(
            "POST",
            &url("hotel"),
            Code::Timeout,
        );
        assert_eq!(script.run_until_suspended().left(), Some(seconds(10)));
        script.advance("10s");
        assert_eq!(script.run_until_suspended().left(), Some(seconds(20)));
        let booked = script.advance("20s").finish().unwrap();
        assert_eq!(booked["undone"], json!(["hotel", "flight"]));
        let hotels = script.requests().into_iter().filter(|request| request.url == url("hotel"));
        let keys = hotels.map(|request| request.idempotency_key().to_owned());
        assert_eq!(keys.collect::<Vec<_>>(), ["run_test/hotel"; 3]);
        script.check_replay();
    }

    #[test]
    fn a_service_that_comes_back_is_booked_after_all() {
        let mut script = script(&["flight"])
            .http("POST", &url("hotel"), 503, json!({}))
            .http("POST", &url("hotel"), 200, json!({ "id": "h" }))
            .http("POST", &url("car"), 200, json!({ "id": "c" }));
        assert_eq!(script.advance("10s").finish().unwrap()["complete"], true);
        script.check_replay();
    }

    #[test]
    fn a_cancellation_is_not_given_up() {
        let mut script = script(&["flight"])
            .http("POST", &url("hotel"), 404, json!({}))
            .http("POST", &url("flight/cancel"), 503, json!({}))
            .http("POST", &url("flight/cancel"), 200, json!({}));
        let error = script.finish().unwrap_err();
        assert!(!error.is_fatal());
        assert!(error.message().starts_with("undoing what was booked: "), "{error}");
        assert_eq!(script.try_again().finish().unwrap()["undone"], json!(["flight"]));
    }
}
