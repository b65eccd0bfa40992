//! What is left after the power is cut, and after the process is killed.
//!
//! The rule is the same for both: a prefix of the commits in their order, each
//! of them whole, with every one in it that a ticket had called durable.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use proptest::prelude::*;

use super::super::{Error, Key, Memory, Store, Ticket, Write};
use super::{OnDisk, Place, block_on, commit, noise, put, run, settle, tenant};
use segno_engine::id::TenantId;

/// Commit number `n`: two rows far apart, now and then a large one.
fn numbered(owner: &TenantId, n: u64) -> Vec<Write> {
    let bytes = if n.is_multiple_of(7) { 20_000 } else { 100 };
    vec![
        Write::event(owner, run(1), n, noise(bytes)),
        Write::event(owner, run(2), n, n.to_be_bytes().into()),
    ]
}

/// How many numbered commits are there. Fails unless they are whole, the first
/// ones, and at least `acknowledged`.
fn check_prefix(store: &Store, owner: &TenantId, acknowledged: u64) -> u64 {
    let mut found = 0;
    loop {
        let large = store.events(owner, run(1), found, 100).unwrap();
        let small = store.events(owner, run(2), found, large.len().max(1)).unwrap();
        assert_eq!(large.len(), small.len(), "a commit is there in part");
        for ((one, value), (other, _)) in large.iter().zip(&small) {
            assert_eq!((*one, *other), (found, found), "a commit is missing");
            let bytes = if found.is_multiple_of(7) { 20_000 } else { 100 };
            assert!(*value == noise(bytes), "commit {found} has another value");
            found += 1;
        }
        if large.is_empty() {
            assert!(found >= acknowledged, "{acknowledged} were durable, {found} are left");
            return found;
        }
    }
}

#[test]
fn what_is_only_ordered_may_be_lost_or_kept() {
    for kept in [0, 1] {
        let memory = Memory::new();
        let store = Store::on(memory.clone()).unwrap();
        let owner = tenant("a");
        commit(&store, numbered(&owner, 0));
        memory.hold();
        let lost = store.commit(numbered(&owner, 1));
        wait_until_applied(&store, &Key::event(&owner, run(1), 1));
        assert!(!lost.is_durable());
        let found = memory.crash(kept);
        let error = block_on(lost.durable()).unwrap_err();
        assert_eq!(error.to_string(), "the store is unavailable: the power was cut");
        let restarted = Store::on(found).unwrap();
        assert_eq!(check_prefix(&restarted, &owner, 1), 1 + kept as u64);
    }
}

#[test]
fn a_held_sync_goes_on_when_released() {
    let memory = Memory::new();
    let store = Store::on(memory.clone()).unwrap();
    memory.hold();
    let ticket = store.commit(numbered(&tenant("a"), 0));
    wait_until_applied(&store, &Key::event(&tenant("a"), run(1), 0));
    assert!(!store.barrier().is_durable(), "a reader of this row has to wait");
    memory.release();
    settle(&ticket);
}

