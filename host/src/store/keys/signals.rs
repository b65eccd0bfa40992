//! The addresses of signals. Those by param are in the order of the values, so
//! that a comparison is a walk from one value to another.
//!
//! A value is a byte for its type and then: a flag as one byte; a number as the
//! double at or below it, and how far above that it is; a text as its bytes,
//! up to a length. No type reaches into another.

use super::{Builder, Error, Key, Kind, Prefix, SIGNAL_ID_BYTES_MAX, check_name};
use segno_engine::id::{RunId, TenantId};
use segno_engine::signal::{Pattern, Scalar, Test};
use sha2::{Digest as _, Sha256};

const SIGNAL_NAME: &str = "signal name";

/// What a text in a key takes at most, its end not counted.
const TEXT_IN_KEY_MAX: usize = 160;

const FLAG: u8 = 1;
const NUMBER: u8 = 2;
const TEXT: u8 = 3;

/// The values of one param that a pattern may fit: whatever fits is among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamRange {
    param: String,
    /// What they all begin with.
    common: Vec<u8>,
    /// Where they begin.
    low: Vec<u8>,
    /// Where they end, with all that goes on so.
    high: Option<Vec<u8>>,
}

/// As the fields of a range.
type Bounds = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

impl ParamRange {
    /// A range for each param of which a pattern wants text or numbers between
    /// bounds, or text that begins in some way.
    pub fn of(pattern: &Pattern) -> Vec<Self> {
        let mut ranges: Vec<Self> = Vec::new();
        for (param, test) in pattern.tests() {
            let Some((common, low, high)) = Self::bounds(test) else { continue };
            match ranges.iter_mut().find(|range| range.param == param) {
                Some(range) => range.narrow(common, low, high),
                None => ranges.push(Self { param: param.to_owned(), common, low, high }),
            }
        }
        ranges
    }

    /// What they begin with, where they begin and where they end.
    fn bounds(test: &Test) -> Option<Bounds> {
        let of_type = |value: &Scalar| vec![ordered(value)[0]];
        Some(match test {
            Test::AtLeast(least) => (of_type(least), ordered(least), None),
            Test::Above(least) => {
                let mut low = ordered(least);
                // A long text may stand for a higher one, a number does not.
                if low[0] == NUMBER {
                    low.extend_from_slice(&[0xff; 8]);
                }
                (of_type(least), low, None)
            }
            Test::Below(most) | Test::AtMost(most) => {
                (of_type(most), of_type(most), Some(ordered(most)))
            }
            Test::Prefix(prefix) => {
                let mut begin = vec![TEXT];
                escape(prefix, &mut begin);
                (begin.clone(), begin, None)
            }
            Test::Equal(_) | Test::NotEqual(_) | Test::In(_) => return None,
        })
    }

    /// Takes in another test of the same param. Where the two cannot both hold,
    /// the walk finds nothing that fits.
    fn narrow(&mut self, common: Vec<u8>, low: Vec<u8>, high: Option<Vec<u8>>) {
        if common.starts_with(&self.common) {
            self.common = common;
        }
        if low > self.low {
            self.low = low;
        }
        self.high = match (self.high.take(), high) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// The rows to walk over, and the key before the first of them.
    pub(crate) fn walk(&self, tenant: &TenantId, name: &str) -> Result<(Prefix, Key), Error> {
        let all = by_param(tenant, name, &self.param)?;
        let Builder(begin) = all;
        let before = Key([begin.as_slice(), &self.low].concat());
        Ok((Prefix([begin.as_slice(), &self.common].concat()), before))
    }

    /// The sequence in a key of the walk; nothing where the walk is over.
    pub(crate) fn sequence(&self, (prefix, key): (&Prefix, &Key)) -> Result<Option<u64>, Error> {
        let rest = key.below(prefix).and_then(|rest| rest.split_last_chunk::<8>());
        let Some((value, sequence)) = rest else {
            return Err(Error::corrupt(format!("the row {key:?} has no number")));
        };
        let is_over = self.high.as_ref().is_some_and(|high| {
            let value = self.common.iter().chain(value);
            value.gt(high.iter())
        });
        Ok((!is_over).then(|| u64::from_be_bytes(*sequence)))
    }
}

impl Key {
    /// One signal for everyone.
    pub fn signal(tenant: &TenantId, name: &str, sequence: u64) -> Result<Key, Error> {
        let key = Builder::new(tenant, Kind::Signal).name(SIGNAL_NAME, name)?;
        Ok(key.number(sequence).key())
    }

