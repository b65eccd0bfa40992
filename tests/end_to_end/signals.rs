//! Signals and secrets from outside: one order, ids that count once, also after
//! a kill, and values that nothing gives back.

use crate::guests::SEGNO;
use crate::server::{Server, text};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a request with these answers: its status and its JSON.
fn send(url: &str, body: &str, key: Option<&str>) -> (u16, Value) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = agent.post(url).content_type("application/json");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let mut answer = request.send(body).expect("the server answers");
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().expect("answers are JSON"))
}

fn signals(server: &Server) -> String {
    format!("{}/v1/tenants/default/signals", server.url)
}

#[test]
fn a_signal_is_kept_as_it_was_given_and_found_again() {
    let server = Server::start();
    let payload = r#"{"z":1.50,"a":[1e3,"ü"]}"#;
    let words = ["signal", "publish", "weather/landed", "--param", "station=seattle"];
    let more = ["--param", "year=2012", "--payload", payload, "--id", "first"];
    let published = server.json(&[&words[..], &more].concat());
    assert_eq!(
        published,
        json!({ "name": "weather/landed", "id": "first", "sequence": 1, "repeated": false })
    );
    let found = server.segno(&["signal", "get", "weather/landed", "1", "-o", "json"]);
    let found = text(&found.stdout);
    assert!(found.contains("\"z\": 1.50"), "{found}");
    assert!(found.contains("1e3"), "{found}");
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["params"], json!({ "station": "seattle", "year": 2012 }));
    assert_eq!(found["by"], "api");
    for _ in 0..4 {
        server.json(&["signal", "publish", "weather/landed"]);
    }
    server.json(&["signal", "publish", "other"]);
    let listed = server.get("signals/weather%2Flanded?after=1&limit=2");
    let numbers = |page: &Value| -> Vec<u64> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["sequence"].as_u64().unwrap()).collect()
    };
    assert_eq!((numbers(&listed), &listed["next"]), (vec![2, 3], &json!("3")));
    let rest = server.get("signals/weather%2Flanded?limit=2&cursor=3");
    assert_eq!((numbers(&rest), rest.get("next")), (vec![4, 5], None));
    let newest = server.get("signals/weather%2Flanded?newest=true&limit=2");
    assert_eq!((numbers(&newest), &newest["next"]), (vec![5, 4], &json!("4")));
    let rest = server.get("signals/weather%2Flanded?newest=true&cursor=4");
    assert_eq!((numbers(&rest), rest.get("next")), (vec![3, 2, 1], None));
    let matched = r#"{"year": {">=": 2000, "<": 2013}, "station": {"prefix": "sea"}}"#;
    let list = ["signal", "list", "weather/landed", "--match", matched];
    for newest in [&[][..], &["--newest"]] {
        let found = server.json(&[&list[..], newest].concat());
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(found[0]["sequence"], 1);
    }
    let wrong = server.segno(&["signal", "list", "weather/landed", "--match", "{\"a\": {}}"]);
    assert!(text(&wrong.stderr).contains("`match` of param `a` names no operator"), "{wrong:?}");
    assert_eq!(server.get("signals/weather%2Flanded/latest")["sequence"], 5);
    let below = server.json(&["signal", "list", "--prefix", "weather/"]);
    assert_eq!(below, json!([{ "name": "weather/landed", "last": 5 }]));
    let names = server.json(&["signal", "list"]);
    let expected = json!([{ "name": "other", "last": 1 }, { "name": "weather/landed", "last": 5 }]);
    assert_eq!(names, expected);
    let table = text(&server.segno(&["signal", "list", "weather/landed"]).stdout);
    assert!(table.contains("first") && table.lines().count() == 6, "{table}");
    let missing = text(&server.segno(&["signal", "get", "other", "2"]).stderr);
    assert!(missing.contains("other has the numbers 1 to 1, and no 2"), "{missing}");
}

