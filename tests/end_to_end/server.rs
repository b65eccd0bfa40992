//! A server of its own for each test: a child process on a port of its choice,
//! with a data directory that goes away with it.

use crate::guests::{SEGNO, component, examples};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A running server.
pub struct Server {
    child: Child,
    data: TempDir,
    options: Vec<String>,
    /// Whether it writes down which points it passes.
    counts: bool,
    pub url: String,
}

impl Server {
    /// A server on an empty directory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One with more options on its command line.
    pub fn start_with(options: &[&str]) -> Self {
        Self::started(options, false)
    }

    /// The same, and it writes down which points it passes.
    pub fn start_counting(options: &[&str]) -> Self {
        Self::started(options, true)
    }

    fn started(options: &[&str], counts: bool) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self::on(tempfile::tempdir().expect("a temporary directory"), options, counts)
    }

    fn on(data: TempDir, options: Vec<String>, counts: bool) -> Self {
        let (child, url) = spawn(data.path(), &options, counts);
        Self { child, data, options, counts, url }
    }

    /// Another process on the same directory.
    fn restart(mut self) -> Self {
        let data = std::mem::replace(&mut self.data, tempfile::tempdir().expect("a directory"));
        Self::on(data, std::mem::take(&mut self.options), self.counts)
    }

    /// Kills the process as a power cut would, and starts another on the same
    /// directory.
    pub fn kill_and_restart(mut self) -> Self {
        self.child.kill().expect("the server is running");
        self.child.wait().expect("the server has ended");
        self.restart()
    }

    /// Tells the process to stop, does something while it is stopping, and
    /// starts another on the same directory once it has ended well.
    pub fn stop_and_restart(mut self, meanwhile: impl FnOnce(&Self)) -> Self {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("the server is running");
        meanwhile(&self);
        assert!(self.child.wait().expect("the server ends").success());
        self.restart()
    }

    /// The points that its processes have passed, each with for which time, as
    /// in `run leaves memory#1`.
    pub fn passed(&self) -> Vec<String> {
        let passed = std::fs::read_to_string(self.data.path().join(PASSED)).unwrap_or_default();
        passed.lines().map(str::to_owned).collect()
    }

    /// Where its data is.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// What a command line prints at this server.
    pub fn segno(&self, words: &[&str]) -> Output {
        segno(&[&["--server", self.url.as_str()], words].concat())
    }

    /// What a command line that must succeed prints as JSON.
    pub fn json(&self, words: &[&str]) -> Value {
        let output = self.segno(&[words, &["-o", "json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("-o json prints JSON")
    }

    /// Pushes one of the examples.
    pub fn push(&self, example: &str, name: &str) {
        let file = component(example);
        self.json(&["component", "push", &file.to_string_lossy(), name]);
    }

    /// Pushes one of the examples under its own name, and its workflow.
    pub fn push_with_workflow(&self, example: &str) {
        self.push(example, &format!("{example}@1.0.0"));
        let file = examples().join(example).join("workflow.yaml");
        self.json(&["workflow", "apply", &file.to_string_lossy()]);
    }

    /// Pushes a definition.
    pub fn apply(&self, definition: &str) -> Value {
        let file = self.data.path().join("definition.yaml");
        std::fs::write(&file, definition).expect("the directory is writable");
        self.json(&["workflow", "apply", &file.to_string_lossy()])
    }

    /// What a GET of this path below the tenant answers.
    pub fn get(&self, path: &str) -> Value {
        let url = format!("{}/v1/tenants/default/{path}", self.url);
        let mut answer = ureq::get(&url).call().expect("the server answers");
        answer.body_mut().read_json().expect("answers are JSON")
    }

    /// Starts a run over HTTP and returns its identifier.
    pub fn start_run(&self, workflow: &str, params: Value) -> String {
        let url = format!("{}/v1/tenants/default/runs", self.url);
        let body = serde_json::json!({ "workflow": workflow, "params": params });
        let mut answer = ureq::post(&url).send_json(body).expect("the server answers");
        let run: Value = answer.body_mut().read_json().expect("answers are JSON");
        run["run"].as_str().expect("a run has an identifier").to_owned()
    }

    /// What a POST of `body` to this path below the tenant answers.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/tenants/default/{path}", self.url);
        let mut answer = ureq::post(&url).send_json(body).expect("the server answers");
        answer.body_mut().read_json().expect("answers are JSON")
    }

    /// The first event of the run that is `wanted`, once there is one.
    pub fn event(&self, run: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.events(run).find(|event| wanted(event));
        found.expect("the run has such an event before it ends")
    }

    /// The events of the run, as they happen, until it is over.
    pub fn events(&self, run: &str) -> impl Iterator<Item = Value> + use<> {
        let url = format!("{}/v1/tenants/default/runs/{run}/events", self.url);
        let patient = ureq::get(&url).config().timeout_global(Some(PATIENCE)).build();
        let answer = patient.call().expect("the server answers");
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        let lines = lines.map(|line| line.expect("the stream goes on to the end of the run"));
        lines.filter_map(|line| {
            let data = line.strip_prefix("data:")?;
            Some(serde_json::from_str(data.trim()).expect("events are JSON"))
        })
    }

    /// The run, once it is over.
    ///
    /// One that is never over is a failure of the test, not of whoever runs it.
    pub fn end_of(&self, run: &str) -> Value {
        let asked = || self.get(&format!("runs/{run}?wait=30"));
        let mut views = std::iter::repeat_with(asked).take(ROUNDS_MAX);
        let ended = views.find(|run| run.get("ended_at").is_some());
        ended.unwrap_or_else(|| panic!("{run} is not over: {}", asked()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command line prints.
pub fn segno(words: &[&str]) -> Output {
    let mut command = Command::new(SEGNO);
    command.args(words).env_remove("SEGNO_SERVER").env_remove("SEGNO_TENANT");
    command.stdin(Stdio::null()).output().expect("the program can be started")
}

/// Bytes that a program printed, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How often the end of a run is waited for, half a minute each.
const ROUNDS_MAX: usize = 20;

/// How long the events of a run are waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where the points are counted that a process passes, if that is asked for.
const PASSED: &str = "passed";

fn spawn(data: &Path, options: &[String], counts: bool) -> (Child, String) {
    let mut command = Command::new(SEGNO);
    if counts {
        command.env("SEGNO_CRASH_COUNT", data.join(PASSED));
    }
    let mut child = command
        .args(["server", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data.join("store"))
        .args(options)
        .env("SEGNO_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server can be started");
    let stdout = child.stdout.take().expect("it was piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
    let ready: Value = serde_json::from_str(&line)
        .unwrap_or_else(|_| panic!("the server did not become ready: {line:?}"));
    let address = ready["listening"].as_str().expect("an address");
    (child, format!("http://{address}"))
}