    /// Which signal of a name has this id. An id may be longer than a key.
    pub fn signal_id(tenant: &TenantId, name: &str, id: &str) -> Result<Key, Error> {
        check_name("signal id", id, SIGNAL_ID_BYTES_MAX)?;
        let key = Builder::new(tenant, Kind::SignalId).name(SIGNAL_NAME, name)?;
        Ok(key.bytes(&Sha256::digest(id)).key())
    }

    /// Which signal has this id among those of a webhook. No name is empty: it is
    /// none of those above.
    pub fn webhook_signal_id(tenant: &TenantId, webhook: &str, id: &str) -> Result<Key, Error> {
        check_name("signal id", id, SIGNAL_ID_BYTES_MAX)?;
        let key = Builder::new(tenant, Kind::SignalId).bytes(&[0]);
        Ok(key.name("webhook name", webhook)?.bytes(&Sha256::digest(id)).key())
    }

    /// The mark that a signal has this param.
    pub fn signal_param(
        tenant: &TenantId,
        name: &str,
        param: (&str, &Scalar),
        sequence: u64,
    ) -> Result<Key, Error> {
        let prefix = Prefix::signals_by_param(tenant, name, param)?;
        Ok(prefix.join(&sequence.to_be_bytes()))
    }

    /// How far the signals of a name have come.
    pub fn signal_name(tenant: &TenantId, name: &str) -> Result<Key, Error> {
        let key = Builder::new(tenant, Kind::SignalName).name(SIGNAL_NAME, name)?;
        Ok(key.key())
    }

    /// One signal for one run.
    pub fn run_signal(tenant: &TenantId, run: RunId, sequence: u64) -> Key {
        let key = Builder::new(tenant, Kind::RunSignal).bytes(&run.to_bytes());
        key.number(sequence).key()
    }

    /// Which signal for a run has this id.
    pub fn run_signal_id(tenant: &TenantId, run: RunId, id: &str) -> Result<Key, Error> {
        check_name("signal id", id, SIGNAL_ID_BYTES_MAX)?;
        let key = Builder::new(tenant, Kind::RunSignalId).bytes(&run.to_bytes());
        Ok(key.bytes(&Sha256::digest(id)).key())
    }

    /// The sequence of the last signal for a run.
    pub fn run_signal_last(tenant: &TenantId, run: RunId) -> Key {
        let key = Builder::new(tenant, Kind::RunSignalId).bytes(&run.to_bytes());
        // No id has this digest.
        key.bytes(&[0; 32]).key()
    }

    /// What a one-time URL is for. The token itself is not kept.
    pub fn waitpoint(tenant: &TenantId, token: &str) -> Key {
        Builder::new(tenant, Kind::Waitpoint).bytes(&Sha256::digest(token)).key()
    }

    /// What a run did with a signal. `what` tells apart what one run does with
    /// it in several places.
    pub fn signal_use(
        tenant: &TenantId,
        (name, sequence): (&str, u64),
        (run, what): (RunId, &str),
    ) -> Result<Key, Error> {
        let prefix = Prefix::signal_uses(tenant, name, sequence)?;
        let mut rest = run.to_bytes().to_vec();
        rest.extend_from_slice(&Sha256::digest(what)[..8]);
        Ok(prefix.join(&rest))
    }
}

impl Prefix {
    /// The signals of a name for everyone, in order.
    pub fn signals(tenant: &TenantId, name: &str) -> Result<Prefix, Error> {
        Ok(Builder::new(tenant, Kind::Signal).name(SIGNAL_NAME, name)?.prefix())
    }

    /// The signals of all names for everyone.
    pub fn all_signals(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Signal).prefix()
    }

