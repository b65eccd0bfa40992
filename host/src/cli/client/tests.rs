//! The client against a server that says what it is told to say.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

/// Answers as many requests as there are answers, and gives what was asked.
fn serve(answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string(), "default").unwrap();
    let asked = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).unwrap() > 2 {}
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            asked.push(head + &String::from_utf8(body).unwrap());
        }
        asked
    });
    (client, asked)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn refusal(error: Error) -> String {
    error.to_string()
}

#[test]
fn nobody_at_the_address_is_one_clear_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(&format!("http://{address}/"), "default").unwrap();
    let error = client.get(&Route::to(["runs"])).unwrap_err();
    assert_eq!(
        refusal(error),
        format!(
            "no server at http://{address}: start one with `segno dev`, or name another with --server or SEGNO_SERVER"
        )
    );
}

#[test]
fn a_problem_is_what_its_detail_says() {
    let body = r#"{"type":"about:blank","title":"Not Found","status":404,"code":"run_not_found","detail":"there is no run x"}"#;
    let (client, asked) = serve(vec![answer("404 Not Found", body)]);
    let error = client.get(&Route::to(["runs", "report#3"])).unwrap_err();
    assert!(matches!(error, Error::Problem(_)));
    assert_eq!(refusal(error), "there is no run x");
    assert!(
        asked.join().unwrap()[0].starts_with("GET /v1/tenants/default/runs/report%233 HTTP/1.1")
    );
}

#[test]
fn another_kind_of_server_is_told_apart() {
    for odd in
        [answer("404 Not Found", "<html>"), answer("200 OK", "hello"), "SSH-2.0\r\n".to_owned()]
    {
        let (client, _asked) = serve(vec![odd]);
        let error = refusal(client.get(&Route::to(["runs"])).unwrap_err());
        assert!(error.contains("does not answer like a segno server"), "{error}");
    }
}

#[test]
fn a_lost_connection_is_said_to_be_one() {
    let (client, _asked) = serve(vec!["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned()]);
    let error = refusal(client.get(&Route::to(["runs"])).unwrap_err());
    assert!(error.starts_with("no answer from http://127.0.0.1:"), "{error}");
}

#[test]
fn what_is_sent_arrives() {
    let (client, asked) = serve(vec![answer("201 Created", "{}"), answer("200 OK", "{}")]);
    let body = serde_json::json!({ "workflow": "report" });
    client.send_once(&Route::to(["runs"]).with("wait", 60), &body, Some("k1")).unwrap();
    client.send(&Route::to(["workflows"]), "application/yaml", "workflow: x\n".as_bytes()).unwrap();
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("POST /v1/tenants/default/runs?wait=60 "), "{}", asked[0]);
    assert!(asked[0].to_lowercase().contains("idempotency-key: k1\r\n"));
    assert!(asked[0].ends_with("\r\n{\"workflow\":\"report\"}"));
    assert!(asked[1].ends_with("\r\nworkflow: x\n"));
}

#[test]
fn lists_are_read_page_by_page() {
    let (client, asked) = serve(vec![
        answer("200 OK", r#"{"items":[1,2],"next":"b&"}"#),
        answer("200 OK", r#"{"items":[3,4],"next":"c"}"#),
    ]);
    let entries = client.list(&Route::to(["runs"]), 3).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.get()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let asked = asked.join().unwrap();
    assert!(asked[0].contains("/runs?limit=3 "));
    assert!(asked[1].contains("/runs?limit=1&cursor=b%26 "));
}

#[test]
fn events_come_one_by_one() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (client, _asked) = serve(vec![format!("{head}5\r\ndata:\r\n2\r\n x\r\n0\r\n\r\n")]);
    let mut text = String::new();
    client.stream(&Route::to(["runs", "r", "events"])).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "data: x");
    let problem = r#"{"code":"run_not_found","detail":"there is no run r"}"#;
    let (client, _asked) = serve(vec![answer("404 Not Found", problem)]);
    let error = client.stream(&Route::to(["runs", "r", "events"])).err().unwrap();
    assert_eq!(refusal(error), "there is no run r");
}

#[test]
fn only_addresses_are_addresses() {
    assert_eq!(address("127.0.0.1:7333").unwrap(), "http://127.0.0.1:7333");
    assert_eq!(address(" http://host:80// ").unwrap(), "http://host:80");
    for odd in ["", "http://", "https://host", "host/path", "http://a b", "ftp://host"] {
        assert!(address(odd).is_err(), "{odd}");
    }
}

#[test]
fn a_list_within_an_answer_is_read_to_its_end() {
    let page = |items: &str, next: &str| {
        answer("200 OK", &format!(r#"{{"name":"tick","items":{items}{next}}}"#))
    };
    let all = r#","next":"c""#;
    let route = Route::to(["signals", "tick", "1", "lineage"]);
    let (client, asked) = serve(vec![page("[1, 2]", all), page("[3]", "")]);
    let whole = client.with_list(&route, 5_000).unwrap();
    assert_eq!(Value::Object(whole), serde_json::json!({ "name": "tick", "items": [1, 2, 3] }));
    let asked = asked.join().unwrap();
    assert!(asked[0].contains("/lineage?limit=1000 "), "{asked:?}");
    assert!(asked[1].contains("/lineage?limit=1000&cursor=c "), "{asked:?}");
    let (client, _) = serve(vec![page("[1, 2]", all)]);
    let cut = client.with_list(&route, 2).unwrap();
    assert_eq!((&cut["items"], &cut["next"]), (&serde_json::json!([1, 2]), &Value::from("c")));
}
