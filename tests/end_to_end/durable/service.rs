//! A service that steps call: it answers every POST with JSON, remembers what
//! it was asked, and does a thing once for each `Idempotency-Key`, as a service
//! should that takes money. It can be told to fail and to keep silent.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Longer than any test lasts: whoever waits so long waits for nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its `Authorization`; empty if there is none.
    pub authorization: String,
    pub body: Value,
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// What was done, by key: the answer, which is given again.
    done: BTreeMap<String, Value>,
    /// What a path fails with.
    failing: BTreeMap<String, u16>,
    /// Paths that keep silent.
    silent: BTreeSet<String>,
    is_over: bool,
}

impl Service {
    /// A service on a port of its own.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::<Shared>::default();
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.lock().is_over {
                    return;
                }
                let (stream, state) = (stream.expect("it listens"), Arc::clone(&state));
                // A host that was killed leaves a request unfinished.
                thread::spawn(move || state.serve(stream).unwrap_or_default());
            }
        });
        Self { address, shared }
    }

    /// Its URL, without a slash at the end; as an origin it is what an operator
    /// allows.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets a path fail with this status from now on.
    pub fn fail(&self, path: &str, status: u16) {
        self.shared.lock().failing.insert(path.to_owned(), status);
    }

    /// Lets a path succeed again.
    pub fn heal(&self, path: &str) {
        self.shared.lock().failing.remove(path);
    }

    /// Lets a path keep silent until `speak`. What it is asked counts at once.
    pub fn keep_silent(&self, path: &str) {
        self.shared.lock().silent.insert(path.to_owned());
    }

    /// Lets all paths answer.
    pub fn speak(&self) {
        self.shared.lock().silent.clear();
        self.shared.changed.notify_all();
    }

    /// What it was asked, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// The paths that it was asked for, in order.
    pub fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// The keys of the requests to a path, in order.
    pub fn keys(&self, path: &str) -> Vec<String> {
        let requests = self.requests().into_iter().filter(|request| request.path == path);
        requests.map(|request| request.key).collect()
    }

    /// How many things it did.
    pub fn done(&self) -> usize {
        self.shared.lock().done.len()
    }

    /// Returns when it is asked for something, or after so long.
    pub fn listen(&self, at_most: Duration) {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout(state, at_most);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns the requests to a path once there are so many.
    pub(super) fn wait_for(&self, path: &str, count: usize) -> Vec<Request> {
        let of_path = |state: &State| -> Vec<Request> {
            state.requests.iter().filter(|request| request.path == path).cloned().collect()
        };
        self.wait_until(|state| of_path(state).len() >= count);
        of_path(&self.shared.lock())
    }

    /// Returns once it did so many things.
    pub(super) fn wait_until_done(&self, count: usize) {
        self.wait_until(|state| state.done.len() >= count);
    }

    fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        let state = self.shared.lock();
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !holds(state))
            .unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = state.requests.iter().map(|request| &request.path).collect();
        assert!(!waited.timed_out(), "it was asked for no more than {all:?}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        // The listener looks once more, and goes.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let request = read(&stream)?;
        let (status, answer) = self.answer(request);
        let text = answer.to_string();
        let length = text.len();
        write!(
            stream,
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{text}"
        )
    }

    fn answer(&self, request: Request) -> (u16, Value) {
        let Request { path, key, authorization, .. } = request.clone();
        let mut state = self.lock();
        state.requests.push(request);
        self.changed.notify_all();
        let is_silent = |state: &mut State| state.silent.contains(&path) && !state.is_over;
        state = self.changed.wait_while(state, is_silent).unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = state.failing.get(&path) {
            return (*status, json!({ "error": format!("{path} is out of order") }));
        }
        let number = state.done.len() + 1;
        let fresh = || json!({ "path": path, "number": number, "heard": authorization });
        let answer = state.done.entry(key).or_insert_with(fresh).clone();
        self.changed.notify_all();
        (200, answer)
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // A host that is killed may leave half a request, which is none.
    let mut next = |line: &mut String| {
        line.clear();
        match reader.read_line(line)? {
            0 => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
            _ => Ok(()),
        }
    };
    next(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        next(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (key, authorization) = (header("idempotency-key"), header("authorization"));
    Ok(Request { path, key, authorization, body })
}
