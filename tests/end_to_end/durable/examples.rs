//! The examples with durable steps do what their READMEs say, also if the host
//! is killed while they wait.

use super::service::Service;
use super::{log, output, publish, put_away, server_beside};
use crate::server::{Server, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn with_example(service: &Service, example: &str) -> Server {
    let server = server_beside(service);
    server.push_with_workflow(example);
    server
}

/// What a POST to a one-time URL is answered: status and code. The server may
/// have moved to another port since it gave the URL out.
fn answer(server: &Server, url: &str, body: &Value) -> (u16, Value) {
    let (_, token) = url.rsplit_once('/').expect("a URL has a path");
    let url = format!("{}/v1/waitpoints/{token}", server.url);
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.post(&url).send_json(body).expect("the server answers");
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().expect("answers are JSON"))
}

#[test]
fn an_order_is_charged_once_reminded_of_and_shipped() {
    let service = Service::start();
    let server = with_example(&service, "order-fulfilment");
    let params = json!({
        "order": "a1", "cents": 1250, "service": service.url(), "remind_every": "200ms",
    });
    let run = server.start_run("order-fulfilment", params);
    service.wait_for("/remind", 2);
    publish(&server, "payment.settled", json!({ "order": "b2" }), json!({ "cents": 1 }));
    let words = ["signal", "publish", "payment.settled", "--param", "order=a1"];
    server.json(&[&words[..], &["--payload", r#"{"cents": 1250}"#]].concat());
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let output = output(&server, &run, "fulfil");
    let reminders = service.keys("/remind").len();
    assert_eq!((&output["order"], &output["reminders"]), (&json!("a1"), &json!(reminders)));
    assert_eq!(output["payment"], json!({ "cents": 1250 }));
    assert_eq!(
        (&output["charge"]["path"], &output["charge"]["number"]),
        (&json!("/charge"), &json!(1))
    );
    assert_eq!(output["shipment"]["path"], "/ship");
    let paths = service.paths();
    assert_eq!(
        (paths.first().unwrap().as_str(), paths.last().unwrap().as_str()),
        ("/charge", "/ship")
    );
    assert_eq!(paths.len(), reminders + 2);
    // Every request is another, and its key says of which step it is.
    let requests = service.requests();
    let keys: BTreeSet<_> = requests.iter().map(|request| request.key.as_str()).collect();
    assert_eq!(keys.len(), requests.len());
    let prefix = format!("{run}/fulfil/");
    let sequence =
        |key: &&str| key.strip_prefix(&prefix).is_some_and(|rest| rest.parse::<u64>().is_ok());
    assert!(keys.iter().all(sequence), "{keys:?}");
    let mut lines = vec!["order a1 is charged, and waits for its payment".to_owned()];
    lines.extend((1..=reminders).map(|number| format!("reminder {number} is sent")));
    lines.push("order a1 is shipped".to_owned());
    assert_eq!(log(&server, &run), lines);
}

#[test]
fn an_order_that_nobody_pays_is_refunded() {
    let service = Service::start();
    let server = with_example(&service, "order-fulfilment");
    let params = json!({
        "order": "a1", "cents": 1, "service": service.url(), "remind_every": "1 hour",
        "give_up_after": "300ms",
    });
    let ended = server.end_of(&server.start_run("order-fulfilment", params));
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("failed"), &json!("fatal")));
    let failure = &ended["steps"][0]["failure"];
    assert_eq!(failure["message"], "order a1 was not paid within 300ms");
    assert_eq!(failure["details"]["charge"]["path"], "/charge", "{failure}");
    assert_eq!(service.paths(), ["/charge", "/refund"]);
}

#[test]
fn an_order_outlives_its_host() {
    let service = Service::start();
    let server = with_example(&service, "order-fulfilment");
    let params = json!({
        "order": "a1", "cents": 1250, "service": service.url(), "remind_every": "5s",
    });
    let run = server.start_run("order-fulfilment", params);
    let before = put_away(&server, &run, 1);
    assert_eq!(before["reason"], "signal:payment.settled");
    let server = server.kill_and_restart();
    let after = &server.get(&format!("runs/{run}"))["steps"][0];
    assert_eq!((&after["status"], &after["since"]), (&before["status"], &before["since"]));
    service.wait_for("/remind", 1);
    let server = server.kill_and_restart();
    publish(&server, "payment.settled", json!({ "order": "a1" }), json!({}));
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    // What was asked for twice was asked for with the same key.
    let keys: BTreeSet<_> = service.keys("/remind").into_iter().collect();
    assert_eq!(json!(keys.len()), output(&server, &run, "fulfil")["reminders"]);
    assert_eq!((service.keys("/charge").len(), service.keys("/ship").len()), (1, 1));
    let lines = log(&server, &run);
    let distinct: BTreeSet<_> = lines.iter().collect();
    assert_eq!((lines.len(), distinct.len()), (keys.len() + 2, keys.len() + 2), "{lines:?}");
}

#[test]
fn whoever_has_the_url_answers_once() {
    let service = Service::start();
    let server = with_example(&service, "approval");
    let params = json!({ "question": "Ship it?", "service": service.url() });
    let run = server.start_run("approval", params);
    let url = service.wait_for("/notify", 1)[0].body["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&server.url), "{url}");
    put_away(&server, &run, 1);
    let server = server.kill_and_restart();
    assert_eq!(answer(&server, &format!("{url}x"), &json!({})).0, 404);
    let decision = json!({ "approved": true, "by": "Ada" });
    assert_eq!(answer(&server, &url, &decision).0, 200);
    let (status, again) = answer(&server, &url, &json!({ "approved": false, "by": "Eve" }));
    assert_eq!((status, &again["code"]), (410, &json!("waitpoint_used")));
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    assert_eq!(output(&server, &run, "ask"), decision);
    assert_eq!(answer(&server, &url, &decision).0, 410);
    assert_eq!(service.paths(), ["/notify"]);
    assert_eq!(log(&server, &run), ["Ada said yes"]);
}

#[test]
fn whoever_may_use_the_api_answers_without_the_url() {
    let service = Service::start();
    let server = with_example(&service, "approval");
    let run = server.start_run("approval", json!({ "question": "Ship it?" }));
    put_away(&server, &run, 1);
    let line = log(&server, &run).remove(0);
    let url = line.rsplit_once(' ').unwrap().1.to_owned();
    let said = r#"{"approved": false, "by": "Grace"}"#;
    let sent = server.segno(&["run", "signal", "approval#1", "approval", said]);
    assert!(text(&sent.stdout).starts_with("sent approval to approval#1"), "{sent:?}");
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    assert_eq!(output(&server, &run, "ask"), json!({ "approved": false, "by": "Grace" }));
    let (status, problem) = answer(&server, &url, &json!({ "approved": true, "by": "Ada" }));
    assert_eq!((status, &problem["code"]), (409, &json!("run_is_over")));
    assert!(service.requests().is_empty());
}

#[test]
fn a_reader_gets_mails_until_it_is_enough() {
    let service = Service::start();
    let server = with_example(&service, "drip");
    let mail = json!({ "mail": "ada@example.com" });
    let params = json!({
        "mail": "ada@example.com", "service": service.url(),
        "after": ["100ms", "400ms", "2s", "30 days"],
    });
    let run = server.start_run("drip", params);
    service.wait_until_done(2);
    let server = server.kill_and_restart();
    service.wait_until_done(3);
    publish(&server, "mail.unsubscribed", json!({ "mail": "bob@example.com" }), json!({}));
    publish(&server, "mail.unsubscribed", mail, json!({}));
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    let wanted = json!({ "mail": "ada@example.com", "sent": 3, "unsubscribed": true });
    assert_eq!(output(&server, &run, "send"), wanted);
    // The host may have been killed before it had the answer to a mail.
    assert_eq!(service.done(), 3);
    let numbers: BTreeSet<_> =
        service.requests().iter().map(|request| request.body["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)].into());
}

#[test]
fn what_was_booked_is_cancelled_last_first() {
    let service = Service::start();
    let server = with_example(&service, "saga");
    service.fail("/car", 409);
    let run = server.start_run("saga", json!({ "trip": "lisbon", "service": service.url() }));
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    let booked = output(&server, &run, "book");
    assert_eq!(
        (&booked["complete"], &booked["undone"]),
        (&json!(false), &json!(["hotel", "flight"]))
    );
    assert!(booked["failed"].as_str().unwrap().contains("/car is out of order"), "{booked}");
    let paths = ["/flight", "/hotel", "/car", "/hotel/cancel", "/flight/cancel"];
    assert_eq!(service.paths(), paths);
    assert_eq!(service.keys("/flight"), [format!("{run}/flight")]);
}

#[test]
fn a_journey_is_booked_by_the_host_that_comes_next() {
    let service = Service::start();
    let server = with_example(&service, "saga");
    service.fail("/hotel", 503);
    let params = json!({ "trip": "lisbon", "service": service.url(), "pause": "3s" });
    let run = server.start_run("saga", params);
    let step = put_away(&server, &run, 1);
    assert!(step["reason"].as_str().unwrap().starts_with("timer:"), "{step}");
    service.heal("/hotel");
    let server = server.kill_and_restart();
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    assert_eq!(output(&server, &run, "book")["complete"], true);
    assert_eq!(service.paths(), ["/flight", "/hotel", "/hotel", "/car"]);
    assert_eq!(service.done(), 3);
}
