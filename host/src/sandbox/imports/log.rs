//! `segno:step/log`: lines for whoever looks at the run.

use crate::sandbox::guest::{Guest, wit};
use crate::sandbox::log::Level;
use wit::segno::step::log;

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.watch.count_host_call();
        self.watch.write_log(self.now_ms(), level.into(), &message);
        Ok(())
    }
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Trace => Self::Trace,
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}
