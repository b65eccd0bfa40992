//! Randomness that belongs to the run: another attempt of the same step draws
//! the same numbers, so that an idempotency key made from them stays the same.
//! Not for cryptographic keys.

use crate::host;

/// How many bytes the contract gives in one call.
const CALL_BYTES_MAX: u32 = 65_536;

/// The next random number.
pub fn next_u64() -> u64 {
    host::next_u64()
}

/// The next `len` random bytes.
///
/// ```
/// let key = segno::random::bytes(16);
/// assert_eq!(key.len(), 16);
/// ```
pub fn bytes(len: usize) -> Vec<u8> {
    let mut drawn = Vec::with_capacity(len);
    while drawn.len() < len {
        let missing = u32::try_from(len - drawn.len()).unwrap_or(u32::MAX);
        drawn.extend(host::bytes(missing.min(CALL_BYTES_MAX)));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_in_any_number() {
        for len in [0, 1, 7, 8, 65_536, 65_537, 200_000] {
            assert_eq!(bytes(len).len(), len);
        }
    }

    #[test]
    fn a_fresh_thread_draws_the_same_numbers() {
        let draw = || (next_u64(), bytes(5), next_u64());
        let first = std::thread::spawn(draw).join().expect("drawing cannot panic");
        let second = std::thread::spawn(draw).join().expect("drawing cannot panic");
        assert_eq!(first, second);
        assert_ne!(first.0, first.2);
    }
}
