//! Looks for anything outside the step: files, the environment, the network,
//! processes. In a sandbox every look comes back with nothing.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::Command;
use std::{env, fs, thread};

/// A way out: what it is called, and what was found behind it, if anything.
type Way = (&'static str, fn() -> Option<String>);

/// Everything that std knows a way to.
const WAYS: [Way; 14] = [
    ("the folder /", || folder("/")),
    ("the present folder", || folder(".")),
    ("the file /etc/passwd", || fs::read_to_string("/etc/passwd").ok()),
    ("the file /proc/self/environ", || fs::read_to_string("/proc/self/environ").ok()),
    ("a new file in /", || done(fs::write("/segno-hostile", "x"))),
    ("a new file here", || done(fs::write("segno-hostile", "x"))),
    ("the environment", || Some(text(env::vars_os().next()?.0))),
    ("the arguments", || env::args_os().next().map(text)),
    ("standard input", standard_input),
    ("a name lookup", || Some(format!("{:?}", "localhost:80".to_socket_addrs().ok()?.next()?))),
    ("a TCP connection", || done(TcpStream::connect("127.0.0.1:80"))),
    ("a TCP listener", || done(TcpListener::bind("127.0.0.1:0"))),
    ("a UDP socket", || done(UdpSocket::bind("127.0.0.1:0"))),
    ("a process or a thread", process_or_thread),
];

/// What could be reached, which must be nothing.
pub(crate) fn reached() -> Vec<String> {
    let found = WAYS.iter().filter_map(|(name, look)| Some(format!("{name}: {}", look()?)));
    found.collect()
}

fn folder(path: &str) -> Option<String> {
    let entries = fs::read_dir(path).ok()?;
    let names = entries.filter_map(|entry| Some(text(entry.ok()?.file_name())));
    Some(names.collect::<Vec<_>>().join(" "))
}

fn standard_input() -> Option<String> {
    let mut first = [0];
    let read = io::stdin().read(&mut first).ok()?;
    (read > 0).then(|| format!("{first:?}"))
}

fn process_or_thread() -> Option<String> {
    let process = done(Command::new("true").status());
    process.or_else(|| done(thread::Builder::new().spawn(|| ())))
}

fn done<T>(result: io::Result<T>) -> Option<String> {
    result.ok().map(|_| "done".to_owned())
}

fn text(found: impl AsRef<OsStr>) -> String {
    found.as_ref().to_string_lossy().into_owned()
}
