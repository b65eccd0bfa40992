//! Requests into the world: three have to agree before one is sent, and secrets
//! go with it that nobody here gets to see.

use super::service::Service;
use super::{PROBE, gave, log, probe, probing, put_away, server_beside};
use crate::guests::SEGNO;
use crate::server::Server;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const SECRET: &str = "sk_live_51H8_never_to_be_seen";

fn set_secret(server: &Server, name: &str) {
    let mut child = Command::new(SEGNO)
        .args(["--server", &server.url, "secret", "set", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program can be started");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(SECRET.as_bytes()).expect("the program reads");
    drop(stdin);
    assert!(child.wait().expect("the program ends").success());
}

/// Fails if a file below `directory` has the secret in it.
fn assert_no_file_tells(directory: &Path) {
    for entry in std::fs::read_dir(directory).expect("it is a directory") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            assert_no_file_tells(&path);
            continue;
        }
        let found = std::fs::read(&path).expect("files can be read");
        let tells = found.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!tells, "{} has it", path.display());
    }
}

#[test]
fn a_secret_reaches_the_service_and_nobody_else() {
    let service = Service::start();
    let server = probing(&service);
    set_secret(&server, "PAY_KEY");
    set_secret(&server, "OTHER");
    let url = format!("{}/pay", service.url());
    let post = |secret: &str| json!({ "post": { "url": url, "secret": secret } });
    let run = probe(
        &server,
        json!([post("PAY_KEY"), { "sleep": "2s" }, { "try": post("OTHER") }, post("PAY_KEY")]),
    );
    put_away(&server, &run, 1);
    let server = server.kill_and_restart();
    let given = gave(&server, &run);
    let requests = service.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.authorization, format!("Bearer {SECRET}"));
    }
    // The service says what it heard, and a step does not learn it that way.
    assert_eq!(given[0]["heard"], "Bearer [secret PAY_KEY]");
    let denied = given[2]["error"].as_str().unwrap();
    assert!(denied.contains("add `grants: { secrets: [OTHER] }` to the step"), "{denied}");
    let mut shown = vec![json!(given), json!(log(&server, &run))];
    shown.extend(["", "/steps/probe"].map(|path| server.get(&format!("runs/{run}{path}"))));
    shown.extend(server.events(&run));
    for shown in shown {
        assert!(!shown.to_string().contains(SECRET), "{shown}");
    }
    assert_no_file_tells(server.data_dir());
}

#[test]
fn a_secret_that_nobody_set_is_no_secret() {
    let service = Service::start();
    let server = probing(&service);
    let post = json!({ "post": { "url": format!("{}/pay", service.url()), "secret": "PAY_KEY" } });
    let given = gave(&server, &probe(&server, json!([{ "try": post }])));
    let missing = given[0]["error"].as_str().unwrap();
    assert!(missing.contains("`segno secret set PAY_KEY`"), "{missing}");
    assert!(service.requests().is_empty());
}

/// The lines that each of the three is told to add.
fn remedies(origin: &str) -> [String; 3] {
    [
        format!("in [package.metadata.segno] of the component's Cargo.toml, http = [\"{origin}\"]"),
        format!("in the step of the workflow, grants: {{ http: [\"{origin}\"] }}"),
        format!("segno server --grant-http {origin}"),
    ]
}

/// Whether a message names exactly these remedies.
fn assert_names(message: &str, origin: &str, wanted: [bool; 3]) {
    let named = remedies(origin).map(|remedy| message.contains(&remedy));
    assert_eq!(named, wanted, "{message}");
    assert!(message.contains(&format!("POST {origin} is not granted; add ")), "{message}");
}

#[test]
fn a_request_needs_three_who_agree() {
    let service = Service::start();
    let origin = service.url();
    let calls = json!([{ "try": { "post": { "url": format!("{origin}/x") } } }]);
    let refused = |server: &Server| -> String {
        let given = gave(server, &probe(server, calls.clone()));
        given[0]["error"].as_str().unwrap_or_else(|| panic!("{given:?}")).to_owned()
    };
    // The operator does not, or only for another port.
    let server = Server::start_with(&["--grant-http", "http://127.0.0.1:1"]);
    server.push("probe", "probe@1.0.0");
    server.apply(PROBE);
    assert_names(&refused(&server), &origin, [false, false, true]);
    // The workflow does not either.
    server.apply(&PROBE.replace(r#"http: ["http://127.0.0.1:*"], "#, ""));
    assert_names(&refused(&server), &origin, [false, true, true]);

    let server = server_beside(&service);
    server.push("probe", "probe@1.0.0");
    server.apply(&PROBE.replace("http://127.0.0.1:*", "http://127.0.0.1:1"));
    assert_names(&refused(&server), &origin, [false, true, false]);

    // The component does not ask for it.
    server.push("hostile", "hostile@1.0.0");
    let asks = |grants: &str| -> Value {
        server.apply(&format!(
            "workflow: hostile\nparams: {{ url: {{ type: string }} }}\nsteps:\n  - id: misbehave\n    \
             component: hostile@1\n    params: {{ case: fetches, url: \"${{params.url}}\" }}\n    \
             grants: {{ {grants} }}\n    retry: {{ user: 2 }}\n"
        ));
        let run = server.start_run("hostile", json!({ "url": format!("{origin}/x") }));
        server.end_of(&run)
    };
    let ended = asks(&format!("http: [\"{origin}\"]"));
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("failed"), &json!("fatal")));
    assert_eq!(ended["steps"][0]["attempt"], 1, "nobody tries again what is not granted");
    let message = |ended: &Value| ended["failure"]["message"].as_str().unwrap().to_owned();
    assert_names(&message(&ended), &origin, [true, false, false]);
    assert_names(&message(&asks("http: []")), &origin, [true, true, false]);
    assert!(service.requests().is_empty(), "{:?}", service.requests());
}

#[test]
fn only_the_address_that_is_granted_is_reached() {
    let service = Service::start();
    let server = probing(&service);
    let port = service.url().rsplit_once(':').unwrap().1.to_owned();
    // Other ways to write 127.0.0.1, and other addresses that lead here.
    let hosts = [
        "[::1]",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "127.0.0.2",
        "localhost",
        "allowed@127.0.0.1",
        "127.0.0.1.nip.io",
    ];
    let calls: Vec<_> = hosts
        .iter()
        .map(|host| json!({ "try": { "post": { "url": format!("http://{host}:{port}/x") } } }))
        .chain([json!({ "try": { "post": { "url": format!("https://127.0.0.1:{port}/x") } } })])
        .collect();
    let given = gave(&server, &probe(&server, json!(calls)));
    assert_eq!(given.len(), hosts.len() + 1);
    for (given, call) in given.iter().zip(&calls) {
        let error = given["error"].as_str().unwrap_or_else(|| panic!("{call}: {given}"));
        assert!(error.contains("not granted") || error.contains("credentials"), "{call}: {error}");
    }
    assert!(service.requests().is_empty(), "{:?}", service.requests());
    // As browsers write it, these are the granted address itself.
    let same = ["2130706433", "0x7f.1", "127.1"];
    let calls: Vec<_> = same
        .iter()
        .map(|host| json!({ "post": { "url": format!("http://{host}:{port}/same") } }))
        .collect();
    gave(&server, &probe(&server, json!(calls)));
    assert_eq!(service.paths(), ["/same"; 3]);
}
