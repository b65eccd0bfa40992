//! Webhooks from outside: what is signed becomes one signal, what is not becomes
//! none, and every delivery leaves a trace that no flood can drown.

use crate::server::{Server, text};
use segno_engine::webhook::{Encoding, Form};
use segno_host::clock::Clock;
use serde_json::{Value, json};

/// The example in GitHub's documentation.
const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const GITHUB_SIGNATURE: &str =
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().new_agent()
}

/// A server on which these secrets are set.
fn server_with(secrets: &[(&str, &str)]) -> Server {
    let server = Server::start();
    secrets.iter().for_each(|(name, value)| set_secret(&server, name, value));
    server
}

fn set_secret(server: &Server, name: &str, value: &str) {
    let url = format!("{}/v1/tenants/default/secrets/{name}", server.url);
    let answer = agent().put(&url).send_json(json!({ "value": value })).expect("it answers");
    assert_eq!(answer.status(), 200);
}

fn create(server: &Server, definition: &str) -> Value {
    let file = server.data_dir().join("webhook.yaml");
    std::fs::write(&file, definition).expect("the directory is writable");
    server.json(&["webhook", "create", &file.to_string_lossy()])
}

/// What a delivery with these headers answers.
fn deliver(server: &Server, name: &str, headers: &[(String, String)], body: &[u8]) -> (u16, Value) {
    let mut request = agent().post(format!("{}/hooks/default/{name}", server.url));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut answer = request.send(body).expect("the server answers");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("answers are JSON"))
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn seconds() -> u64 {
    Clock::System.now().0 / 1_000
}

/// Outcome and count of what came, newest first.
fn deliveries(server: &Server, name: &str) -> Vec<(String, u64)> {
    let listed = server.json(&["webhook", "deliveries", name]);
    let one = |item: &Value| {
        let outcome = item["outcome"].as_str().expect("a text");
        (outcome.to_owned(), item["count"].as_u64().expect("a number"))
    };
    listed.as_array().expect("a list").iter().map(one).collect()
}

fn outcomes(server: &Server, name: &str) -> Vec<String> {
    deliveries(server, name).into_iter().map(|(outcome, _)| outcome).collect()
}

const PUSHES: &str = "name: pushes\nkind: github\nsecret: GITHUB_HOOK\n\
    signal: \"github.${headers['x-github-event']}\"\n\
    params: { repo: '${body.repository.full_name}' }\n\
    when: headers['x-github-event'] != 'ping'\n";

const PUSH: &[u8] = br#"{"ref":"refs/heads/main","repository":{"full_name":"segno/segno"}}"#;

fn push(delivery: &str, event: &str) -> Vec<(String, String)> {
    let mut headers = Form::Github.sign(GITHUB_SECRET.as_bytes(), 0, PUSH);
    headers.push(header("X-GitHub-Delivery", delivery));
    headers.push(header("X-GitHub-Event", event));
    headers
}

#[test]
fn a_signed_delivery_is_one_signal_also_after_a_kill() {
    let server = server_with(&[("GITHUB_HOOK", GITHUB_SECRET)]);
    let created = create(&server, PUSHES);
    assert_eq!(created["url"], format!("{}/hooks/default/pushes", server.url));
    let (status, answer) = deliver(&server, "pushes", &push("d-1", "push"), PUSH);
    let first = json!({ "signal": "github.push", "sequence": 1, "repeated": false });
    assert_eq!((status, answer), (200, first));
    let server = server.kill_and_restart();
    let (status, answer) = deliver(&server, "pushes", &push("d-1", "push"), PUSH);
    let again = json!({ "signal": "github.push", "sequence": 1, "repeated": true });
    assert_eq!((status, answer), (200, again));
    let signals = server.get("signals/github.push");
    assert_eq!(signals["items"].as_array().unwrap().len(), 1);
    let signal = &signals["items"][0];
    assert_eq!((&signal["id"], &signal["by"]), (&json!("d-1"), &json!("webhook pushes")));
    assert_eq!(signal["params"], json!({ "repo": "segno/segno" }));
    assert_eq!(signal["payload"]["ref"], "refs/heads/main");
    let (status, answer) = deliver(&server, "pushes", &push("d-2", "ping"), PUSH);
    assert_eq!((status, answer), (200, json!({ "ignored": "d-2" })));
    assert_eq!(outcomes(&server, "pushes"), ["ignored", "repeated", "published"]);
    let newest = &server.get("webhooks/pushes/deliveries?limit=1");
    assert_eq!(
        (&newest["items"][0]["remote"], newest["next"].is_string()),
        (&json!("127.0.0.1"), true)
    );
    let next = newest["next"].as_str().unwrap();
    let rest = server.get(&format!("webhooks/pushes/deliveries?cursor={next}"));
    assert_eq!(rest["items"][1]["signal_sequence"], 1);
}