#[test]
fn the_first_failure_is_the_end() {
    let memory = Memory::new();
    let store = Store::on(memory.clone()).unwrap();
    let owner = tenant("a");
    memory.cut_at_sync(3);
    commit(&store, numbered(&owner, 0));
    commit(&store, numbered(&owner, 1));
    let early = store.barrier();
    let third = store.commit(numbered(&owner, 2));
    let cut = Error::Unavailable { reason: "the power was cut".into() };
    assert_eq!(block_on(third.durable()), Err(cut.clone()));
    assert_eq!(block_on(store.failed()), cut);
    let fourth = store.commit(numbered(&owner, 3));
    assert_eq!(block_on(fourth.durable()), Err(cut.clone()));
    let seen = store.barrier();
    assert_eq!(block_on(seen.durable()), Err(cut.clone()), "the third can be read");
    settle(&early);
    assert_eq!(store.get(&Key::event(&owner, run(1), 3)), Ok(None), "nothing more is written");
    assert_eq!(store.close(), Err(cut));
    let restarted = Store::on(memory.crash(0)).unwrap();
    assert_eq!(check_prefix(&restarted, &owner, 2), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_power_cut_leaves_a_prefix(commits in 1..60_u64, cut in 1..20_u64, kept in 0..3_usize) {
        let memory = Memory::new();
        let store = Store::on(memory.clone()).unwrap();
        let owner = tenant("a");
        memory.cut_at_sync(cut);
        let tickets: Vec<Ticket> = (0..commits)
            .map(|n| store.commit(numbered(&owner, n)))
            .collect();
        let durable = |ticket: &Ticket| block_on(ticket.durable()).is_ok();
        let acknowledged = tickets.iter().filter(|ticket| durable(ticket)).count();
        prop_assert!(tickets[..acknowledged].iter().all(Ticket::is_durable));
        let restarted = Store::on(memory.crash(kept)).unwrap();
        check_prefix(&restarted, &owner, acknowledged as u64);
    }
}

/// Names the directory for the process that is to be killed.
const CHILD_DIRECTORY: &str = "SEGNO_STORE_CRASH_DIRECTORY";
const CHILD_TEST: &str = "child_commits_until_it_is_killed";

#[test]
fn a_killed_process_leaves_a_prefix() {
    let place = OnDisk::new();
    let owner = tenant("a");
    let mut left = 0;
    for round in 1..=5 {
        let mut child = spawn_child(place.0.path());
        let stdout = child.stdout.take().unwrap();
        let mut acknowledged = left;
        let mut answers = 0;
        for line in BufReader::new(stdout).lines() {
            // The test harness writes lines of its own.
            let Some(n) = line.unwrap().strip_prefix("durable ").map(str::parse::<u64>) else {
                continue;
            };
            acknowledged = acknowledged.max(n.unwrap() + 1);
            answers += 1;
            if answers == 40 * round {
                // SIGKILL. What it had answered before is still read.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged > left);
        left = check_prefix(&place.open(), &owner, acknowledged);
    }
}

/// Not a test of its own: what `a_killed_process_leaves_a_prefix` kills.
#[test]
fn child_commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD_DIRECTORY) else {
        return;
    };
    let store = Store::open(Path::new(&path), Default::default()).unwrap();
    let owner = tenant("a");
    let next = Mutex::new(check_prefix(&store, &owner, 0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let (n, ticket) = commit_next(&store, &owner, &next);
                    settle(&ticket);
                    // One call, so that a line is never torn by the other threads.
                    let answer = format!("durable {n}\n");
                    std::io::stdout().write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
}

fn commit_next(store: &Store, owner: &TenantId, next: &Mutex<u64>) -> (u64, Ticket) {
    let mut next = next.lock().unwrap();
    let n = *next;
    *next += 1;
    (n, store.commit(numbered(owner, n)))
}

fn spawn_child(path: &Path) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args([&format!("{module}::{CHILD_TEST}"), "--exact", "--nocapture"])
        .env(CHILD_DIRECTORY, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_until_applied(store: &Store, key: &Key) {
    while store.get(key).unwrap().is_none() {
        std::thread::yield_now();
    }
}

#[test]
fn a_group_that_panics_fails_everyone() {
    let store = Store::on(Panics).unwrap();
    let ticket = store.commit(vec![put(Key::run(&tenant("a"), run(1)), "x")]);
    let error = block_on(ticket.durable()).unwrap_err();
    assert_eq!(error.to_string(), "the store is unavailable: the storage engine panicked");
    assert_eq!(block_on(store.failed()), error);
}

struct Panics;

impl super::super::Backend for Panics {
    fn apply(&self, _: &[Write]) -> Result<(), Error> {
        panic!("on purpose");
    }
    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
    fn get(&self, _: &Key) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }
    fn scan(&self, _: &super::super::Scan) -> Result<Vec<(Key, Vec<u8>)>, Error> {
        Ok(Vec::new())
    }
    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
