//! WASI 0.2 for guests whose toolchain cannot do without: linked, with nothing
//! behind it. No files, no network, no environment, no arguments. What is printed
//! goes to the attempt's log; clocks and randomness are the task's.

use super::random::{BYTES_MAX, Stream};
use crate::sandbox::guest::{Clock, Guest};
use crate::sandbox::log::{LINE_BYTES_MAX, Level};
use crate::sandbox::watch::Watch;
use bytes::Bytes;
use chacha20::rand_core::Rng as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

/// The WASI side of one guest.
pub(in crate::sandbox) struct Wasi {
    context: WasiCtx,
    stdout: Printer,
    stderr: Printer,
}

impl Wasi {
    fn new(guest: &Guest) -> Self {
        let printer = |level| {
            let clock = Arc::clone(&guest.clock);
            let line = Arc::default();
            Printer { watch: guest.watch.clone(), clock, level, line }
        };
        let (stdout, stderr) = (printer(Level::Info), printer(Level::Warn));
        let mut seed = guest.random.stream(Stream::WasiSeed);
        let seed = u128::from(seed.next_u64()) << 64 | u128::from(seed.next_u64());
        // Files, arguments and environment are absent unless something adds them.
        let context = WasiCtx::builder()
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .secure_random(guest.random.stream(Stream::Wasi))
            .insecure_random(guest.random.stream(Stream::WasiInsecure))
            .insecure_random_seed(seed)
            .max_random_size(u64::from(BYTES_MAX))
            .wall_clock(WallClock(guest.step_clock()))
            .monotonic_clock(MonotonicClock::new(guest.step_clock()))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .socket_addr_check(|_, _| Box::pin(async { false }))
            .build();
        Self { context, stdout, stderr }
    }

    /// Logs what was printed without an end of line.
    pub(in crate::sandbox) fn flush(&self) {
        self.stdout.end_line();
        self.stderr.end_line();
    }
}

/// Every host call of WASI comes through here.
impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.watch.count_host_call();
        if self.wasi.is_none() {
            self.wasi = Some(Box::new(Wasi::new(self)));
        }
        let wasi = self.wasi.as_mut().expect("it was made just before");
        WasiCtxView { ctx: &mut wasi.context, table: &mut self.table }
    }
}

/// Turns what a guest prints into lines of its log. It never fails and never
/// makes the guest wait; the log counts what is too much.
#[derive(Clone)]
struct Printer {
    watch: Watch,
    clock: Clock,
    level: Level,
    /// The line that is being printed. All handles of a stream share it.
    line: Arc<Mutex<Vec<u8>>>,
}

/// What one write may carry.
const WRITE_BYTES_MAX: usize = 64 << 10;

impl Printer {
    fn print(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            // The log cuts lines; one byte more than it keeps tells it to.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if pieces.peek().is_some() {
                self.log(&mut line);
            }
        }
    }

    fn end_line(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if !line.is_empty() {
            self.log(&mut line);
        }
    }

    fn log(&self, line: &mut Vec<u8>) {
        self.watch.write_log((self.clock)(), self.level, &String::from_utf8_lossy(line));
        line.clear();
    }
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printer {
    /// For WASI 0.3, which no guest can reach.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    /// The default would buffer without bound (GHSA-5m8g-xhq4-4h93).
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printer {
    async fn ready(&mut self) {}
}

impl OutputStream for Printer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

/// The task's clock as the time of day.
struct WallClock(Clock);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis((self.0)())
    }
}

/// The task's clock as a time that starts with the attempt and never goes back.
struct MonotonicClock {
    clock: Clock,
    start_ms: u64,
    latest_ns: AtomicU64,
}

impl MonotonicClock {
    fn new(clock: Clock) -> Self {
        let start_ms = clock();
        Self { clock, start_ms, latest_ns: AtomicU64::new(0) }
    }
}

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        let since_start_ms = (self.clock)().saturating_sub(self.start_ms);
        let now_ns = since_start_ms.saturating_mul(1_000_000);
        self.latest_ns.fetch_max(now_ns, Ordering::Relaxed).max(now_ns)
    }
}
