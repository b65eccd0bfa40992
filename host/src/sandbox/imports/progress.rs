//! `segno:step/progress`: how far a long step has come. Nothing is stored; the
//! last word can be seen while the attempt runs.

use crate::sandbox::guest::{Guest, wit};
use crate::sandbox::log::printable;
use crate::sandbox::watch::Progress;

/// The longest word about the present part; more is cut.
const MESSAGE_BYTES_MAX: usize = 256;

impl wit::segno::step::progress::Host for Guest {
    fn report(&mut self, done: u64, total: u64, message: String) -> wasmtime::Result<()> {
        self.watch.count_host_call();
        self.watch.beat(self.now_ms());
        let message = printable(&message, MESSAGE_BYTES_MAX);
        self.watch.report_progress(Progress { done, total, message });
        Ok(())
    }

    fn heartbeat(&mut self) -> wasmtime::Result<()> {
        self.watch.count_host_call();
        self.watch.beat(self.now_ms());
        Ok(())
    }
}
