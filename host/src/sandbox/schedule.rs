//! Who may compute, and for how long. A clock of our own interrupts guests every
//! millisecond or so. An attempt that has computed for a while must take one of
//! a few turns for each further slice, first come, first served; so guests that
//! never stop cannot hold every worker, and a short step passes them by.

use super::watch::Watch;
use rustix::time::{ClockId, clock_gettime};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::thread::{self, Thread};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Processor time after which an attempt no longer counts as short.
const SHORT_NS: u64 = 3_000_000;

/// Shares the workers between attempts.
pub(super) struct Schedule {
    ticker: Ticker,
    turns: Semaphore,
}

/// Why an attempt came to no end of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Somebody cancelled it.
    Cancelled,
    /// A host function panicked.
    Panicked,
}

impl Schedule {
    /// Interrupts the guests of `engine` every `tick`, and lets `turns` long
    /// attempts compute at once.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn new(
        engine: &wasmtime::Engine,
        tick: Duration,
        turns: usize,
    ) -> std::io::Result<Self> {
        Ok(Self { ticker: Ticker::start(engine, tick)?, turns: Semaphore::new(turns.max(1)) })
    }

    /// Runs `attempt` in slices and counts what it computes in `watch`. A panic
    /// ends there. Dropping the future drops the attempt.
    pub(super) async fn run<T>(
        &self,
        watch: &Watch,
        attempt: impl Future<Output = T>,
    ) -> Result<T, Broken> {
        let mut attempt = pin!(attempt);
        let mut turn = Turn { turns: &self.turns, wait: None };
        poll_fn(|cx| {
            if watch.is_cancelled() {
                return Poll::Ready(Err(Broken::Cancelled));
            }
            let permit = if watch.cpu_ns() < SHORT_NS {
                None
            } else if let Poll::Ready(permit) = turn.poll(cx) {
                permit
            } else {
                return pending_until(watch, cx);
            };
            let slice = self.slice(watch);
            // After a panic the attempt is dropped and never looked at again.
            let poll = AssertUnwindSafe(|| attempt.as_mut().poll(cx));
            let polled = catch_unwind(poll).map_err(|_| Broken::Panicked);
            drop(slice);
            drop(permit);
            match polled {
                Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
                Ok(Poll::Pending) => pending_until(watch, cx),
                Err(panicked) => Poll::Ready(Err(panicked)),
            }
        })
        .await
    }

    /// Waits for `wait`, but not past the cancelling of the attempt.
    pub(super) async fn cancellable<T>(
        &self,
        watch: &Watch,
        wait: impl Future<Output = T>,
    ) -> Result<T, Broken> {
        let mut wait = pin!(wait);
        poll_fn(|cx| match wait.as_mut().poll(cx) {
            Poll::Ready(done) if !watch.is_cancelled() => Poll::Ready(Ok(done)),
            Poll::Ready(_) => Poll::Ready(Err(Broken::Cancelled)),
            Poll::Pending => pending_until(watch, cx),
        })
        .await
    }

    fn slice<'a>(&'a self, watch: &'a Watch) -> Slice<'a> {
        self.ticker.guest_runs();
        let start_ns = thread_cpu_ns();
        watch.slice_starts(start_ns);
        Slice { ticker: &self.ticker, watch, start_ns }
    }
}

/// Pending, unless the attempt has been cancelled meanwhile.
fn pending_until<T>(watch: &Watch, cx: &Context<'_>) -> Poll<Result<T, Broken>> {
    if watch.wake_on_cancel(cx.waker()) {
        Poll::Ready(Err(Broken::Cancelled))
    } else {
        Poll::Pending
    }
}

/// A stretch of computing on one thread. The count is kept in `Drop` so that it
/// also holds when a host function panics.
struct Slice<'a> {
    ticker: &'a Ticker,
    watch: &'a Watch,
    start_ns: u64,
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        self.watch.slice_ends(thread_cpu_ns().saturating_sub(self.start_ns));
        self.ticker.guest_rests();
    }
}

/// A place in the queue for the turns.
struct Turn<'a> {
    turns: &'a Semaphore,
    wait: Option<Pin<Box<dyn Future<Output = Option<SemaphorePermit<'a>>> + Send + 'a>>>,
}

impl<'a> Turn<'a> {
    /// The permit to compute. `None` cannot come, for nobody closes the
    /// semaphore; an attempt would then go on without one.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<SemaphorePermit<'a>>> {
        let turns = self.turns;
        let wait = self.wait.get_or_insert_with(|| Box::pin(async { turns.acquire().await.ok() }));
        let permit = ready!(wait.as_mut().poll(cx));
        self.wait = None;
        Poll::Ready(permit)
    }
}

