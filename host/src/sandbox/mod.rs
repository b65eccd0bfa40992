//! Runs steps as isolated WebAssembly components. This folder is the only code
//! that names wasmtime. It knows neither store nor tenants: a task brings
//! everything it needs, and a report is all that it leaves behind.
//!
//! The way of a component: `admission` → `compile` (in a child process) →
//! `artefacts` → `components`. The way of an attempt: [`Sandbox::run`] → `guest`,
//! held by `limits` and `schedule`, seen through `watch` → `outcome`.

mod admission;
mod artefacts;
mod bare;
mod compile;
mod components;
mod durable;
mod engine;
mod facts;
mod guest;
mod imports;
mod limits;
mod log;
mod outcome;
mod schedule;
mod tape;
mod watch;

pub use admission::{AdmissionLimits, Admitted, Refused, admit, with_requests};
pub use compile::{CompileLimits, compile_main};
pub use components::Component;
pub use durable::{
    Answer, Answering, Call, Condition, Durable, Entry, Gone, Happening, NewEntry, Pattern,
    Refusal, Request, Response, Signal,
};
pub use engine::Layout;
pub use facts::{Fact, facts};
pub use guest::{Clock, Context, Task};
pub use limits::Limits;
pub use log::{Level, LogLine};
pub use outcome::{Outcome, Report};
pub use watch::{Phase, Progress, Usage, Watch};

use artefacts::Artefacts;
use compile::Compiler;
use components::Components;
use guest::Guest;
use schedule::{Broken, Schedule};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory of the artefacts. Only this process may write there.
    pub artefacts: PathBuf,
    /// The program that compiles, called with `compile-component`. By default
    /// the running one, also after its file was replaced.
    pub compiler: PathBuf,
    /// What one compilation may use.
    pub compile: CompileLimits,
    /// Attempts at once. A component with several memories takes several slots.
    pub slots: u32,
    /// Attempts that may compute at once, beyond their first milliseconds.
    pub turns: usize,
    /// How often guests are interrupted.
    pub tick: Duration,
    /// Code that is kept ready, in bytes.
    pub cache_bytes: u64,
    /// The stack of a guest.
    pub stack_bytes: usize,
    /// The most that any task may ask for in `memory_bytes`.
    pub memory_bytes_max: u64,
    /// The most that any task may ask for in `table_elements`.
    pub table_elements_max: u64,
}

impl Config {
    /// The usual setting, with artefacts in `artefacts`.
    pub fn new(artefacts: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            artefacts: artefacts.into(),
            compiler: PathBuf::from("/proc/self/exe"),
            compile: CompileLimits::default(),
            slots: 256,
            // One core stays free for short steps and for the host itself.
            turns: cores.saturating_sub(1).max(1),
            tick: Duration::from_millis(1),
            cache_bytes: 512 << 20,
            stack_bytes: 512 << 10,
            memory_bytes_max: 1 << 30,
            table_elements_max: 1_000_000,
        }
    }
}

/// Infrastructure failed, or a component can never run. What a guest does wrong
/// while it runs is in its [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The component cannot be compiled or linked.
    #[error("the component is refused: {0}")]
    Refused(Refused),
    /// Not a digest.
    #[error("{digest:?} is no digest: it is `sha256:` and 64 hexadecimal digits")]
    Digest {
        /// What was given.
        digest: Box<str>,
    },
    /// Whoever keeps the component's bytes did not give them.
    #[error("component {digest} could not be loaded")]
    Load {
        /// The component.
        digest: Box<str>,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bytes are not those of the component.
    #[error("component {digest} was asked for, and the bytes of {found} were given")]
    WrongBytes {
        /// The component that was asked for.
        digest: Box<str>,
        /// The digest of the bytes.
        found: Box<str>,
    },
    /// The compiler's process failed.
    #[error("the compiler could not {action}")]
    Compiler {
        /// What it should have done.
        action: &'static str,
        /// Why it did not.
        source: std::io::Error,
    },
    /// The directory of the artefacts is of no use.
    #[error("artefacts could not {action}")]
    Artefact {
        /// What should have happened to them.
        action: &'static str,
        /// Why it did not.
        source: std::io::Error,
    },
    /// The runtime cannot be set up as configured.
    #[error("the WebAssembly runtime could not be set up: {0}")]
    Runtime(String),
}

/// Runs attempts; cheap to clone. One for each process.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    config: Config,
    layout: Layout,
    engine: wasmtime::Engine,
    components: Components,
    schedule: Schedule,
    slots: Semaphore,
}