#[test]
fn what_is_not_signed_is_refused_and_counted() {
    let server = server_with(&[("GITHUB_HOOK", GITHUB_SECRET)]);
    create(&server, "name: plain\nkind: github\nsecret: GITHUB_HOOK\nsignal: plain\n");
    let documented = [header("X-Hub-Signature-256", GITHUB_SIGNATURE)];
    let (status, problem) = deliver(&server, "plain", &documented, b"Hello, World!");
    assert_eq!((status, &problem["code"]), (422, &json!("bad_delivery")), "signed, but no JSON");
    assert_eq!(problem["problems"][0]["path"], "body");
    let wrong = [
        vec![],
        vec![header("X-Hub-Signature-256", "sha256=00")],
        vec![header("X-Hub-Signature-256", &GITHUB_SIGNATURE.replace("757", "758"))],
        vec![header("X-Hub-Signature-256", "nonsense")],
        push("d-1", "push"),
    ];
    let mut details = Vec::new();
    for headers in &wrong {
        let (status, problem) = deliver(&server, "plain", headers, b"Hello, World!");
        assert_eq!((status, &problem["code"]), (401, &json!("bad_signature")));
        details.push(problem["detail"].clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "every refusal reads the same");
    let expected = [("bad_signature".to_owned(), 5), ("bad_body".to_owned(), 1)];
    assert_eq!(deliveries(&server, "plain"), expected);
    // What was only counted is written before a stop.
    deliver(&server, "plain", &[], b"");
    let server = server.stop_and_restart(|_| {});
    assert_eq!(deliveries(&server, "plain")[0], ("bad_signature".to_owned(), 6));
    let (status, _) = deliver(&server, "nobody", &documented, b"Hello, World!");
    assert_eq!(status, 404);
    let large = vec![b' '; (1 << 20) + 1];
    let signed = Form::Github.sign(GITHUB_SECRET.as_bytes(), 0, &large);
    let mut request = agent().post(format!("{}/hooks/default/plain", server.url));
    request = request.header("Expect", "100-continue").header(&signed[0].0, &signed[0].1);
    assert_eq!(request.send(&large[..]).expect("it answers").status(), 413);
    assert_eq!(outcomes(&server, "plain")[0], "too_large");
    assert_eq!(server.json(&["signal", "list"]), json!([]));
}

#[test]
fn dated_deliveries_count_for_a_while() {
    let server = server_with(&[("STRIPE", "whsec_1"), ("SLACK", "8f742231")]);
    create(
        &server,
        "name: paid\nkind: stripe\nsecret: STRIPE\nsignal: '${body.type}'\nid: '${body.id}'\n",
    );
    create(
        &server,
        "name: talk\nkind: slack\nsecret: SLACK\ntolerance: 1h\nsignal: command\n\
         params: { command: '${body.command}' }\n",
    );
    let event = br#"{"id":"evt_1","type":"invoice.paid"}"#;
    let now = seconds();
    let signed = Form::Stripe.sign(b"whsec_1", now, event);
    assert_eq!(deliver(&server, "paid", &signed, event).0, 200);
    let again = Form::Stripe.sign(b"whsec_1", now - 1, event);
    let (_, answer) = deliver(&server, "paid", &again, event);
    assert_eq!((&answer["sequence"], &answer["repeated"]), (&json!(1), &json!(true)));
    for at in [now - 400, now + 400] {
        let (status, problem) =
            deliver(&server, "paid", &Form::Stripe.sign(b"whsec_1", at, event), event);
        assert_eq!((status, &problem["code"]), (401, &json!("delivery_too_old")));
    }
    let forged = Form::Stripe.sign(b"whsec_2", now - 400, event);
    assert_eq!(deliver(&server, "paid", &forged, event).1["code"], "bad_signature");
    let expected = [("bad_signature", 1), ("too_old", 2), ("repeated", 1), ("published", 1)];
    assert_eq!(deliveries(&server, "paid"), expected.map(|(name, n)| (name.to_owned(), n)));

    let command = b"command=%2Fdeploy&text=now+please";
    let form = header("Content-Type", "application/x-www-form-urlencoded");
    let mut signed = Form::Slack.sign(b"8f742231", now - 400, command);
    signed.push(form);
    assert_eq!(deliver(&server, "talk", &signed, command).0, 200, "within its own tolerance");
    let signal = server.get("signals/command/1");
    assert_eq!(signal["params"], json!({ "command": "/deploy" }));
    assert_eq!(signal["payload"], json!({ "command": "/deploy", "text": "now please" }));
    let question = br#"{"type":"url_verification","challenge":"3eZb"}"#;
    let (status, answer) =
        deliver(&server, "talk", &Form::Slack.sign(b"8f742231", now, question), question);
    assert_eq!((status, answer), (200, json!({ "challenge": "3eZb" })));
    let (status, _) = deliver(&server, "talk", &[], question);
    assert_eq!(status, 401, "also a question has to be signed");
    let old = Form::Slack.sign(b"8f742231", now - 4_000, command);
    assert_eq!(deliver(&server, "talk", &old, command).1["code"], "delivery_too_old");
}

#[test]
fn secrets_are_rotated_and_a_webhook_is_disabled() {
    let server = server_with(&[("OLD", "one"), ("NEW", "two")]);
    let words = ["webhook", "create", "--name", "shop", "--kind", "hmac", "--secret", "OLD"];
    let more = ["--header", "X-Shop", "--encoding", "base64", "--prefix", "v1,"];
    let last = ["--signal", "order", "--param", "n=${body.n}"];
    server.json(&[&words[..], &more, &last].concat());
    let form = Form::Hmac {
        header: "x-shop".to_owned(),
        encoding: Encoding::Base64,
        prefix: "v1,".to_owned(),
    };
    let status = |secret: &str, body: &[u8]| {
        deliver(&server, "shop", &form.sign(secret.as_bytes(), 0, body), body).0
    };
    assert_eq!((status("one", br#"{"n":1}"#), status("two", br#"{"n":2}"#)), (200, 401));
    server.json(&["webhook", "set", "shop", "--secret", "NEW", "--secret", "OLD"]);
    assert_eq!((status("one", br#"{"n":3}"#), status("two", br#"{"n":4}"#)), (200, 200));
    let deleted = server.segno(&["secret", "delete", "OLD"]);
    assert!(deleted.status.success());
    assert_eq!((status("one", br#"{"n":5}"#), status("two", br#"{"n":6}"#)), (401, 200));
    assert_eq!(status("two", br#"{"n":6}"#), 200);
    assert_eq!(server.get("signals/order")["items"].as_array().unwrap().len(), 4);
    let disabled = text(&server.segno(&["webhook", "disable", "shop"]).stdout);
    assert_eq!(disabled, "disabled shop\n");
    assert_eq!(status("two", br#"{"n":7}"#), 404);
    server.json(&["webhook", "enable", "shop"]);
    assert_eq!(status("two", br#"{"n":7}"#), 200);
    assert!(server.segno(&["secret", "delete", "NEW"]).status.success());
    assert_eq!(status("two", br#"{"n":8}"#), 503);
    assert_eq!(outcomes(&server, "shop")[..3], ["no_secret", "published", "disabled"]);
    server.json(&["webhook", "delete", "shop"]);
    assert_eq!(status("two", br#"{"n":9}"#), 404);
    let gone = text(&server.segno(&["webhook", "deliveries", "shop"]).stderr);
    assert!(gone.contains("there is no webhook \"shop\""), "{gone}");
}

#[test]
fn a_body_that_does_not_map_names_the_place() {
    let server = server_with(&[("GITHUB_HOOK", GITHUB_SECRET)]);
    create(&server, PUSHES);
    let other = br#"{"repository":{"name":"segno"}}"#;
    let mut headers = Form::Github.sign(GITHUB_SECRET.as_bytes(), 0, other);
    headers.push(header("X-GitHub-Event", "push"));
    let (status, problem) = deliver(&server, "pushes", &headers, other);
    assert_eq!((status, &problem["code"]), (422, &json!("bad_delivery")));
    assert_eq!(problem["problems"][0]["path"], "params.repo");
    let listed = server.json(&["webhook", "deliveries", "pushes"]);
    assert_eq!(listed[0]["outcome"], "bad_body");
    let detail = listed[0]["detail"].as_str().unwrap();
    assert!(detail.contains("params.repo: ") && detail.contains("full_name"), "{detail}");
    // The mapping changes; the same delivery then is the same signal.
    deliver(&server, "pushes", &push("d-1", "push"), PUSH);
    server.json(&["webhook", "set", "pushes", "--param", "fixed=1"]);
    let (status, answer) = deliver(&server, "pushes", &push("d-1", "push"), PUSH);
    assert_eq!((status, &answer["repeated"]), (200, &json!(true)));
    let listed = server.json(&["webhook", "deliveries", "pushes"]);
    assert!(listed[0]["detail"].as_str().unwrap().contains("other params"), "{listed}");
}

#[test]
fn all_that_is_wrong_with_a_definition_is_said_at_once() {
    let server = server_with(&[("GITHUB_HOOK", GITHUB_SECRET)]);
    let file = server.data_dir().join("wrong.yaml");
    let wrong = "name: pushes\nkind: github\nsecret: GITHUB_HOK\nsignal: a\ntolerance: 5m\n\
                 params: { a: '${bdy.x}' }\n";
    std::fs::write(&file, wrong).unwrap();
    let said = server.segno(&["webhook", "create", &file.to_string_lossy()]);
    let said = text(&said.stderr);
    for part in [
        "wrong.yaml:3:9 secret: there is no secret GITHUB_HOK; set it with",
        "wrong.yaml:5:1 tolerance: a request of kind github does not say when",
        "unknown name bdy; did you mean body?",
        "wrong.yaml has 3 problems",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    create(&server, PUSHES);
    let file = server.data_dir().join("webhook.yaml");
    let taken = text(&server.segno(&["webhook", "create", &file.to_string_lossy()]).stderr);
    assert!(taken.contains("there is a webhook pushes already"), "{taken}");
    let set = text(&server.segno(&["webhook", "set", "pushes", "--reset", "signal"]).stderr);
    assert!(set.contains("`signal` is missing"), "{set}");
    let shown = text(&server.segno(&["webhook", "get", "pushes"]).stdout);
    assert!(shown.contains("github.${headers['x-github-event']}"), "{shown}");
    let server = server.kill_and_restart();
    let listed = text(&server.segno(&["webhook", "list"]).stdout);
    assert!(listed.contains("pushes   github  enabled"), "{listed}");
}

#[test]
fn a_test_delivery_is_signed_like_the_senders() {
    let server = server_with(&[("STRIPE", "whsec_1")]);
    create(&server, "name: paid\nkind: stripe\nsecret: STRIPE\nsignal: '${body.type}'\n");
    let (secret, body) = (server.data_dir().join("secret"), server.data_dir().join("body.json"));
    std::fs::write(&secret, "whsec_1\n").unwrap();
    std::fs::write(&body, r#"{"id":"evt_1","type":"invoice.paid"}"#).unwrap();
    let (secret, body) = (secret.to_string_lossy(), body.to_string_lossy());
    let words = ["webhook", "test", "paid", "--secret-file", &secret, "--body", &body];
    assert_eq!(text(&server.segno(&words).stdout), "published invoice.paid 1\n");
    assert_eq!(text(&server.segno(&words).stdout), "repeated invoice.paid 1\n");
    let curl = text(&server.segno(&[&words[..], &["--curl"]].concat()).stdout);
    assert!(curl.starts_with("curl -H 'stripe-signature: t="), "{curl}");
    assert!(curl.ends_with(&format!("'{}/hooks/default/paid'\n", server.url)), "{curl}");
    std::fs::write(server.data_dir().join("secret"), "whsec_2").unwrap();
    let refused = text(&server.segno(&words).stderr);
    assert!(refused.contains("the signature does not hold"), "{refused}");
}

#[test]
fn a_delivery_is_one_signal_of_its_webhook_whatever_else_its_headers_say() {
    let server = server_with(&[("GITHUB_HOOK", GITHUB_SECRET), ("A", "one"), ("B", "two")]);
    create(&server, PUSHES);
    deliver(&server, "pushes", &push("d-1", "push"), PUSH);
    // The header with the name is not signed, and somebody has changed it.
    let (status, answer) = deliver(&server, "pushes", &push("d-1", "release"), PUSH);
    let again = json!({ "signal": "github.push", "sequence": 1, "repeated": true });
    assert_eq!((status, answer), (200, again.clone()));
    let server = server.kill_and_restart();
    let (status, answer) = deliver(&server, "pushes", &push("d-1", "release"), PUSH);
    assert_eq!((status, answer), (200, again));
    assert_eq!(server.get("signals/github.release")["items"], json!([]));
    let listed = server.json(&["webhook", "deliveries", "pushes"]);
    assert!(listed[0]["detail"].as_str().unwrap().contains("another name"), "{listed}");

    // Two senders say the same, and neither is the other's repetition.
    for (name, secret) in [("east", "A"), ("west", "B")] {
        let words = ["webhook", "create", "--name", name, "--kind", "hmac", "--secret", secret];
        let said = server.segno(&[&words[..], &["--header", "X-S", "--signal", "up"]].concat());
        assert!(text(&said.stderr).contains("same body count once"), "{said:?}");
    }
    let form =
        Form::Hmac { header: "x-s".to_owned(), encoding: Encoding::Hex, prefix: String::new() };
    let sent = |name: &str, secret: &str| {
        let (status, answer) =
            deliver(&server, name, &form.sign(secret.as_bytes(), 0, b"{}"), b"{}");
        assert_eq!(status, 200);
        (answer["sequence"].clone(), answer["repeated"].clone())
    };
    assert_eq!(sent("east", "one"), (json!(1), json!(false)));
    assert_eq!(sent("west", "two"), (json!(2), json!(false)));
    assert_eq!(sent("east", "one"), (json!(1), json!(true)));
    // An id that somebody takes over the API is not a delivery's either.
    let id = server.get("signals/up/1")["id"].as_str().unwrap().to_owned();
    let own = server.json(&["signal", "publish", "up", "--id", &id]);
    assert_eq!((&own["sequence"], &own["repeated"]), (&json!(3), &json!(false)));
    let words = ["webhook", "create", "--name", "known", "--kind", "hmac", "--secret", "A"];
    let more = ["--header", "X-S", "--signal", "up", "--id", "${headers['x-id']}"];
    let said = server.segno(&[&words[..], &more].concat());
    assert_eq!((said.status.success(), text(&said.stderr)), (true, String::new()));
}
