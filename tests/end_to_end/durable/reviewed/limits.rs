//! What a step could fill without a limit: the journal with what does not look
//! like an answer, the history of its run, and the signals that wait for one.

use super::super::{PROBE, gave, probe, put_away};
use super::{ask, failure, with_hostile, with_probe};
use crate::server::Server;
use serde_json::json;

#[test]
fn memos_count_in_a_journal() {
    // Without their texts there would be room for all the calls.
    let server = with_hostile("journal: 100KiB, journal_entries: 400");
    let run = server.start_run("hostile", json!({ "input": { "case": "hoards", "bytes": 1000 } }));
    let (reason, message, attempt) = failure(&server, &run);
    assert_eq!((reason.as_str(), attempt), ("limit:journal", 1), "{message}");
    assert!(message.contains("longer than its limit of 100KiB"), "{message}");
}

#[test]
fn refused_calls_count_in_a_journal() {
    let server = with_probe(Server::start());
    let definition = PROBE.replace("secrets: [PAY_KEY]", "signals: []");
    server.apply(&definition.replace("    retry:", "    limits: { journal: 64KiB }\n    retry:"));
    let refused = json!({ "try": { "publish": { "name": "x".repeat(400) } } });
    let few = gave(&server, &probe(&server, json!([refused])));
    let message = few[0]["error"].as_str().expect("it is refused");
    assert!(message.contains("add `grants: { signals: ["), "{message}");
    let run = probe(&server, json!(vec![refused; 200]));
    let (reason, message, attempt) = failure(&server, &run);
    assert_eq!((reason.as_str(), attempt), ("limit:journal", 1), "{message}");
    assert!(message.contains("longer than its limit of 64KiB"), "{message}");
}

#[test]
fn what_a_step_takes_along_when_it_continues_has_an_end() {
    let server = with_hostile("host_call: 16MiB, memory: 256MiB, cpu: 1m, wall: 5m");
    let input = json!({ "case": "swells", "bytes": 8 << 20 });
    let run = server.start_run("hostile", json!({ "input": input }));
    let (reason, message, _) = failure(&server, &run);
    assert_eq!(reason, "limit:continuations", "{message}");
    assert!(message.contains("64 MiB of input in all"), "{message}");
    let continued = server.events(&run).filter(|event| event["type"] == "step_continued").count();
    assert_eq!(continued, 7, "8 MiB and a little fit in 64 MiB 7 times");
}

#[test]
fn a_run_that_is_sent_too_much_refuses_and_goes_on() {
    let server = with_probe(Server::start());
    let run =
        probe(&server, json!([{ "answer": "go" }, { "answer": "fill" }, { "answer": "end" }]));
    put_away(&server, &run, 1);
    let path = format!("runs/{run}/signals");
    let fill = json!({ "name": "fill", "payload": "x".repeat(250 << 10) });
    let refused = (1..).find_map(|sent| match ask(&server, &path, Some(&fill)) {
        (201, _) => None,
        other => Some((sent, other)),
    });
    let (sent, (status, problem)) = refused.expect("there is an end");
    assert_eq!((sent, status), (17, 429), "{problem}");
    assert!(problem.contains("too_many_signals") && problem.contains("4 MiB"), "{problem}");
    // What a step waits for takes no room, and what it takes makes room.
    server.json(&["run", "signal", &run, "go", "1"]);
    put_away(&server, &run, 2);
    assert_eq!(ask(&server, &path, Some(&fill)).0, 201);
    assert_eq!(ask(&server, &path, Some(&fill)).0, 429);
    server.json(&["run", "signal", &run, "end", "2"]);
    let given = gave(&server, &run);
    assert_eq!((&given[0], &given[1], &given[2]), (&json!(1), &fill["payload"], &json!(2)));
}
