//! `segno:step/random`, and the generators behind all randomness of a guest.
//! Each use has a stream of its own, so that what the standard library draws for
//! its hash maps does not shift what the step draws.

use crate::sandbox::guest::{Guest, wit};
use crate::sandbox::limits::Stop;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// What one call may ask for, as the contract says.
pub(in crate::sandbox) const BYTES_MAX: u32 = 65_536;

/// Who draws.
#[derive(Clone, Copy)]
pub(in crate::sandbox) enum Stream {
    Step = 0,
    Wasi = 1,
    WasiInsecure = 2,
    WasiSeed = 3,
}

/// All randomness of one attempt. The algorithm is ChaCha20 and must stay so:
/// a run that was started under an older release draws the same numbers again.
pub(in crate::sandbox) struct Random {
    seed: [u8; 32],
    /// Made when the step first draws.
    step: Option<Box<ChaCha20Rng>>,
}

impl Random {
    pub(in crate::sandbox) fn new(seed: [u8; 32]) -> Self {
        Self { seed, step: None }
    }

    /// A generator for `stream`, at its beginning.
    pub(in crate::sandbox) fn stream(&self, stream: Stream) -> ChaCha20Rng {
        let mut generator = ChaCha20Rng::from_seed(self.seed);
        generator.set_stream(stream as u64);
        generator
    }

    /// From here on the step draws other numbers, which follow from this place
    /// in its journal: what it drew before may not be drawn when it is played
    /// again, as within a memo.
    pub(in crate::sandbox) fn renew(&mut self, sequence: u64) {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(sequence.to_be_bytes());
        self.step = Some(Box::new(ChaCha20Rng::from_seed(hash.finalize().into())));
    }

    fn step(&mut self) -> &mut ChaCha20Rng {
        let Self { seed: _, step } = self;
        if step.is_none() {
            self.step = Some(Box::new(self.stream(Stream::Step)));
        }
        self.step.as_mut().expect("it was made just before")
    }
}

impl wit::segno::step::random::Host for Guest {
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.watch.count_host_call();
        if len > BYTES_MAX {
            let message =
                format!("`random.bytes` was asked for {len} bytes; it gives {BYTES_MAX} a call");
            return Err(Stop::Misuse(message).into());
        }
        let mut bytes = vec![0; len as usize];
        self.random.step().fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        self.watch.count_host_call();
        Ok(self.random.step().next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are part of what a release promises: this may never change.
    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let mut random = Random::new([7; 32]);
        let drawn = [random.step().next_u64(), random.step().next_u64()];
        assert_eq!(drawn, [4_753_173_749_397_848_308, 8_104_706_558_872_646_932]);
    }

    #[test]
    fn streams_are_apart() {
        let random = Random::new([7; 32]);
        let first = |stream| random.stream(stream).next_u64();
        let drawn = [
            first(Stream::Step),
            first(Stream::Wasi),
            first(Stream::WasiInsecure),
            first(Stream::WasiSeed),
        ];
        for (place, number) in drawn.iter().enumerate() {
            assert!(!drawn[..place].contains(number));
        }
    }
}
