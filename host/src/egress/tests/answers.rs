//! Answers that are too long, too slow, or not what they seem.

use super::*;
use std::time::Duration;

/// Writes `part` again and again until the other side hangs up.
async fn flood(listener: &TcpListener, head: &[u8], part: &[u8]) -> u64 {
    let (mut stream, _) = listener.accept().await.unwrap();
    hear(&mut stream).await;
    let mut written = 0;
    if stream.write_all(head).await.is_err() {
        return written;
    }
    while stream.write_all(part).await.is_ok() {
        written += part.len() as u64;
    }
    written
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
    let line = b"x-more: 0123456789012345678901234567890123456789\r\n";
    let plain = &b"HTTP/1.1 200 OK\r\n\r\n"[..];
    let chunked = &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..];
    let head = &b"HTTP/1.1 200 OK\r\n"[..];
    let early = &b"HTTP/1.1 100 Continue\r\n"[..];
    for (head, part) in
        [(plain, &chunk[..]), (chunked, &chunk[..]), (head, &line[..]), (early, &line[..])]
    {
        let (listener, address) = listen("127.0.0.1:0").await;
        let url = format!("http://{address}");
        let egress = inner(&[&url]).out();
        let request = get(&url);
        let (_, answer) = tokio::join!(flood(&listener, head, part), send(&egress, &request));
        let refused = answer.unwrap_err();
        assert_eq!(refused.code, "limit", "{refused}");
    }
}

#[tokio::test]
async fn an_answer_may_be_as_long_as_the_limit_and_no_longer() {
    for (bytes, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
        let answer = [head.as_bytes(), &vec![b'x'; bytes]].concat();
        let (_, answer) = ask(get("/"), &HashMap::new(), &answer).await;
        match answer {
            Ok(response) => assert!(fits && response.body.len() == bytes),
            Err(refused) => assert_eq!((fits, refused.code), (false, "limit")),
        }
    }
}

#[tokio::test]
async fn what_comes_compressed_stays_so() {
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\n";
    let (heard, answer) = ask(get("/"), &HashMap::new(), &[&head[..], &packed].concat()).await;
    assert_eq!(answer.unwrap().body, packed);
    assert!(!heard.to_lowercase().contains("accept-encoding"));
}

#[tokio::test]
async fn what_is_no_answer_is_said() {
    for wrong in [
        &b""[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (_, answer) = ask(get("/"), &HashMap::new(), wrong).await;
        let refused = answer.expect_err(&String::from_utf8_lossy(wrong));
        assert_eq!(refused.code, "unreachable", "{refused}");
    }
}

#[tokio::test]
async fn headers_are_in_lower_case_and_all_there() {
    let answer = b"HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\
                   X-Odd: \xff\r\nContent-Length: 0\r\n\r\n";
    let (_, answer) = ask(get("/"), &HashMap::new(), answer).await;
    let answer = answer.unwrap();
    let of = |name: &str| {
        let found = answer.headers.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((answer.status, of("set-cookie")), (201, vec!["a=1", "b=2"]));
    assert_eq!(of("x-odd"), ["\u{fffd}"]);
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for_and_is_hung_up_on() {
    for dribble in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\npart of it"] {
        let (listener, address) = listen("127.0.0.1:0").await;
        let url = format!("http://{address}");
        let egress = inner(&[&url]).limited(|limits| limits.timeout_ms = 150).out();
        let slow = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            hear(&mut stream).await;
            stream.write_all(dribble).await.unwrap();
            stream.read(&mut [0]).await
        };
        let request = get(&url);
        let (after, answer) = tokio::join!(slow, send(&egress, &request));
        let refused = answer.unwrap_err();
        assert_eq!(refused.code, "timeout");
        assert!(refused.message.contains("150 ms"), "{refused}");
        assert!(!after.is_ok_and(|count| count > 0), "the connection is closed");
    }
}

#[test]
fn a_step_may_wait_less_but_not_longer_than_the_operator_lets_it() {
    let egress =
        inner(&["https://api.example"]).limited(|limits| *limits = Limits::default()).out();
    for (wanted, expected) in [(None, 30_000), (Some(5), 5), (Some(u64::MAX), 120_000)] {
        let request = Request { timeout_ms: wanted, ..get("https://api.example") };
        let checked = check(&egress, &request).unwrap();
        assert_eq!(checked.timeout, Duration::from_millis(expected));
    }
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_at_once() {
    let (listener, address) = listen("127.0.0.1:0").await;
    let url = format!("http://{address}");
    let egress = inner(&[&url]).limited(|limits| limits.concurrent = 1).out();
    let (first, short) = (get(&url), Request { timeout_ms: Some(30), ..get(&url) });
    let (ended, end) = tokio::sync::oneshot::channel();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream).await;
        end.await.unwrap();
        stream.write_all(OK).await.unwrap();
    };
    let second = async {
        // It would be answered in no time, were it let go.
        let refused = send(&egress, &short).await.unwrap_err();
        ended.send(()).unwrap();
        refused.code
    };
    let ((), answer, code) = tokio::join!(server, send(&egress, &first), second);
    assert_eq!((answer.unwrap().status, code), (200, "timeout"));
    // The place is free again.
    let (_, answer) = tokio::join!(serve(&listener, OK), send(&egress, &first));
    assert_eq!(answer.unwrap().status, 200);
}