#[test]
fn an_id_counts_once_also_after_a_kill() {
    let server = Server::start();
    let body = r#"{"name":"paid","params":{"order":"a1"},"payload":{"n":1}}"#;
    let (status, first) = send(&signals(&server), body, Some("k1"));
    assert_eq!((status, &first["sequence"]), (201, &json!(1)));
    let (status, _) = send(&signals(&server), body, None);
    assert_eq!(status, 201);
    let server = server.kill_and_restart();
    let (status, again) = send(&signals(&server), body, Some("k1"));
    assert_eq!((status, &again["sequence"], &again["repeated"]), (200, &json!(1), &json!(true)));
    let other = body.replace("a1", "a2");
    let (status, refused) = send(&signals(&server), &other, Some("k1"));
    assert_eq!((status, &refused["code"]), (409, &json!("signal_id_taken")));
    assert!(refused["detail"].as_str().unwrap().contains("paid number 1"), "{refused}");
    let (_, next) = send(&signals(&server), &other, Some("k2"));
    assert_eq!(next["sequence"], 3);
}

#[test]
fn what_is_no_signal_is_refused_with_a_reason() {
    let server = Server::start();
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let large = format!("\"{}\"", "x".repeat(300 << 10));
    let cases = [
        (r#"{"params":{}}"#.to_owned(), None, 400, "name"),
        (r#"{"name":""}"#.to_owned(), None, 400, "1 to 128 bytes"),
        (r#"{"name":"a","params":{"p":[1]}}"#.to_owned(), None, 400, "param `p`"),
        (r#"{"name":"a","more":1}"#.to_owned(), None, 400, "more"),
        (r#"{"name":"a","id":""}"#.to_owned(), None, 400, "1 to 255 bytes"),
        (r#"{"name":"a","id":"x"}"#.to_owned(), Some("y"), 400, "one of the two"),
        (format!(r#"{{"name":"a","payload":{nested}}}"#), None, 400, ""),
        (format!(r#"{{"name":"a","payload":{large}}}"#), None, 413, "256 KiB"),
    ];
    for (body, key, status, part) in cases {
        let (found, problem) = send(&signals(&server), &body, key);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{detail}");
        assert!(detail.contains(part), "{part:?} is missing in {detail:?}");
    }
    assert_eq!(server.json(&["signal", "list"]), json!([]));
    let run = "run_00000000000000000000000000";
    let unknown = text(&server.segno(&["run", "signal", run, "go", "{}"]).stderr);
    assert!(unknown.contains("there is no run"), "{unknown}");
    let typed = text(&server.segno(&["run", "signal", run, "go", "yes"]).stderr);
    assert!(typed.contains("is no JSON"), "{typed}");
    for token in ["nonsense", "default.0123", &format!("default.{}", "0".repeat(40))] {
        let url = format!("{}/v1/waitpoints/{token}", server.url);
        let (status, problem) = send(&url, "{}", None);
        assert_eq!((status, &problem["code"]), (404, &json!("waitpoint_not_found")));
    }
}

#[test]
fn a_secret_goes_in_and_does_not_come_out() {
    let server = Server::start();
    let set = |name: &str, value: &str| {
        let mut child = Command::new(SEGNO)
            .args(["--server", &server.url, "secret", "set", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut stdin = child.stdin.take().expect("it was piped");
        stdin.write_all(value.as_bytes()).expect("the program reads");
        drop(stdin);
        let output = child.wait_with_output().expect("the program ends");
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(set("PAY_KEY", "sk_live_4242\n"), "set PAY_KEY\n");
    assert_eq!(set("OTHER", "two"), "set OTHER\n");
    assert!(set("no name", "x").contains("is no name of a secret"));
    assert!(set("EMPTY", "\n").contains("standard input is empty"));
    let listed = server.json(&["secret", "list"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["OTHER", "PAY_KEY"]);
    let one = server.get("secrets/PAY_KEY");
    assert_eq!(one.as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "set_at"]);
    let deleted = text(&server.segno(&["secret", "delete", "OTHER"]).stdout);
    assert_eq!(deleted, "deleted OTHER\n");
    let again = text(&server.segno(&["secret", "delete", "OTHER"]).stderr);
    assert!(again.contains("there is no secret OTHER"), "{again}");
    assert_no_file_has(server.data_dir(), b"sk_live_4242");
}

/// Fails if a file below `directory` contains `bytes`.
fn assert_no_file_has(directory: &std::path::Path, bytes: &[u8]) {
    for entry in std::fs::read_dir(directory).expect("it is a directory") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            assert_no_file_has(&path, bytes);
            continue;
        }
        let found = std::fs::read(&path).expect("files can be read");
        let is_there = found.windows(bytes.len()).any(|part| part == bytes);
        assert!(!is_there, "{} has it", path.display());
    }
}
