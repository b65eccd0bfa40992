//! The one thing that an attempt shares with the rest of the host while it
//! runs: others cancel through it and see how far it is. It decides nothing.

use super::log::{Level, Log, LogLine};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::sync::Notify;

/// A handle to one attempt, cheap to clone. Make a new one for each attempt.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    /// Processor time of all slices that have ended.
    cpu_ns: AtomicU64,
    /// Where the present slice started, on its thread's clock.
    slice_start_ns: AtomicU64,
    memory_bytes_peak: AtomicU64,
    host_calls: AtomicU64,
    heartbeat_ms: AtomicU64,
    live: Mutex<Live>,
    /// Told when the attempt gets its slot.
    begun: Notify,
}

/// What changes as a whole.
#[derive(Debug, Default)]
struct Live {
    phase: Phase,
    progress: Option<Progress>,
    log: Log,
    /// Who waits for `cancelled`.
    waker: Option<Waker>,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a free slot.
    #[default]
    Queued,
    /// It runs, since this moment of the task's clock.
    Running {
        /// Milliseconds since 1970.
        since_ms: u64,
    },
    /// It has ended; its report is on the way.
    Ended,
}

/// How far a step says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Parts finished.
    pub done: u64,
    /// All parts, or 0 if nobody knows.
    pub total: u64,
    /// A word about the present part.
    pub message: Box<str>,
}

/// What an attempt has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor.
    pub cpu_us: u64,
    /// Time from start to end; 0 while it still runs.
    pub wall_us: u64,
    /// The most linear memory it had, over all memories.
    pub memory_bytes_peak: u64,
    /// Calls from the guest to the host.
    pub host_calls: u64,
}

impl Watch {
    /// A watch for one attempt.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the attempt as soon as it yields: within a few milliseconds, also
    /// if it never calls the host. Without effect once it has ended.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, SeqCst);
        let waker = self.live().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether somebody cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(SeqCst)
    }

    /// Where the attempt stands.
    pub fn phase(&self) -> Phase {
        self.live().phase
    }

    /// What the step said last about how far it is.
    pub fn progress(&self) -> Option<Progress> {
        self.live().progress.clone()
    }

    /// The lines of the log so far, from the `skip`-th on. At the end the log
    /// moves into the report, and this is empty.
    pub fn log(&self, skip: usize) -> Vec<LogLine> {
        self.live().log.lines(skip)
    }

    /// What the attempt has used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            cpu_us: self.0.cpu_ns.load(Relaxed) / 1_000,
            wall_us: 0,
            memory_bytes_peak: self.0.memory_bytes_peak.load(Relaxed),
            host_calls: self.0.host_calls.load(Relaxed),
        }
    }

    /// The attempt got its slot.
    pub(super) fn start(&self, now_ms: u64, log_bytes_max: u64) {
        let mut live = self.live();
        live.phase = Phase::Running { since_ms: now_ms };
        live.log = Log::new(log_bytes_max);
        drop(live);
        self.0.begun.notify_waiters();
    }

    /// Waits until the attempt runs; since when it does, in milliseconds since
    /// 1970. Of one that ends before, nothing comes.
    pub async fn begun(&self) -> u64 {
        loop {
            let begun = self.0.begun.notified();
            if let Phase::Running { since_ms } = self.phase() {
                return since_ms;
            }
            begun.await;
        }
    }

    /// The attempt is over; returns its lines and how many didn't fit.
    pub(super) fn end(&self) -> (Vec<LogLine>, u64) {
        let mut live = self.live();
        live.phase = Phase::Ended;
        live.waker = None;
        live.log.take()
    }

    /// Wakes `waker` on [`cancel`](Self::cancel). Returns whether that has
    /// happened already.
    pub(super) fn wake_on_cancel(&self, waker: &Waker) -> bool {
        {
            let mut live = self.live();
            match &mut live.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        self.is_cancelled()
    }

    /// Lines that are written from now on were kept before, or not.
    pub(super) fn mute_log(&self, muted: bool) {
        self.live().log.mute(muted);
    }

    /// Takes the lines so far out of the log: they are about to be kept.
    pub(super) fn take_lines(&self) -> Vec<LogLine> {
        self.live().log.take_lines()
    }

    /// Puts lines back that were taken and not kept.
    pub(super) fn put_back(&self, lines: Vec<LogLine>) {
        self.live().log.put_back(lines);
    }

    pub(super) fn write_log(&self, at_ms: u64, level: Level, text: &str) {
        self.live().log.write(at_ms, level, text);
    }

    pub(super) fn report_progress(&self, progress: Progress) {
        let mut live = self.live();
        // What was reported before is older than what somebody may have seen.
        if !live.log.is_muted() {
            live.progress = Some(progress);
        }
    }

    /// The step says that it is alive.
    pub(super) fn beat(&self, now_ms: u64) {
        self.0.heartbeat_ms.store(now_ms, Relaxed);
    }

    /// When the step last said that it is alive, in milliseconds since 1970.
    pub fn heartbeat_ms(&self) -> Option<u64> {
        Some(self.0.heartbeat_ms.load(Relaxed)).filter(|at| *at > 0)
    }

    /// Processor time of all slices that have ended.
    pub(super) fn cpu_ns(&self) -> u64 {
        self.0.cpu_ns.load(Relaxed)
    }

    /// Where the present slice started, on the clock of the thread it runs on.
    pub(super) fn slice_start_ns(&self) -> u64 {
        self.0.slice_start_ns.load(Relaxed)
    }

    pub(super) fn slice_starts(&self, thread_cpu_ns: u64) {
        self.0.slice_start_ns.store(thread_cpu_ns, Relaxed);
    }

    pub(super) fn slice_ends(&self, slice_ns: u64) {
        self.0.cpu_ns.fetch_add(slice_ns, Relaxed);
    }

    pub(super) fn memory_grew_to(&self, bytes: u64) {
        self.0.memory_bytes_peak.fetch_max(bytes, Relaxed);
    }

    pub(super) fn count_host_call(&self) {
        self.0.host_calls.fetch_add(1, Relaxed);
    }

    /// Nothing panics while it holds the lock, and a poisoned lock would still
    /// guard usable data.
    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
