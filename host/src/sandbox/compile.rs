//! Components become machine code in a child process with limits of its own: a
//! small component can take hours and gigabytes to compile. Both sides are here,
//! the parent that asks and the child that does it; they talk over pipes.

use super::admission::Refused;
use super::engine::{self, Layout};
use super::limits::{Bytes, Millis};
use super::log::printable;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// What one compilation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space of the child process.
    pub memory_bytes: u64,
    /// Processor time of the child process.
    pub cpu_s: u64,
    /// Time until the child process is killed.
    pub wall_ms: u64,
    /// Size of the artefact.
    pub output_bytes: u64,
    /// Compilations at once.
    pub at_once: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            cpu_s: 60,
            wall_ms: 300_000,
            output_bytes: 512 << 20,
            at_once: 1,
        }
    }
}

/// A compilation that gave no artefact.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The component's fault; it would fail again.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The host's.
    #[error("the compiler could not {action}")]
    Host {
        action: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// Starts compilers.
pub(super) struct Compiler {
    program: PathBuf,
    layout: Layout,
    limits: CompileLimits,
    running: Semaphore,
}

/// The verb under which the program compiles.
const VERB: &str = "compile-component";

const LAYOUT_VARIABLE: &str = "SEGNO_COMPILE_LAYOUT";
const MEMORY_VARIABLE: &str = "SEGNO_COMPILE_MEMORY_BYTES";
const CPU_VARIABLE: &str = "SEGNO_COMPILE_CPU_S";

/// How the child says that the component is to blame.
const EXIT_REFUSED: u8 = 2;

/// The longest message that the parent takes from the child.
const MESSAGE_BYTES_MAX: u64 = 16 << 10;

impl Compiler {
    pub(super) fn new(program: &Path, layout: Layout, limits: CompileLimits) -> Self {
        let running = Semaphore::new(limits.at_once.max(1));
        Self { program: program.to_owned(), layout, limits, running }
    }

    /// The artefact of `component`. Dropping the future kills the child.
    pub(super) async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, Failed> {
        let _turn = self.running.acquire().await;
        let child = self.spawn()?;
        let wall = Duration::from_millis(self.limits.wall_ms);
        match tokio::time::timeout(wall, talk(child, component, self.limits.output_bytes)).await {
            Ok(talked) => self.judge(talked?),
            // Its processor time has a limit of its own, so the machine is busy.
            Err(elapsed) => Err(Failed::Host { action: "finish in time", source: elapsed.into() }),
        }
    }

    fn spawn(&self) -> Result<Child, Failed> {
        Command::new(&self.program)
            .arg(VERB)
            .env_clear()
            .env(LAYOUT_VARIABLE, self.layout.name())
            .env(MEMORY_VARIABLE, self.limits.memory_bytes.to_string())
            .env(CPU_VARIABLE, self.limits.cpu_s.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Failed::Host { action: "be started", source })
    }

    fn judge(&self, talk: Talk) -> Result<Vec<u8>, Failed> {
        let Talk { status, artefact, message } = talk;
        if artefact.len() as u64 > self.limits.output_bytes {
            return Err(self.too_costly("artefact", Bytes(self.limits.output_bytes)));
        }
        if status.success() {
            return Ok(artefact);
        }
        let message = printable(message.trim_end(), 2_000);
        match (status.code(), status.signal()) {
            (Some(code), _) if code == i32::from(EXIT_REFUSED) => Err(Refused {
                reason: format!("it does not compile: {message}"),
                remedy: "build it for the target wasm32-wasip2 with a present toolchain".to_owned(),
            }
            .into()),
            (_, Some(SIGXCPU | SIGKILL)) => {
                Err(self.too_costly("processor time", Millis(self.limits.cpu_s * 1_000)))
            }
            (_, Some(SIGABRT)) if message.contains(OUT_OF_MEMORY_TEXT) => {
                Err(self.too_costly("memory", Bytes(self.limits.memory_bytes)))
            }
            (_, Some(signal)) => {
                tracing::error!(signal, %message, "the compiler crashed");
                Err(Refused {
                    reason: "it crashes the compiler".to_owned(),
                    remedy: "look for a function that is very large or deeply nested".to_owned(),
                }
                .into())
            }
            (_, None) => {
                tracing::error!(%status, %message, "the compiler failed");
                let source = std::io::Error::other(format!("it ended with {status}"));
                Err(Failed::Host { action: "do its work", source })
            }
        }
    }

    fn too_costly(&self, what: &str, limit: impl std::fmt::Display) -> Failed {
        Refused {
            reason: format!("compiling it takes more than the {what} limit of {limit}"),
            remedy: "make it smaller, or let the operator raise the limit".to_owned(),
        }
        .into()
    }
}

/// What Rust's standard library says before it gives up.
const OUT_OF_MEMORY_TEXT: &str = "memory allocation of";

const SIGABRT: i32 = rustix::process::Signal::ABORT.as_raw();
const SIGKILL: i32 = rustix::process::Signal::KILL.as_raw();
const SIGXCPU: i32 = rustix::process::Signal::XCPU.as_raw();

/// What the child answered.
struct Talk {
    status: ExitStatus,
    artefact: Vec<u8>,
    message: String,
}

async fn talk(mut child: Child, component: &[u8], output_bytes_max: u64) -> Result<Talk, Failed> {
    let mut input = child.stdin.take().expect("it was made with a pipe");
    let output = child.stdout.take().expect("it was made with a pipe");
    let messages = child.stderr.take().expect("it was made with a pipe");
    let give = async move {
        // A child that gives up early closes the pipe; its status says why.
        let _ = input.write_all(component).await;
        drop(input);
    };
    // One byte more than allowed shows that there is more.
    let artefact = read(output, output_bytes_max.saturating_add(1));
    let ((), artefact, message) = tokio::join!(give, artefact, read(messages, MESSAGE_BYTES_MAX));
    let failed = |source| Failed::Host { action: "be heard", source };
    let status = child.wait().await.map_err(failed)?;
    let message = String::from_utf8_lossy(&message.map_err(failed)?).into_owned();
    Ok(Talk { status, artefact: artefact.map_err(failed)?, message })
}

/// Reads to the end or `bytes_max`, whatever comes first, and closes the pipe.
async fn read(pipe: impl AsyncRead + Unpin, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(bytes_max).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// The child's side: limits itself, reads a component from standard input and
/// writes its artefact to standard output. For the hidden verb
/// `compile-component`.
pub fn compile_main() -> ExitCode {
    match compile_standard_input() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Component(error)) => {
            // What the compiler says about a component goes to its author.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::from(EXIT_REFUSED)
        }
        Err(Trouble::Host(message)) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// Whose fault it is that there is no artefact.
enum Trouble {
    Component(wasmtime::Error),
    Host(String),
}

fn compile_standard_input() -> Result<(), Trouble> {
    limit_this_process();
    let host =
        |what: &str, error: &dyn std::fmt::Display| Trouble::Host(format!("{what}: {error}"));
    let layout = std::env::var(LAYOUT_VARIABLE).ok().as_deref().and_then(Layout::from_name);
    let engine = engine::compiler(layout.unwrap_or(Layout::Pooled))
        .map_err(|error| host("the compiler's settings", &error))?;
    let mut component = Vec::new();
    std::io::stdin().read_to_end(&mut component).map_err(|error| host("standard input", &error))?;
    let artefact = engine.precompile_component(&component).map_err(Trouble::Component)?;
    let mut output = std::io::stdout().lock();
    output
        .write_all(&artefact)
        .and_then(|()| output.flush())
        .map_err(|error| host("standard output", &error))
}

/// Lowers what this process may use, as far as its environment says so. It is
/// not privileged, so it can't undo that.
fn limit_this_process() {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    for (resource, maximum) in [
        (Resource::As, number(MEMORY_VARIABLE)),
        (Resource::Cpu, number(CPU_VARIABLE)),
        (Resource::Core, Some(0)),
        (Resource::Nofile, Some(16)),
    ] {
        let Some(maximum) = maximum else { continue };
        let present = getrlimit(resource);
        let lower = |bound: Option<u64>| Some(bound.unwrap_or(u64::MAX).min(maximum));
        let limit = Rlimit { current: lower(present.current), maximum: lower(present.maximum) };
        // A limit that cannot be lowered is already lower.
        let _ = setrlimit(resource, limit);
    }
    // Compiling may wait; steps should not.
    let _ = rustix::process::nice(5);
}
