//! How senders sign: what the headers of a request claim, and whether the secret
//! bears it out. All forms are HMAC with SHA-256 over the bytes of the body, some
//! with the time of signing before them. Signatures are compared in constant
//! time.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The most signatures of a request that are looked at.
const SIGNATURES_MAX: usize = 8;

/// The most digits of a moment in seconds.
const DIGITS_MAX: usize = 12;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How the requests of a webhook are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `X-Hub-Signature-256: sha256=…`.
    Github,
    /// `Stripe-Signature: t=…,v1=…`, over the time and the body.
    Stripe,
    /// `X-Slack-Signature: v0=…` over `X-Slack-Request-Timestamp` and the body.
    Slack,
    /// A header of one's own.
    Hmac {
        /// Its name in lower case.
        header: String,
        /// How bytes are text there.
        encoding: Encoding,
        /// What stands before them.
        prefix: String,
    },
}

/// How the bytes of a signature are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64, with or without padding.
    Base64,
}

/// What the headers of a request say of its signature. Nothing is known of it
/// before [`Claim::holds`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is signed before the body.
    before: String,
    signatures: Vec<Vec<u8>>,
    /// When it was signed, in seconds since 1970, if the form says so.
    seconds: Option<u64>,
}

impl Form {
    /// The names of the kinds.
    pub const KINDS: [&'static str; 4] = ["github", "stripe", "slack", "hmac"];

    /// The name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Stripe => "stripe",
            Self::Slack => "slack",
            Self::Hmac { .. } => "hmac",
        }
    }

    /// Whether a request says when it was signed.
    pub fn is_dated(&self) -> bool {
        matches!(self, Self::Stripe | Self::Slack)
    }

    /// What the headers claim; `None` if that cannot be a signature. `header`
    /// gives the value of a header, whose name is in lower case.
    pub fn claim<'h>(&self, header: impl Fn(&str) -> Option<&'h str>) -> Option<Claim> {
        let plain = |bytes: Vec<u8>| Claim {
            before: String::new(),
            signatures: vec![bytes],
            seconds: None,
        };
        match self {
            Self::Github => {
                let signature = header("x-hub-signature-256")?.strip_prefix("sha256=")?;
                hex(signature).map(plain)
            }
            Self::Stripe => stripe(header("stripe-signature")?),
            Self::Slack => {
                let (time, seconds) = moment(header("x-slack-request-timestamp")?)?;
                let signature = hex(header("x-slack-signature")?.strip_prefix("v0=")?)?;
                let before = format!("v0:{time}:");
                Some(Claim { before, signatures: vec![signature], seconds: Some(seconds) })
            }
            Self::Hmac { header: name, encoding, prefix } => {
                let signature = header(name)?.strip_prefix(prefix.as_str())?;
                let bytes = match encoding {
                    Encoding::Hex => hex(signature),
                    Encoding::Base64 => BASE64.decode(signature).ok(),
                };
                bytes.map(plain)
            }
        }
    }

    /// The headers of a request with this body that is signed at this moment, in
    /// seconds since 1970.
    pub fn sign(&self, secret: &[u8], seconds: u64, body: &[u8]) -> Vec<(String, String)> {
        let signed = |before: &str| {
            let mut mac = hmac::Context::with_key(&keyed(secret));
            mac.update(before.as_bytes());
            mac.update(body);
            mac.sign()
        };
        let pair = |name: &str, value: String| (name.to_owned(), value);
        match self {
            Self::Github => {
                let value = format!("sha256={}", to_hex(signed("").as_ref()));
                vec![pair("x-hub-signature-256", value)]
            }
            Self::Stripe => {
                let signature = to_hex(signed(&format!("{seconds}.")).as_ref());
                vec![pair("stripe-signature", format!("t={seconds},v1={signature}"))]
            }
            Self::Slack => {
                let signature = to_hex(signed(&format!("v0:{seconds}:")).as_ref());
                vec![
                    pair("x-slack-request-timestamp", seconds.to_string()),
                    pair("x-slack-signature", format!("v0={signature}")),
                ]
            }
            Self::Hmac { header, encoding, prefix } => {
                let text = match encoding {
                    Encoding::Hex => to_hex(signed("").as_ref()),
                    Encoding::Base64 => BASE64.encode(signed("")),
                };
                vec![pair(header, format!("{prefix}{text}"))]
            }
        }
    }
}

impl Claim {
    /// Whether one of the signatures is that of this secret over this body.
    pub fn holds(&self, secret: &[u8], body: &[u8]) -> bool {
        let key = keyed(secret);
        let signed = [self.before.as_bytes(), body].concat();
        self.signatures.iter().any(|signature| hmac::verify(&key, &signed, signature).is_ok())
    }

    /// Whether it was signed at most `tolerance_ms` from `now_ms`, both in
    /// milliseconds. What does not say when is never too old.
    pub fn is_recent(&self, now_ms: u64, tolerance_ms: u64) -> bool {
        let distance = |seconds: u64| now_ms.abs_diff(seconds.saturating_mul(1_000));
        // Whole seconds: the part of one that is cut off does not count.
        self.seconds.is_none_or(|seconds| distance(seconds) <= tolerance_ms.saturating_add(999))
    }

    /// The identity of a request without one: its body, and if wanted also when
    /// it was signed.
    pub(super) fn digest(&self, body: &[u8], with_time: bool) -> String {
        let mut digest = Sha256::new();
        digest.update(if with_time { self.before.as_bytes() } else { &[] });
        digest.update(body);
        format!("sha256:{}", to_hex(&digest.finalize()))
    }
}

