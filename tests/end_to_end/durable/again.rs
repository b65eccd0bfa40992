//! Steps that are tried again or continue as new: what is finished stays
//! finished, and every effect keeps its identity.

use super::service::Service;
use super::{PROBE, gave, log, output, probe, probing, publish, put_away};
use crate::server::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A journal with room for so many calls.
fn with_room(server: &Server, calls: u32) {
    server.apply(
        &PROBE.replace(
            "    retry:",
            &format!("    limits: {{ journal_entries: {calls} }}\n    retry:"),
        ),
    );
}

fn count(server: &Server, run: &str, kind: &str) -> usize {
    server.events(run).filter(|event| event["type"] == kind).count()
}

#[test]
fn another_try_goes_on_behind_the_last_wait() {
    let service = Service::start();
    let server = probing(&service);
    let post = |path: &str| json!({ "post": { "url": format!("{}{path}", service.url()) } });
    service.fail("/ship", 503);
    let calls = json!([
        post("/charge"), { "wait": { "name": "paid" } }, { "log": "paid" }, post("/pack"), post("/ship"),
    ]);
    let run = probe(&server, calls);
    put_away(&server, &run, 1);
    publish(&server, "paid", json!({}), json!(7));
    service.wait_for("/ship", 1);
    service.heal("/ship");
    let given = gave(&server, &run);
    assert_eq!(given[1], 7, "the signal is not asked for again");
    assert_eq!(service.keys("/charge").len(), 1);
    // What came behind the wait is done again, and known by its key.
    let (pack, ship) = (service.keys("/pack"), service.keys("/ship"));
    assert_eq!((pack.len(), ship.len()), (2, 2));
    assert_eq!((&pack[0], &ship[0]), (&pack[1], &ship[1]));
    assert_eq!(service.done(), 3);
    let step = &server.get(&format!("runs/{run}"))["steps"][0];
    assert_eq!(step["attempt"], 2, "{step}");
    assert_eq!(output(&server, &run, "probe")["attempt"], 1, "a step is told the same as before");
    assert_eq!(log(&server, &run), ["paid", "paid"], "each attempt has a log of its own");
    assert_eq!(
        (count(&server, &run, "attempt_suspended"), count(&server, &run, "attempt_failed")),
        (1, 1)
    );
}

#[test]
fn another_try_from_the_start_has_the_same_keys() {
    let service = Service::start();
    let server = probing(&service);
    service.fail("/b", 500);
    let post = |path: &str| json!({ "post": { "url": format!("{}{path}", service.url()) } });
    let run =
        probe(&server, json!([{ "random": null }, post("/a"), post("/b"), { "random": null }]));
    service.wait_for("/b", 2);
    service.heal("/b");
    let given = gave(&server, &run);
    assert_ne!(given[0], given[3]);
    assert_eq!(output(&server, &run, "probe")["attempt"], 3);
    for (path, sequence) in [("/a", 0), ("/b", 1)] {
        let key = format!("{run}/probe/{sequence}");
        assert_eq!(service.keys(path), [key.as_str(); 3]);
    }
}

#[test]
fn tries_end_and_the_failure_is_the_last_one() {
    let service = Service::start();
    let server = probing(&service);
    let run =
        probe(&server, json!([{ "sleep": "1ms" }, { "log": "woken" }, { "fail": "not today" }]));
    let ended = server.end_of(&run);
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("failed"), &json!("user")));
    assert_eq!(ended["steps"][0]["attempt"], 3, "{ended}");
    assert_eq!(log(&server, &run), ["woken"; 3]);
}

#[test]
fn a_full_journal_is_no_end_for_a_step_that_continues() {
    let service = Service::start();
    let server = probing(&service);
    with_room(&server, 10);
    let post = json!({ "post": { "url": format!("{}/turn", service.url()) } });
    let turn =
        [json!({ "get": "turns" }), json!({ "sleep": "1ms" }), post, json!({ "log": "turned" })];
    let sixteen: Vec<Value> = turn.iter().cycle().take(16).cloned().collect();
    let run = probe(&server, json!(sixteen));
    let ended = server.end_of(&run);
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("failed"), &json!("limit:journal")));
    let message = ended["steps"][0]["failure"]["message"].as_str().unwrap();
    assert!(message.contains("`continue-as-new`"), "{message}");
    assert_eq!(service.requests().len(), 3, "a full journal is no reason to try again");

    let calls: Vec<Value> = turn.into_iter().chain([json!({ "again": 20 })]).collect();
    let run = probe(&server, json!(calls));
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    let output = output(&server, &run, "probe");
    assert_eq!((&output["rounds"], &output["attempt"]), (&json!(20), &json!(20)));
    assert_eq!(count(&server, &run, "step_continued"), 19);
    assert_eq!(log(&server, &run), ["turned"; 20]);
    // Sequence numbers go on, or a later round would pass for an earlier one.
    let keys: BTreeSet<_> = service.keys("/turn").into_iter().collect();
    assert_eq!((keys.len(), service.done()), (23, 23));
}

#[test]
fn continuing_goes_on_after_a_kill() {
    let service = Service::start();
    let server = probing(&service);
    let post = json!({ "post": { "url": format!("{}/turn", service.url()) } });
    let wait = json!({ "wait": { "name": "turn" } });
    let run = probe(&server, json!([wait, post, { "again": 3 }]));
    put_away(&server, &run, 1);
    publish(&server, "turn", json!({}), json!(1));
    // The signal of the first round is not given to the second.
    put_away(&server, &run, 2);
    let server = server.kill_and_restart();
    publish(&server, "turn", json!({}), json!(2));
    put_away(&server, &run, 3);
    publish(&server, "turn", json!({}), json!(3));
    assert_eq!(gave(&server, &run)[0], 3);
    assert_eq!((service.requests().len(), service.done()), (3, 3));
    assert_eq!(output(&server, &run, "probe")["rounds"], 3);
}

#[test]
fn a_request_that_a_crash_interrupts_is_repeated_or_reported() {
    let service = Service::start();
    let server = probing(&service);
    service.keep_silent("/slow");
    let url = format!("{}/slow", service.url());
    let post = |report: bool| json!({ "post": { "url": url, "report": report } });
    let repeated = probe(&server, json!([post(false), { "log": "repeated" }]));
    let reported = probe(&server, json!([{ "try": post(true) }, { "log": "reported" }]));
    service.wait_for("/slow", 2);
    let server = server.kill_and_restart();
    let requests = service.wait_for("/slow", 3);
    let error = gave(&server, &reported)[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("whether it was received is not known"), "{error}");
    service.speak();
    assert_eq!(gave(&server, &repeated)[0]["path"], "/slow");
    let of = |run: &str| requests.iter().filter(|request| request.key.starts_with(run)).count();
    assert_eq!((of(&repeated), of(&reported)), (2, 1));
    assert_eq!(service.requests().len(), 3);
    assert_eq!(
        (log(&server, &repeated), log(&server, &reported)),
        (vec!["repeated".to_owned()], vec!["reported".to_owned()])
    );
}
