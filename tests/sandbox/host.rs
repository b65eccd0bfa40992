//! A sandbox for tests, with the real compiler and a directory of its own.

use segno_engine::payload::Payload;
use segno_host::sandbox::{
    CompileLimits, Component, Config, Context, Error, Limits, Outcome, Report, Sandbox, Task, Watch,
};
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A sandbox whose files go when it does.
pub(crate) struct TestSandbox {
    pub(crate) sandbox: Sandbox,
    pub(crate) directory: PathBuf,
}

impl TestSandbox {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = new_directory();
        let mut config = config(&directory);
        change(&mut config);
        Self { sandbox: Sandbox::new(config).expect("the sandbox is set up"), directory }
    }

    pub(crate) async fn component(&self, bytes: &[u8]) -> Component {
        self.try_component(bytes).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn try_component(&self, bytes: &[u8]) -> Result<Component, Error> {
        let load = || async { Ok::<_, Infallible>(bytes.to_vec()) };
        self.sandbox.component(&digest(bytes), load).await
    }

    /// Runs `bytes` once under `limits` with this input.
    pub(crate) async fn run(&self, bytes: &[u8], input: &str, limits: Limits) -> Report {
        let component = self.component(bytes).await;
        self.sandbox.run(task(component, input, limits), &Watch::new()).await
    }
}

impl Drop for TestSandbox {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn config(directory: &Path) -> Config {
    Config {
        compiler: env!("CARGO_BIN_EXE_segno").into(),
        // Compilers of other tests may keep the machine busy.
        compile: CompileLimits { wall_ms: 1_800_000, ..CompileLimits::default() },
        slots: 16,
        ..Config::new(directory.join("artefacts"))
    }
}

/// A directory that no other test has.
pub(crate) fn new_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("sandbox-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("tests may write to their target directory");
    directory
}

pub(crate) fn task(component: Component, input: &str, limits: Limits) -> Task {
    let context = Context { run: "run_1".to_owned(), step: "test".to_owned(), attempt: 1 };
    let input = Payload::parse(input).expect("the test's input is JSON");
    let clock = Arc::new(|| 1_700_000_000_000);
    let seed = [7; 32];
    Task {
        component,
        context,
        input,
        limits,
        seed,
        clock,
        journal: Vec::new(),
        first_sequence: 0,
        durable: None,
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// The output's text.
#[track_caller]
pub(crate) fn output(report: &Report) -> &str {
    match &report.outcome {
        Outcome::Succeeded { output } => output.text(),
        other => panic!("{other:?}"),
    }
}

/// The failure's reason and message.
#[track_caller]
pub(crate) fn failure(report: &Report) -> (&str, &str) {
    match &report.outcome {
        Outcome::Failed { failure, .. } => (&failure.reason, &failure.message),
        other => panic!("{other:?}"),
    }
}

/// The log's messages.
pub(crate) fn messages(report: &Report) -> Vec<&str> {
    report.log.iter().map(|line| &*line.message).collect()
}
