//! `segno:step/timers`: time, as the task's clock tells it.

use crate::sandbox::guest::{Guest, wit};

impl wit::segno::step::timers::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.watch.count_host_call();
        Ok(self.now_ms())
    }
}