/// `t=1492774577,v1=5257…,v1=…,v0=…`.
fn stripe(header: &str) -> Option<Claim> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            // Two moments would leave open which one was signed.
            ("t", _) if time.is_some() => return None,
            ("t", text) => time = Some(moment(text)?),
            ("v1", text) if signatures.len() < SIGNATURES_MAX => signatures.extend(hex(text)),
            _ => {}
        }
    }
    let (time, seconds) = time?;
    let claim = Claim { before: format!("{time}."), signatures, seconds: Some(seconds) };
    Some(claim).filter(|claim| !claim.signatures.is_empty())
}

/// A moment in seconds, as text and as a number.
fn moment(text: &str) -> Option<(&str, u64)> {
    let is_moment = (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(is_digit);
    is_moment.then(|| text.parse().ok()).flatten().map(|seconds| (text, seconds))
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn keyed(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// The bytes that pairs of hexadecimal digits spell.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(high)? << 4 | digit(low)?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every text");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(form: &Form, headers: &[(&str, &str)]) -> Option<Claim> {
        let find = |name: &str| headers.iter().find(|(known, _)| *known == name);
        form.claim(|name| find(name).map(|(_, value)| *value))
    }

    const GITHUB: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn githubs_own_example_holds() {
        let (secret, body) = (b"It's a Secret to Everybody", b"Hello, World!");
        let found = claim(&Form::Github, &[("x-hub-signature-256", GITHUB)]).unwrap();
        assert!(found.holds(secret, body));
        assert!(found.is_recent(0, 0), "it does not say when");
        assert!(!found.holds(b"another", body) && !found.holds(secret, b"Hello, World"));
        let signed = Form::Github.sign(secret, 0, body);
        assert_eq!(signed, [("x-hub-signature-256".to_owned(), GITHUB.to_owned())]);
    }

    #[test]
    fn slacks_own_example_holds() {
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
            &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
            &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com\
            %2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
            &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let secret = b"8f742231b10e8888abcd99yyyzzz85a5";
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let headers =
            [("x-slack-request-timestamp", "1531420618"), ("x-slack-signature", signature)];
        let found = claim(&Form::Slack, &headers).unwrap();
        assert!(found.holds(secret, body));
        let signed_ms = 1_531_420_618_000;
        assert!(found.is_recent(signed_ms + 300_999, 300_000));
        assert!(!found.is_recent(signed_ms + 301_000, 300_000));
        assert!(!found.is_recent(signed_ms - 301_000, 300_000), "nor from the future");
        let later = [("x-slack-request-timestamp", "1531420619"), ("x-slack-signature", signature)];
        assert!(!claim(&Form::Slack, &later).unwrap().holds(secret, body), "the time is signed");
    }

    #[test]
    fn stripes_header_has_a_time_and_several_signatures() {
        // The header in Stripe's documentation.
        let header = "t=1492774577,\
            v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,\
            v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
        let found = claim(&Form::Stripe, &[("stripe-signature", header)]).unwrap();
        assert_eq!((found.signatures.len(), found.seconds), (1, Some(1_492_774_577)));
        assert!(found.is_recent(1_492_774_577_000, 1));
        // printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let body = br#"{"id":"evt_1"}"#;
        let good = "7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2";
        let two = format!("t=1492774577,v1={},v1={good}", "0".repeat(64));
        let found = claim(&Form::Stripe, &[("stripe-signature", &two)]).unwrap();
        assert!(found.holds(b"whsec_test", body), "one of them is enough");
        let old = format!("t=1492774577,v0={good}");
        assert_eq!(claim(&Form::Stripe, &[("stripe-signature", &old)]), None, "v0 is for tests");
    }

    #[test]
    fn a_header_of_ones_own_is_hexadecimal_or_base64() {
        let form = |encoding, prefix: &str| Form::Hmac {
            header: "x-signature".to_owned(),
            encoding,
            prefix: prefix.to_owned(),
        };
        for form in [form(Encoding::Hex, ""), form(Encoding::Base64, "v1,")] {
            let headers = form.sign(b"secret", 0, b"body");
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let found = claim(&form, &headers).unwrap();
            assert!(found.holds(b"secret", b"body") && !found.holds(b"secret", b"Body"));
            let upper = [("x-signature", headers[0].1.to_uppercase())];
            let upper = [(upper[0].0, upper[0].1.as_str())];
            let holds = claim(&form, &upper).is_some_and(|found| found.holds(b"secret", b"body"));
            assert_eq!(holds, matches!(&form, Form::Hmac { encoding: Encoding::Hex, .. }));
        }
    }

    #[test]
    fn what_cannot_be_a_signature_is_none_and_a_short_one_does_not_hold() {
        for header in ["", "sha256=", "sha1=00", "sha256=0", "sha256=zz", "sha256=é"] {
            let found = claim(&Form::Github, &[("x-hub-signature-256", header)]);
            assert!(found.is_none_or(|found| !found.holds(b"s", b"")), "{header}");
        }
        assert_eq!(claim(&Form::Github, &[]), None);
        let cut = &GITHUB[..GITHUB.len() - 2];
        let found = claim(&Form::Github, &[("x-hub-signature-256", cut)]).unwrap();
        assert!(!found.holds(b"It's a Secret to Everybody", b"Hello, World!"));
        let v1 = "0".repeat(64);
        for header in [
            "t=,v1=00".to_owned(),
            format!("v1={v1}"),
            format!("t=1,t=2,v1={v1}"),
            format!("t=-1,v1={v1}"),
            format!("t=1234567890123,v1={v1}"),
            format!("nonsense,t=1,v1={v1}"),
        ] {
            assert_eq!(claim(&Form::Stripe, &[("stripe-signature", &header)]), None, "{header}");
        }
    }
}
