//! A server that dies where it is told to, and the client that lives on: it
//! starts the server again on the same directory and asks again, as a client
//! does whose request was not answered.

use crate::durable::service::Service;
use crate::guests::SEGNO;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes that these tests wait for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a client waits before it looks again.
const PAUSE: Duration = Duration::from_millis(10);

/// A point that the program passes, and for which time: `group written#3`.
pub type Place = String;

/// Where lives end, one after the other, and how many milliseconds a life goes
/// on elsewhere once it has come to its place.
pub type Ends<'a> = (&'a [Place], u64);

/// What a client hears.
type Sent = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

/// The server and its client.
pub struct Mortal {
    /// None between two lives.
    child: Option<Child>,
    url: String,
    data: TempDir,
    options: Vec<String>,
    /// Where this life ends, if it does.
    place: Option<Place>,
    /// Where the next lives end, the last first.
    places: Vec<Place>,
    /// For how long a life goes on elsewhere once it has come to its place.
    late_ms: u64,
    deaths: Vec<Place>,
}

impl Mortal {
    /// A server on a copy of what `seed` left, or on an empty directory, that
    /// dies at each of these places in turn, if it comes there.
    pub fn start(seed: Option<&TempDir>, options: &[&str], (places, late_ms): Ends) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        if let Some(seed) = seed {
            copy(&seed.path().join("store"), &data.path().join("store"));
        }
        let mut mortal = Self {
            child: None,
            url: String::new(),
            data,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            place: None,
            places: places.iter().rev().cloned().collect(),
            late_ms,
            deaths: Vec::new(),
        };
        mortal.live();
        mortal
    }

    /// Kills it. What is left is a seed for others.
    pub fn end(mut self) -> TempDir {
        self.kill();
        let empty = tempfile::tempdir().expect("a temporary directory");
        std::mem::replace(&mut self.data, empty)
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it has died, in order.
    pub fn deaths(&self) -> &[Place] {
        &self.deaths
    }

    /// All points that its lives have passed.
    pub fn passed(&self) -> Vec<Place> {
        let passed = fs::read_to_string(self.data.path().join("passed"));
        passed.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// What a GET of this path below the tenant answers.
    pub fn get(&mut self, path: &str) -> Value {
        let (status, answer) = self.ask(&format!("/v1/tenants/default/{path}"), None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// All events of a run that is over.
    pub fn events(&mut self, run: &str) -> Vec<Value> {
        let stream = self.get(&format!("runs/{run}/events"));
        let lines = stream.as_str().expect("a stream is no JSON").lines();
        let events = lines.filter_map(|line| line.strip_prefix("data:"));
        events.map(|event| serde_json::from_str(event.trim()).expect("events are JSON")).collect()
    }

    /// The entries of a list that has one page.
    pub fn list(&mut self, path: &str) -> Vec<Value> {
        let page = self.get(path);
        assert!(page.get("next").is_none(), "{path} has more");
        page["items"].as_array().expect("a list").clone()
    }

    /// What the steps of a run have logged, in order.
    pub fn log(&mut self, run: &str) -> Vec<String> {
        let lines = self.list(&format!("runs/{run}/logs?limit=1000")).into_iter();
        lines.map(|line| line["message"].as_str().expect("a text").to_owned()).collect()
    }

    /// What a POST to this path below the tenant answers, under one key.
    pub fn post(&mut self, path: &str, key: &str, body: &Value) -> Value {
        let path = format!("/v1/tenants/default/{path}");
        let (status, answer) = self.ask(&path, Some((body, key)));
        assert!(matches!(status, 200 | 201), "{path}: {answer}");
        answer
    }

    /// What a request is answered at last: a GET, or a POST with a body and a
    /// key.
    pub fn ask(&mut self, path: &str, post: Option<(&Value, &str)>) -> (u16, Value) {
        self.answer(path, |url| match post {
            Some((body, key)) => agent().post(url).header("Idempotency-Key", key).send_json(body),
            None => agent().get(url).call(),
        })
    }

    /// What a webhook's request is answered at last.
    pub fn deliver(
        &mut self,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> (u16, Value) {
        self.answer(path, |url| {
            let request = agent().post(url);
            let request =
                headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            request.send(body)
        })
    }

    /// Sends a request until it is answered.
    fn answer(&mut self, path: &str, send: impl Fn(&str) -> Sent) -> (u16, Value) {
        loop {
            let read = |mut answer: ureq::http::Response<ureq::Body>| {
                Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
            };
            match send(&format!("{}{path}", self.url)).and_then(read) {
                Ok((status, text)) => {
                    let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
                    return (status, answer);
                }
                Err(error) => self.revive(&error),
            }
        }
    }

    /// The run, once it is as wanted. It looks again and again: a request that
    /// waits would keep the run in memory.
    pub fn until(
        &mut self,
        service: &Service,
        run: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        self.until_at(service, &format!("runs/{run}"), wanted)
    }

    /// What a GET of this path below the tenant answers, once that is as wanted.
    pub fn until_at(
        &mut self,
        service: &Service,
        path: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = Instant::now();
        loop {
            let view = self.get(path);
            if wanted(&view) {
                return view;
            }
            assert!(start.elapsed() < PATIENCE, "died at {:?}, and now {view}", self.deaths);
            service.listen(PAUSE);
        }
    }

    /// Lets the server live until it dies or is ready.
    fn live(&mut self) {
        loop {
            self.place = self.places.pop();
            let mut child = self.spawn();
            let stdout = child.stdout.take().expect("it was piped");
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).expect("the server can be read");
            if line.is_empty() {
                self.bury(child, "it was not ready");
                continue;
            }
            let ready: Value = serde_json::from_str(&line).expect("the line is JSON");
            let address = ready["listening"].as_str().expect("an address");
            (self.child, self.url) = (Some(child), format!("http://{address}"));
            return;
        }
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(SEGNO);
        command
            .args(["server", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.data.path().join("store"))
            .args(&self.options)
            .env("SEGNO_LOG", "warn")
            .env("SEGNO_CRASH_COUNT", self.data.path().join("passed"))
            .env_remove("SEGNO_CRASH_AT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(place) = &self.place {
            command.env("SEGNO_CRASH_AT", place);
            command.env("SEGNO_CRASH_LATE_MS", self.late_ms.to_string());
        }
        command.spawn().expect("the server can be started")
    }

    /// The server does not answer: it has died, or else it has failed.
    fn revive(&mut self, error: &ureq::Error) {
        let is_late = matches!(error, ureq::Error::Timeout(_));
        assert!(!is_late, "the server hangs; it has died at {:?}", self.deaths);
        let child = self.child.take().expect("it was alive");
        self.bury(child, &error.to_string());
        self.live();
    }

    fn bury(&mut self, mut child: Child, why: &str) {
        let ended = child.wait().expect("the server has ended");
        assert_eq!(ended.signal(), Some(9), "it was to be killed, but {ended}: {why}");
        self.deaths.push(self.place.take().expect("it was told where to die"));
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.kill();
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(PATIENCE)).build().new_agent()
}

/// Copies a directory with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("the directory can be made");
    for entry in fs::read_dir(from).expect("it is a directory") {
        let entry = entry.expect("it can be listed");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("files can be copied");
        }
    }
}