    /// The signals of a name that have this param, in order. Rarely some more:
    /// the name of the param is a part of a digest, and long texts are cut.
    pub fn signals_by_param(
        tenant: &TenantId,
        name: &str,
        (param, value): (&str, &Scalar),
    ) -> Result<Prefix, Error> {
        Ok(by_param(tenant, name, param)?.bytes(&ordered(value)).prefix())
    }

    /// Who used a signal.
    pub fn signal_uses(tenant: &TenantId, name: &str, sequence: u64) -> Result<Prefix, Error> {
        let prefix = Builder::new(tenant, Kind::SignalUse).name(SIGNAL_NAME, name)?;
        Ok(prefix.number(sequence).prefix())
    }

    /// Those of them that begin so.
    pub fn signal_names_from(tenant: &TenantId, begin: &str) -> Prefix {
        Builder::new(tenant, Kind::SignalName).bytes(begin.as_bytes()).prefix()
    }

    /// The names of signals that a tenant has published.
    pub fn signal_names(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::SignalName).prefix()
    }

    /// The signals for a run that no wait has taken, in order.
    pub fn run_signals(tenant: &TenantId, run: RunId) -> Prefix {
        Builder::new(tenant, Kind::RunSignal).bytes(&run.to_bytes()).prefix()
    }

    /// The ids of all signals for a run.
    pub fn run_signal_ids(tenant: &TenantId, run: RunId) -> Prefix {
        Builder::new(tenant, Kind::RunSignalId).bytes(&run.to_bytes()).prefix()
    }
}

/// The rows of all values of a param.
fn by_param(tenant: &TenantId, name: &str, param: &str) -> Result<Builder, Error> {
    let rows = Builder::new(tenant, Kind::SignalParam).name(SIGNAL_NAME, name)?;
    Ok(rows.bytes(&Sha256::digest(param)[..8]))
}

/// A value as bytes in whose order values of one type are.
fn ordered(value: &Scalar) -> Vec<u8> {
    match value {
        Scalar::Boolean(flag) => vec![FLAG, u8::from(*flag)],
        Scalar::Integer(integer) => {
            let mut below = *integer as f64;
            if below as i128 > i128::from(*integer) {
                below = below.next_down();
            }
            // Doubles of this size are at most 1,024 apart.
            number(below, (i128::from(*integer) - below as i128) as u16)
        }
        Scalar::Number(bits) => number(f64::from_bits(*bits), 0),
        Scalar::Text(text) => {
            let mut bytes = vec![TEXT];
            escape(text, &mut bytes);
            bytes.extend_from_slice(&[0, 0]);
            bytes
        }
    }
}

fn number(below: f64, above: u16) -> Vec<u8> {
    let bits = below.to_bits();
    let ordered = if below.is_sign_negative() { !bits } else { bits | (1 << 63) };
    let mut bytes = vec![NUMBER];
    bytes.extend_from_slice(&ordered.to_be_bytes());
    bytes.extend_from_slice(&above.to_be_bytes());
    bytes
}

/// A text so that two zeroes end it, cut where it gets long.
fn escape(text: &str, bytes: &mut Vec<u8>) {
    let end = bytes.len() + TEXT_IN_KEY_MAX;
    for byte in text.bytes() {
        let escaped: &[u8] = if byte == 0 { &[0, 0xff] } else { &[byte] };
        if bytes.len() + escaped.len() > end {
            return;
        }
        bytes.extend_from_slice(escaped);
    }
}

/// A param and its value as bytes that no other param or value has.
pub fn canonical_param(name: &str, value: &Scalar) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    match value {
        Scalar::Text(text) => {
            bytes.push(1);
            bytes.extend_from_slice(text.as_bytes());
        }
        Scalar::Integer(integer) => {
            bytes.push(2);
            bytes.extend_from_slice(&integer.to_be_bytes());
        }
        Scalar::Number(bits) => {
            bytes.push(3);
            bytes.extend_from_slice(&bits.to_be_bytes());
        }
        Scalar::Boolean(flag) => bytes.extend_from_slice(&[4, u8::from(*flag)]),
    }
    bytes
}
