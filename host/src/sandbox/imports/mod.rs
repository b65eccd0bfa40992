//! What guests may call, one file for each interface of the contract, and which
//! names a component may import. Host functions never block and never panic.

mod continuation;
mod http;
mod kv;
mod log;
mod memo;
mod progress;
pub(super) mod random;
mod secrets;
mod signals;
mod timers;
mod waits;
pub(super) mod wasi;
mod workflows;

use super::durable::{Answer, Call, Refusal};
use super::guest::{Guest, wit};
use super::limits::Stop;
use wasmtime::component::{HasSelf, Linker};

/// Every interface that a component may import. A component built against
/// another version with the same meaning (`0.1.x`, `0.2.x`) may import it too.
pub(super) const OFFERED: &[&str] = &[
    "segno:step/types@0.1.0",
    "segno:step/log@0.1.0",
    "segno:step/timers@0.1.0",
    "segno:step/random@0.1.0",
    "segno:step/progress@0.1.0",
    "segno:step/signals@0.1.0",
    "segno:step/waits@0.1.0",
    "segno:step/workflows@0.1.0",
    "segno:step/memo@0.1.0",
    "segno:step/kv@0.1.0",
    "segno:step/secrets@0.1.0",
    "segno:step/http@0.1.0",
    "segno:step/continuation@0.1.0",
    "wasi:cli/environment@0.2.0",
    "wasi:cli/exit@0.2.0",
    "wasi:cli/stdin@0.2.0",
    "wasi:cli/stdout@0.2.0",
    "wasi:cli/stderr@0.2.0",
    "wasi:cli/terminal-input@0.2.0",
    "wasi:cli/terminal-output@0.2.0",
    "wasi:cli/terminal-stdin@0.2.0",
    "wasi:cli/terminal-stdout@0.2.0",
    "wasi:cli/terminal-stderr@0.2.0",
    "wasi:clocks/monotonic-clock@0.2.0",
    "wasi:clocks/wall-clock@0.2.0",
    "wasi:filesystem/preopens@0.2.0",
    "wasi:filesystem/types@0.2.0",
    "wasi:io/error@0.2.0",
    "wasi:io/poll@0.2.0",
    "wasi:io/streams@0.2.0",
    "wasi:random/insecure@0.2.0",
    "wasi:random/insecure-seed@0.2.0",
    "wasi:random/random@0.2.0",
    "wasi:sockets/instance-network@0.2.0",
    "wasi:sockets/ip-name-lookup@0.2.0",
    "wasi:sockets/network@0.2.0",
    "wasi:sockets/tcp@0.2.0",
    "wasi:sockets/tcp-create-socket@0.2.0",
    "wasi:sockets/udp@0.2.0",
    "wasi:sockets/udp-create-socket@0.2.0",
];

/// A linker that offers all of [`OFFERED`].
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wit::Step::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// Types only: there is nothing to call.
impl wit::segno::step::types::Host for Guest {}

impl From<Refusal> for wit::Refusal {
    fn from(Refusal { code, message }: Refusal) -> Self {
        Self { code, message }
    }
}

/// The journal gave an answer of another kind than its call has: it is not
/// from this host, or it was changed.
fn wrong_answer(call: &str, answer: &Answer) -> wasmtime::Error {
    let kind: String = format!("{answer:?}").chars().take(40).collect();
    Stop::Nondeterminism(format!("the journal has {kind} as the answer of {call}")).into()
}

impl Guest {
    /// Makes a call that gives a text.
    async fn call_for_text(&mut self, call: Call) -> wasmtime::Result<Result<String, Refusal>> {
        let name = call.summary();
        match self.call_durable(call).await? {
            Answer::Text(text) => Ok(text),
            other => Err(wrong_answer(&name, &other)),
        }
    }

    /// Makes a call that gives nothing.
    async fn call_to_do(&mut self, call: Call) -> wasmtime::Result<Result<(), Refusal>> {
        let name = call.summary();
        match self.call_durable(call).await? {
            Answer::Done(done) => Ok(done),
            other => Err(wrong_answer(&name, &other)),
        }
    }
}
