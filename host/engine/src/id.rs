//! Names of things. Each identifier is a type of its own, checked where it
//! enters, so that no run is ever looked up by a step's name.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment, `millis` later; saturates at the end of time.
    #[must_use]
    pub fn plus_ms(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; 0 if the clock went back.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The n-th try of a step, from 1. It is the fencing token: a result counts
/// only for the attempt that is running.
pub type Attempt = u32;

/// A step's place in its body. Steps are stored in the order of the definition.
pub type StepIndex = u32;

/// One execution of a workflow, or of one iteration of a `foreach`: a ULID,
/// written `run_` and 26 characters. Its first 48 bits are the time of creation
/// in milliseconds, so that identifiers sort by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

/// Crockford's base 32, as the ULID specification has it.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl RunId {
    /// An identifier from its time and 80 bits of randomness; higher bits of
    /// `random` are ignored.
    pub fn new(now: Timestamp, random: u128) -> Self {
        Self((u128::from(now.0) << 80) | (random & ((1 << 80) - 1)))
    }

    /// The run of iteration `index` of `step` in `parent`, in the round that
    /// counts how often the step began from scratch. The same arguments always
    /// give the same identifier, so that starting a child twice is harmless.
    pub fn child(parent: Self, step: StepIndex, (round, index): (u32, u32)) -> Self {
        let mut hash = Sha256::new();
        hash.update(parent.to_bytes());
        hash.update(step.to_be_bytes());
        hash.update(index.to_be_bytes());
        if round > 0 {
            hash.update(round.to_be_bytes());
        }
        let digest = hash.finalize();
        let mut low = [0; 16];
        low[6..].copy_from_slice(&digest[..10]);
        Self((parent.0 >> 80 << 80) | u128::from_be_bytes(low))
    }

    /// The run that a step of `parent` starts by the durable call `sequence`
    /// with these arguments. Starting it again gives the same.
    pub fn started_by(parent: Self, step: StepIndex, sequence: u64, arguments: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"started");
        hash.update(parent.to_bytes());
        hash.update(step.to_be_bytes());
        hash.update(sequence.to_be_bytes());
        hash.update(arguments);
        let digest = hash.finalize();
        let mut low = [0; 16];
        low[6..].copy_from_slice(&digest[..10]);
        Self((parent.0 >> 80 << 80) | u128::from_be_bytes(low))
    }

    /// The run that follows from these facts and nothing else, such as a schedule
    /// and one of its instants. It sorts by `at`.
    pub fn derived(at: Timestamp, facts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"derived");
        for fact in facts {
            hash.update((fact.len() as u64).to_be_bytes());
            hash.update(fact);
        }
        let digest = hash.finalize();
        let mut low = [0; 16];
        low[6..].copy_from_slice(&digest[..10]);
        Self::new(at, u128::from_be_bytes(low))
    }

    /// The 16 bytes of the identifier, in an order that sorts by age.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The identifier with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("run_")?;
        for place in (0..26).rev() {
            let digit = (self.0 >> (place * 5)) & 31;
            f.write_str(&char::from(ALPHABET[digit as usize]).to_string())?;
        }
        Ok(())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no identifier of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: {rule}")]
pub struct InvalidId {
    /// What was expected, for example `run id`.
    pub what: &'static str,
    /// The text that was given.
    pub text: String,
    /// What it has to look like.
    pub rule: &'static str,
}

impl FromStr for RunId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            what: "run id",
            text: text.chars().take(80).collect(),
            rule: "it is `run_` and 26 characters of Crockford's base 32",
        };
        let digits = text.strip_prefix("run_").ok_or_else(invalid)?;
        if digits.len() != 26 {
            return Err(invalid());
        }
        let mut value: u128 = 0;
        for (place, byte) in digits.bytes().enumerate() {
            let digit = ALPHABET
                .iter()
                .position(|letter| *letter == byte.to_ascii_uppercase())
                .ok_or_else(invalid)?;
            if place == 0 && digit > 7 {
                return Err(invalid());
            }
            value = (value << 5) | digit as u128;
        }
        Ok(Self(value))
    }
}

/// In JSON as text, in the binary log as 16 bytes.
impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            Ok(Self::from_bytes(<[u8; 16]>::deserialize(deserializer)?))
        }
    }
}

/// The unit of isolation. Every key of the store and every path of the API
/// starts with one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid =
            (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                what: "tenant",
                text: text.chars().take(80).collect(),
                rule: "it has 1 to 63 of the characters a-z, 0-9 and -, and does not start with -",
            })
        }
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> Self {
        tenant.as_str().to_owned()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_survives_text_and_bytes() {
        let id = RunId::new(Timestamp(1_700_000_000_123), 0xdead_beef);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(RunId::from_bytes(id.to_bytes()), id);
        assert_eq!(id.to_string().len(), 30);
    }

    #[test]
    fn run_ids_sort_by_age() {
        let older = RunId::new(Timestamp(5), u128::MAX);
        let newer = RunId::new(Timestamp(6), 0);
        assert!(older < newer && older.to_string() < newer.to_string());
    }

    #[test]
    fn children_are_distinct_and_stable() {
        let parent = RunId::new(Timestamp(5), 7);
        assert_eq!(RunId::child(parent, 1, (0, 2)), RunId::child(parent, 1, (0, 2)));
        assert_ne!(RunId::child(parent, 1, (0, 2)), RunId::child(parent, 2, (0, 1)));
    }

    #[test]
    fn bad_identifiers_are_refused() {
        for text in ["", "run_", "run_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "run_U0000000000000000000000000"]
        {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
        for text in ["", "-a", "A", "a/b", "a\0", &"a".repeat(64)] {
            assert!(text.parse::<TenantId>().is_err(), "{text:?}");
        }
    }
}
