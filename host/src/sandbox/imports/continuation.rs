//! `segno:step/continuation`: the way past the limits of a journal.

use crate::sandbox::guest::{Guest, wit};
use crate::sandbox::limits::Stop;
use segno_engine::payload::Payload;

impl wit::segno::step::continuation::Host for Guest {
    fn continue_as_new(&mut self, input: String) -> wasmtime::Result<()> {
        self.watch.count_host_call();
        let stop = match Payload::parse(input.as_str()) {
            Ok(input) if input.text().trim_ascii_start().starts_with('{') => Stop::Continued(input),
            Ok(_) | Err(_) => Stop::Misuse(
                "the input of `continue-as-new` is no JSON object; a step's input always is"
                    .to_owned(),
            ),
        };
        Err(stop.into())
    }
}