impl Sandbox {
    /// A sandbox with this configuration. Where the address space does not
    /// suffice for a pool of instances, it does without, and says so in the log.
    ///
    /// # Errors
    /// If the artefacts' directory or the runtime cannot be set up.
    pub fn new(config: Config) -> Result<Self, Error> {
        let runtime = |error: wasmtime::Error| Error::Runtime(error.root_cause().to_string());
        let (engine, layout) = match engine::runtime(&config, Layout::Pooled) {
            Ok(engine) => (engine, Layout::Pooled),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    slots = config.slots,
                    "the address space is too small for a pool of instances; steps start more \
                     slowly. `segno doctor` says more"
                );
                (engine::runtime(&config, Layout::Compact).map_err(runtime)?, Layout::Compact)
            }
        };
        let linker = imports::linker(&engine).map_err(runtime)?;
        let compatibility = engine::compatibility(layout).map_err(runtime)?;
        let artefacts = Artefacts::open(&config.artefacts, compatibility)
            .map_err(|source| Error::Artefact { action: "be kept", source })?;
        let compiler = Compiler::new(&config.compiler, layout, config.compile);
        let components = Components::new(linker, compiler, artefacts, config.cache_bytes);
        let schedule = Schedule::new(&engine, config.tick, config.turns)
            .map_err(|error| Error::Runtime(format!("no thread for its clock: {error}")))?;
        let slots = Semaphore::new(config.slots as usize);
        Ok(Self(Arc::new(Inner { config, layout, engine, components, schedule, slots })))
    }

    /// The component `digest`, ready to run. If it is neither in memory nor
    /// compiled already, `load` must give its bytes, and it is compiled; however
    /// many ask at once, once.
    ///
    /// # Errors
    /// [`Error::Refused`] is for good, all others may pass.
    pub async fn component<F, E>(
        &self,
        digest: &str,
        load: impl FnOnce() -> F,
    ) -> Result<Component, Error>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.0.components.get(digest, load).await
    }

    /// Makes one attempt: waits for a slot, runs the step in an instance of its
    /// own, and drops the instance. It never fails; how it went is in the report.
    /// Dropping the future ends the guest.
    pub async fn run(&self, mut task: Task, watch: &Watch) -> Report {
        let inner = &*self.0;
        let slots = task.component.slots().min(inner.config.slots);
        // Slots are never closed, so only cancelling ends this wait without one.
        let permit = inner.schedule.cancellable(watch, inner.slots.acquire_many(slots)).await;
        let start = Instant::now();
        watch.start((task.clock)(), task.limits.log_bytes);
        let outcome = match permit {
            Ok(_permit) => inner.attempt(&mut task, watch).await,
            Err(_cancelled) => Outcome::Cancelled,
        };
        report(outcome, &task, watch, start)
    }

    /// How guests' memory is laid out: [`Layout::Compact`] if there is no pool.
    pub fn layout(&self) -> Layout {
        self.0.layout
    }

    /// Whether more than half of the slots are taken: guests that only wait
    /// should make room.
    pub fn is_busy(&self) -> bool {
        self.slots_free() * 2 < self.0.config.slots as usize
    }

    /// Slots that no attempt takes now.
    pub fn slots_free(&self) -> usize {
        self.0.slots.available_permits()
    }
}

/// Memory that takes the system milliseconds to take back: nobody can interrupt
/// that, so it must not happen on a thread that short steps wait for.
const LARGE_BYTES: u64 = 8 << 20;

impl Inner {
    async fn attempt(&self, task: &mut Task, watch: &Watch) -> Outcome {
        let limits = self.capped(task.limits);
        let tick_ns = u64::try_from(self.config.tick.as_nanos()).unwrap_or(u64::MAX);
        let guest = Guest::new(task, &limits, watch.clone(), tick_ns);
        let mut store = guest::store(&self.engine, guest, &limits);
        let context = task.context.clone().into();
        let call = guest::call(&mut store, &task.component, &context, task.input.text());
        let wall = Duration::from_millis(limits.wall_ms);
        let ended = tokio::time::timeout(wall, self.schedule.run(watch, call)).await;
        // What was printed last may not have ended its line.
        store.data().flush();
        let left = store.data().tape.left();
        let outcome = match ended {
            Ok(Ok(Ok(_))) if left.is_some() => Outcome::too_early(left.as_deref()),
            Ok(Ok(Ok(result))) => Outcome::of_result(result, &limits),
            Ok(Ok(Err(error))) => {
                let sequence = store.data().tape.sequence();
                let stack_bytes = self.config.stack_bytes as u64;
                match Outcome::of_error(&error, &limits, (stack_bytes, sequence)) {
                    Outcome::Continued { .. } if left.is_some() => {
                        Outcome::too_early(left.as_deref())
                    }
                    outcome => outcome,
                }
            }
            Ok(Err(Broken::Cancelled)) => Outcome::Cancelled,
            Ok(Err(Broken::Panicked)) => Outcome::of_panic(),
            Err(_elapsed) => Outcome::out_of_time(&limits),
        };
        if watch.usage().memory_bytes_peak >= LARGE_BYTES {
            // The guest is gone when the attempt is over, so its end is awaited.
            let gone = tokio::task::spawn_blocking(move || drop(store)).await;
            debug_assert!(gone.is_ok(), "wasmtime does not panic when a store is dropped");
        }
        outcome
    }

    /// The pool is laid out for the operator's ceilings, so nothing may exceed
    /// them, whatever a task says.
    fn capped(&self, limits: Limits) -> Limits {
        Limits {
            memory_bytes: limits.memory_bytes.min(self.config.memory_bytes_max),
            table_elements: limits.table_elements.min(self.config.table_elements_max),
            ..limits
        }
    }
}

fn report(outcome: Outcome, task: &Task, watch: &Watch, start: Instant) -> Report {
    let wall_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let usage = Usage { wall_us, ..watch.usage() };
    let (mut log, log_dropped) = watch.end();
    if log_dropped > 0 {
        log.push(log::dropped_line((task.clock)(), log_dropped, task.limits.log_bytes));
    }
    Report { outcome, log, log_dropped, usage }
}