/// The processor time of this thread. It does not pass while the system runs
/// something else, so that a busy machine does not use up a guest's limit.
pub(super) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// Moves the engine's epoch on while guests run, and sleeps when none does.
struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    /// Guests that are computing now.
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// Ticks without a guest after which the ticker goes to sleep. Waking it costs
/// a system call, so it stays awake between steps that follow each other.
const IDLE_TICKS: u32 = 100;

impl Ticker {
    fn start(engine: &wasmtime::Engine, tick: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let ours = Arc::clone(&shared);
        let engine = engine.clone();
        let thread = thread::Builder::new()
            .name("segno-ticker".to_owned())
            .spawn(move || ours.tick(&engine, tick))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    fn guest_runs(&self) {
        self.shared.running.fetch_add(1, SeqCst);
        // The ticker says that it sleeps before it looks at `running` for the
        // last time, so that one of the two always sees the other.
        if self.shared.asleep.load(SeqCst) {
            self.shared.asleep.store(false, SeqCst);
            self.thread.unpark();
        }
    }

    fn guest_rests(&self) {
        self.shared.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn tick(&self, engine: &wasmtime::Engine, tick: Duration) {
        let mut idle_ticks = 0;
        while !self.stopped.load(SeqCst) {
            thread::sleep(tick);
            engine.increment_epoch();
            idle_ticks = if self.running.load(SeqCst) > 0 { 0 } else { idle_ticks + 1 };
            if idle_ticks > IDLE_TICKS {
                self.sleep();
                idle_ticks = 0;
            }
        }
    }

    fn sleep(&self) {
        self.asleep.store(true, SeqCst);
        while self.asleep.load(SeqCst)
            && self.running.load(SeqCst) == 0
            && !self.stopped.load(SeqCst)
        {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> wasmtime::Engine {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true).enable_compiler(false);
        wasmtime::Engine::new(&config).unwrap()
    }

    /// Computes for `rounds` slices of 5 ms.
    async fn computing(rounds: u32) {
        for _ in 0..rounds {
            let start = thread_cpu_ns();
            while thread_cpu_ns() - start < 5_000_000 {}
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn computing_is_counted() {
        let schedule = Schedule::new(&engine(), Duration::from_millis(1), 1).unwrap();
        let watch = Watch::new();
        schedule.run(&watch, computing(3)).await.unwrap();
        assert!(watch.usage().cpu_us >= 15_000, "{:?}", watch.usage());
    }

    #[tokio::test]
    async fn a_panic_ends_there() {
        let schedule = Schedule::new(&engine(), Duration::from_millis(1), 1).unwrap();
        let ended = schedule.run(&Watch::new(), async { panic!("as it should") }).await;
        assert_eq!(ended, Err::<(), _>(Broken::Panicked));
        assert_eq!(schedule.ticker.shared.running.load(SeqCst), 0);
    }

    #[tokio::test]
    async fn cancelling_ends_a_wait() {
        let schedule = Schedule::new(&engine(), Duration::from_millis(1), 1).unwrap();
        let watch = Watch::new();
        let attempt = schedule.run(&watch, std::future::pending::<()>());
        let cancel = async { watch.cancel() };
        let (ended, ()) = tokio::join!(attempt, cancel);
        assert!(ended.is_err());
    }

    #[tokio::test]
    async fn cancelling_ends_the_wait_for_a_turn() {
        let schedule = Schedule::new(&engine(), Duration::from_millis(1), 1).unwrap();
        let held = schedule.turns.acquire().await.unwrap();
        let watch = Watch::new();
        let (ended, ()) = tokio::join!(schedule.run(&watch, computing(10)), async {
            while watch.usage().cpu_us == 0 {
                tokio::task::yield_now().await;
            }
            watch.cancel();
        });
        assert!(ended.is_err());
        drop(held);
    }

    #[test]
    fn the_ticker_sleeps_without_guests_and_wakes_with_one() {
        let ticker = Ticker::start(&engine(), Duration::from_micros(10)).unwrap();
        while !ticker.shared.asleep.load(SeqCst) {
            thread::yield_now();
        }
        ticker.guest_runs();
        assert!(!ticker.shared.asleep.load(SeqCst));
        ticker.guest_rests();
        while !ticker.shared.asleep.load(SeqCst) {
            thread::yield_now();
        }
    }
}
