//! The demo's server: a process of its own on a directory of its own, that ends
//! with the demo unless it is left up.

use crate::cli::component;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// How long the server may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Lines of its log that are shown when something went wrong.
const LAST_LINES: usize = 20;

/// A server in another process. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub(super) struct Child(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    process: Mutex<Option<Running>>,
    id: u32,
    server: OnceLock<String>,
}

struct Running {
    process: process::Child,
    stdin: ChildStdin,
}

impl Child {
    /// Starts it.
    pub(super) fn start() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("segno-demo-").tempdir();
        // It is removed when the server has stopped, and not with a variable.
        let directory = directory.context("cannot make a temporary directory")?.keep();
        let log = File::create(directory.join("server.log")).context("cannot make a log")?;
        let program = std::env::current_exe().context("cannot find this program's file")?;
        let mut process = Command::new(program)
            .args(arguments(&directory))
            .arg("--stop-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for the demo, which then stops it in good order.
            .process_group(0)
            .spawn()
            .context("cannot start the server")?;
        let stdin = process.stdin.take().expect("its input was asked for");
        let id = process.id();
        let process = Mutex::new(Some(Running { process, stdin }));
        Ok(Self(Arc::new(Inner { directory, process, id, server: OnceLock::new() })))
    }

    /// The command line, as a user would type it.
    pub(super) fn command(&self) -> Vec<String> {
        arguments(&self.0.directory).to_vec()
    }

    /// Waits until it listens, and gives its address.
    pub(super) fn ready(&self) -> Result<String> {
        let stdout = match self.lock().as_mut() {
            Some(running) => running.process.stdout.take().expect("its output was asked for"),
            None => bail!("the demo was interrupted"),
        };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody waits any more after the time-out.
            let _ = sender.send(read.map(|_| line));
        });
        let Ok(line) = receiver.recv_timeout(START_TIMEOUT) else {
            bail!("the server does not start within {} s", START_TIMEOUT.as_secs());
        };
        let line = line.context("the server cannot be heard")?;
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(address) = ready["listening"].as_str() else {
            bail!("the server did not start; its last words say why");
        };
        Ok(self.0.server.get_or_init(|| format!("http://{address}")).clone())
    }

    /// Where it listens.
    pub(super) fn server(&self) -> &str {
        self.0.server.get().map_or("", String::as_str)
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.0.id
    }

    /// Where its data and its log are.
    pub(super) fn directory(&self) -> String {
        component::shortest(&self.0.directory)
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(self.0.directory.join("server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LAST_LINES)..];
        match tail.is_empty() {
            true => "the server's log is empty".to_owned(),
            false => format!("the end of the server's log:\n{}", tail.join("\n")),
        }
    }

    /// Stops it in good order and removes what it has kept. Says whether it was
    /// this call that did so; whoever comes second waits for the first.
    pub(super) fn stop(&self) -> bool {
        let mut running = self.lock();
        let Some(Running { mut process, stdin }) = running.take() else {
            return false;
        };
        // The server ends with its standard input.
        drop(stdin);
        let (sender, receiver) = mpsc::channel();
        let id = process.id();
        thread::spawn(move || sender.send(process.wait()));
        if receiver.recv_timeout(STOP_TIMEOUT).is_err() {
            let id = rustix::process::Pid::from_raw(id.cast_signed());
            if let Some(id) = id {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            }
            let _ = receiver.recv_timeout(STOP_TIMEOUT);
        }
        // What cannot be removed is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.0.directory);
        true
    }

    /// Leaves it up after this process.
    pub(super) fn leave(&self) -> Result<()> {
        match self.lock().take() {
            Some(Running { mut stdin, .. }) => {
                stdin.write_all(b"stay").context("the server has stopped by itself")
            }
            None => bail!("the demo was interrupted"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn arguments(directory: &Path) -> [String; 7] {
    let data_dir = directory.join("data").display().to_string();
    ["server", "--data-dir", &data_dir, "--listen", "127.0.0.1:0", "--log", "text"]
        .map(str::to_owned)
}
