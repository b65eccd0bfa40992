//! What stands in a request, byte by byte.

use super::*;

fn with(headers: &[(&str, &str)]) -> Request {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request { headers: headers.iter().map(owned).collect(), ..get("https://api.example/v1") }
}

fn secrets(all: &[(&str, &str)]) -> HashMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn the_bytes_are_those_that_were_meant() {
    let request = Request {
        method: "POST".to_owned(),
        headers: vec![("X-Order".to_owned(), "a1".to_owned())],
        secret_headers: vec![("Authorization".into(), "Bearer ".into(), "PAY_KEY".into())],
        body: b"{\"amount\":2}".to_vec(),
        ..get("/pay?order=a1&x={y}#part")
    };
    let (heard, answer) = ask(request, &secrets(&[("PAY_KEY", "sk_live_1")]), OK).await;
    assert_eq!(answer.unwrap().status, 200);
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /pay?order=a1&x={y} HTTP/1.1");
    lines.sort_unstable();
    let host = lines.iter().position(|line| line.starts_with("host: 127.0.0.1:")).unwrap();
    lines.remove(host);
    assert_eq!(
        lines,
        [
            "authorization: Bearer sk_live_1",
            "connection: close",
            "content-length: 12",
            "idempotency-key: run_1/pay/7",
            concat!("user-agent: segno/", env!("CARGO_PKG_VERSION")),
            "x-order: a1",
        ]
    );
    assert_eq!(body, "{\"amount\":2}");
}

#[tokio::test]
async fn a_step_may_say_who_it_is_and_what_is_the_same() {
    let mut request = with(&[("Idempotency-Key", "mine"), ("User-Agent", "me/1")]);
    request.url = "/".to_owned();
    let (heard, _) = ask(request, &HashMap::new(), OK).await;
    for (name, line) in [("idempotency-key", "mine"), ("user-agent", "me/1")] {
        assert_eq!(heard.matches(name).count(), 1, "{heard}");
        assert!(heard.contains(&format!("{name}: {line}\r\n")), "{heard}");
    }
}

#[test]
fn how_a_request_is_carried_is_not_a_steps_to_say() {
    let egress = inner(&["https://api.example"]).out();
    for name in [
        "Host",
        "transfer-encoding",
        "Connection",
        "CONTENT-LENGTH",
        "te",
        "Trailer",
        "upgrade",
        "Keep-Alive",
        "Expect",
        "Proxy-Authorization",
        "proxy-connection",
    ] {
        let refused = check(&egress, &with(&[(name, "x")])).expect_err(name);
        assert_eq!(refused.code, "invalid", "{refused}");
        let mut secret = get("https://api.example");
        secret.secret_headers = vec![(name.into(), String::new(), "KEY".into())];
        assert_eq!(check(&egress, &secret).expect_err(name).code, "invalid");
    }
}

#[test]
fn a_header_cannot_become_two() {
    let egress = inner(&["https://api.example"]).out();
    for (name, value) in [
        ("x", "a\r\nhost: evil.example"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x", "\u{fc}"),
        ("x\r\ny", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("", "a"),
        ("\u{fc}", "a"),
    ] {
        let refused = check(&egress, &with(&[(name, value)])).expect_err(value);
        assert_eq!(refused.code, "invalid", "{name:?}: {value:?}");
    }
    let mut request = get("https://api.example");
    request.secret_headers = vec![("x".into(), "a\r\nb: ".into(), "KEY".into())];
    assert_eq!(check(&egress, &request).unwrap_err().code, "invalid");
}

#[test]
fn methods_are_words_and_not_all_of_them() {
    let egress = inner(&["https://api.example"]).out();
    let method = |method: &str| Request { method: method.into(), ..get("https://api.example") };
    for good in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "M-SEARCH"]
    {
        assert!(check(&egress, &method(good)).is_ok(), "{good}");
    }
    for bad in ["", "get", "G T", "GET / HTTP/1.1\r\n", "CONNECT", "TRACE", &"A".repeat(21)] {
        assert_eq!(check(&egress, &method(bad)).expect_err(bad).code, "invalid");
    }
}

#[test]
fn a_request_has_a_size() {
    let egress = inner(&["https://api.example"]).out();
    let many: Vec<_> = (0..101).map(|_| ("x", "y")).collect();
    let long = "y".repeat(1_000_000);
    let body = Request { body: vec![0; (1 << 20) + 1], ..get("https://api.example") };
    let url = get(&format!("https://api.example/{}", "x".repeat(8 << 10)));
    for request in [with(&many), with(&[("x", &long)]), body, url] {
        assert_eq!(check(&egress, &request).unwrap_err().code, "limit");
    }
    let most = Request { body: vec![0; 1 << 20], ..with(&many[..100]) };
    assert!(check(&egress, &most).is_ok());
}

#[tokio::test]
async fn a_secret_that_comes_back_is_not_shown() {
    let mut request = get("/");
    request.secret_headers = vec![("x-key".into(), String::new(), "KEY".into())];
    let echo = b"HTTP/1.1 200 OK\r\nx-echo: <sk_live_1>\r\ncontent-length: 23\r\n\r\nyou sent sk_live_1, ha!";
    let (heard, answer) = ask(request, &secrets(&[("KEY", "sk_live_1")]), echo).await;
    assert!(heard.contains("x-key: sk_live_1\r\n"));
    let answer = answer.unwrap();
    assert_eq!(answer.body, b"you sent [secret KEY], ha!");
    assert!(answer.headers.contains(&("x-echo".to_owned(), "<[secret KEY]>".to_owned())));
}

#[tokio::test]
async fn a_secret_that_is_missing_or_no_good_is_named_and_nothing_is_sent() {
    let (listener, address) = listen("127.0.0.1:0").await;
    let url = format!("http://{address}");
    let egress = inner(&[&url]).out();
    let mut request = get(&url);
    request.secret_headers = vec![("x-key".into(), String::new(), "KEY".into())];
    for (known, code) in [(secrets(&[]), "not-found"), (secrets(&[("KEY", "a\r\nb")]), "invalid")] {
        let checked = check(&egress, &request).unwrap();
        let refused = egress.send(checked, KEY, &known).await.unwrap_err();
        assert_eq!(refused.code, code);
        assert!(refused.message.contains("KEY") && !refused.message.contains("a\r"), "{refused}");
    }
    let listener = listener.into_std().unwrap();
    assert!(listener.accept().is_err(), "nobody connected");
}
