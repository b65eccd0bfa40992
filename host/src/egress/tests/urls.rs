//! What a URL means, whatever it looks like.

use super::*;

const ALLOWED: &str = "https://allowed.example";

fn code(egress: &Egress, url: &str) -> &'static str {
    let only = origins(&[ALLOWED]);
    match egress.check(&get(url), &only, &only) {
        Ok(_) => "",
        Err(refused) => refused.code,
    }
}

#[test]
fn one_place_has_many_spellings() {
    let egress = inner(&[ALLOWED]).out();
    for url in [
        "https://allowed.example",
        "https://allowed.example/any/path?and=query#fragment",
        "HTTPS://Allowed.EXAMPLE.:443/",
        "https://allowed.example?x@evil.example",
        "https://allowed.example/https://evil.example",
    ] {
        assert_eq!(code(&egress, url), "", "{url}");
    }
}

#[test]
fn what_only_looks_like_an_allowed_place_is_not() {
    let egress = inner(&[ALLOWED]).out();
    for (url, expected) in [
        ("https://evil.example", "denied"),
        ("http://allowed.example", "denied"),
        ("https://allowed.example:8443", "denied"),
        ("https://allowed.example.evil.example", "denied"),
        ("https://sub.allowed.example", "denied"),
        ("https://allowed.example@evil.example", "denied"),
        ("https://allowed.example:443@evil.example/", "denied"),
        ("https://user:password@allowed.example", "denied"),
        ("https://@evil.example", "denied"),
        ("https://evil.example#@allowed.example", "denied"),
        ("https://evil.example?.allowed.example", "denied"),
        ("https://\u{430}llowed.example", "denied"), // a Cyrillic letter
        ("https://xn--llowed-2nf.example", "denied"),
        ("https://2130706433", "denied"),
        ("https://0x7f.1", "denied"),
        ("https://evil.example\\@allowed.example", "invalid"),
        ("https://evil.example\\.allowed.example", "invalid"),
        ("https://allowed.example\n.evil.example", "invalid"),
        ("https://allowed.example /", "invalid"),
        ("https:allowed.example", "invalid"),
        ("https:///allowed.example", "invalid"),
        ("//allowed.example", "invalid"),
        ("/path", "invalid"),
        ("file:///etc/passwd", "invalid"),
        ("ftp://allowed.example", "invalid"),
        ("https://", "invalid"),
        ("https://allowed.example:65536", "invalid"),
        ("https://[::1", "invalid"),
        ("https://allowed..example", "invalid"),
        ("https://allowed%2eexample%00", "invalid"),
        ("", "invalid"),
    ] {
        assert_eq!(code(&egress, url), expected, "{url}");
    }
}

#[test]
fn a_star_does_not_mean_this_machine_or_its_networks() {
    let egress = inner(&["http://*:*", "https://*:*"]).out();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "%31%32%37.0.0.1",
        "\u{ff11}27.0.0.1", // a wide digit
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        for url in [format!("http://{host}/"), format!("https://{host}:8443/")] {
            let refused = check(&egress, &get(&url)).expect_err(&url);
            assert_eq!(refused.code, "denied", "{url}: {refused}");
        }
    }
    for url in ["https://1.1.1.1", "https://[2606:4700::1111]", "http://api.example:81"] {
        assert!(check(&egress, &get(url)).is_ok(), "{url}");
    }
}

#[test]
fn an_address_in_the_operators_word_is_allowed_and_no_other() {
    let egress = inner(&["http://127.0.0.1:8080", "http://0.0.0.0:*", "https://*"]).out();
    assert!(check(&egress, &get("http://2130706433:8080")).is_ok());
    for url in [
        "http://127.0.0.1:8081",
        "http://127.0.0.2:8080",
        "http://localhost:8080",
        "https://127.0.0.1",
        "http://0.0.0.0:1",
    ] {
        assert_eq!(check(&egress, &get(url)).expect_err(url).code, "denied");
    }
}

#[test]
fn a_denial_says_what_to_add_in_each_place() {
    let place = "https://api.example.com:8443";
    let (all, none) = (origins(&["https://*.example.com:*"]), origins(&["https://example.com"]));
    let message = |allowed: &[&str], requested: &[Origin], granted: &[Origin]| {
        let egress = inner(allowed).out();
        let url = "https://API.example.com:8443/v1";
        egress.check(&get(url), requested, granted).map(|_| ()).map_err(|refused| refused.message)
    };
    assert_eq!(message(&[place], &all, &all), Ok(()));
    assert_eq!(
        message(&[], &none, &none).unwrap_err(),
        "GET https://api.example.com:8443 is not granted; add in [package.metadata.segno] of the \
         component's Cargo.toml, http = [\"https://api.example.com:8443\"]; and in the step of the \
         workflow, grants: { http: [\"https://api.example.com:8443\"] }; and at the operator's \
         command line, segno server --grant-http https://api.example.com:8443"
    );
    for (allowed, requested, granted, only) in [
        (&[place][..], &none, &all, "Cargo.toml"),
        (&[place][..], &all, &none, "grants: {"),
        (&[][..], &all, &all, "--grant-http"),
    ] {
        let message = message(allowed, requested, granted).unwrap_err();
        let named = ["Cargo.toml", "grants: {", "--grant-http"].map(|word| message.contains(word));
        assert_eq!(named.iter().filter(|named| **named).count(), 1, "{message}");
        assert!(message.contains(only), "{message}");
    }
}
