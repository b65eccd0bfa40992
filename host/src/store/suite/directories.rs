//! The data directory: who may open it, what is refused, what sled leaves in it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::super::sled::Sled;
use super::super::{Error, Key, Options, Store, Write};
use super::{OnDisk, Place, block_on, commit, noise, put, run, settle, tenant};

fn open(path: &Path) -> Result<Store, Error> {
    Store::open(path, Options::default())
}

fn refusal(path: &Path) -> String {
    open(path).expect_err("it must not open").to_string()
}

/// A directory that was used and closed in good order.
fn used() -> (TempDir, Key) {
    let dir = TempDir::new().unwrap();
    let key = Key::run(&tenant("a"), run(1));
    commit(&open(dir.path()).unwrap(), vec![put(key.clone(), noise(200_000))]);
    (dir, key)
}

#[test]
fn a_new_directory_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data");
    drop(open(&path).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    drop(open(&path).unwrap());
}

#[test]
fn a_directory_in_use_is_refused_with_the_process() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path()).unwrap();
    assert_eq!(
        refusal(dir.path()),
        format!(
            "data directory {} is in use by process {}; stop it or choose another --data-dir",
            dir.path().display(),
            std::process::id()
        )
    );
    commit(&first, vec![put(Key::run(&tenant("a"), run(1)), "x")]);
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn a_ticket_does_not_keep_the_directory() {
    let dir = TempDir::new().unwrap();
    for _ in 0..20 {
        let store = open(dir.path()).unwrap();
        let ticket = store.commit(vec![put(Key::run(&tenant("a"), run(1)), noise(50_000))]);
        drop(store);
        open(dir.path()).unwrap();
        settle(&ticket);
    }
}

#[test]
fn a_place_that_is_no_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    assert!(refusal(&file).contains("it is not a directory; choose another"));
    assert!(refusal(&file.join("data")).contains("it is not a directory"));
    let lost = dir.path().join("no/data");
    assert!(refusal(&lost).contains("its parent directory does not exist; create that first"));
    assert!(!dir.path().join("no").exists());
}

#[test]
fn a_read_only_place_is_refused() {
    // Not even root may make a file here.
    let refused = refusal(Path::new("/sys"));
    assert!(refused.contains("data directory /sys cannot be used: it cannot be written to"));
    let refused = refusal(Path::new("/sys/data"));
    assert!(refused.contains("data directory /sys/data cannot be used: it cannot be written to"));
}

#[test]
fn a_later_format_is_refused_before_anything_is_touched() {
    let (dir, key) = used();
    let mark = dir.path().join("segno.json");
    let before = fs::read_to_string(&mark).unwrap();
    fs::write(&mark, before.replace("\"format\":1", "\"format\":2")).unwrap();
    let rows = fs::read(dir.path().join("sled/db")).unwrap();
    let found = open(dir.path()).unwrap_err();
    assert!(matches!(found, Error::Newer { found: 2, known: 1, .. }), "{found}");
    assert!(fs::read(dir.path().join("sled/db")).unwrap() == rows);
    fs::write(&mark, before).unwrap();
    assert!(open(dir.path()).unwrap().get(&key).unwrap().is_some());
}

#[test]
fn hosts_that_were_killed_while_they_opened_leave_no_damage() {
    let (dir, key) = used();
    let file = dir.path().join("segno.json");
    let mark = fs::read_to_string(&file).unwrap();
    for _ in 0..3 {
        drop(open(dir.path()).unwrap());
        // Killed between the row of the mark and its file.
        fs::write(&file, &mark).unwrap();
    }
    assert!(open(dir.path()).unwrap().get(&key).unwrap().is_some());
}

#[test]
fn damage_is_named_and_not_papered_over() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 7] = [
        ("no rows", |dir| fs::remove_dir_all(dir.join("sled")).unwrap()),
        ("no file", |dir| fs::remove_file(dir.join("sled/db")).unwrap()),
        ("empty", |dir| fs::write(dir.join("sled/db"), "").unwrap()),
        ("garbage", |dir| fs::write(dir.join("sled/db"), noise(600_000)).unwrap()),
        ("cut", |dir| cut(&dir.join("sled/db"), 150_000)),
        ("no mark", |dir| fs::write(dir.join("segno.json"), "").unwrap()),
        ("snapshot", |dir| spoil_snapshot(&dir.join("sled"))),
    ];
    for (name, damage) in damages {
        let (dir, _) = used();
        damage(dir.path());
        let found = open(dir.path());
        let Err(error @ Error::Corrupt { .. }) = found else {
            panic!("{name}: {found:?}");
        };
        assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    }
}

fn cut(file: &Path, bytes: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    assert!(file.metadata().unwrap().len() > bytes);
    file.set_len(bytes).unwrap();
}

fn spoil_snapshot(sled: &Path) {
    // The second opening is the first that finds something to take a snapshot of.
    drop(open(sled.parent().unwrap()).unwrap());
    for entry in fs::read_dir(sled).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::write(path, noise(100)).unwrap();
        }
    }
}

#[test]
fn a_full_disk_stops_the_store_before_sled_sees_it() {
    let dir = TempDir::new().unwrap();
    let key = |n| Key::event(&tenant("a"), run(1), n);
    let mut backend = Sled::open(dir.path(), Options::default()).unwrap();
    backend.reserve(u64::MAX);
    let store = Store::on(backend).unwrap();
    let ticket = store.commit(vec![put(key(1), "x")]);
    let error = block_on(ticket.durable()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the store is unavailable: disk full: "), "{text}");
    assert!(text.contains("free some space"), "{text}");
    assert_eq!(block_on(store.failed()), error);
    assert_eq!(store.get(&key(1)), Ok(None));
    drop(store);

    let nothing_fits = Options { reserve_bytes: u64::MAX, ..Options::default() };
    let refused = Store::open(dir.path(), nothing_fits).unwrap_err();
    assert!(refused.to_string().contains("disk full: "), "{refused}");
    let store = open(dir.path()).unwrap();
    commit(&store, vec![put(key(1), "x")]);
}

#[test]
fn sled_never_makes_a_file_for_a_large_value() {
    let place = OnDisk::new();
    let store = place.open();
    let owner = tenant("a");
    let key = |n| Key::event(&owner, run(1), n);
    for round in 0..4 {
        // Leaves grow, split, shrink and join, with values at every edge.
        let sizes = [4096, 4000, 9000, 4097, 60_000, 3];
        let writes = (0..300).map(|n| put(key(n), noise(sizes[(n as usize + round) % 6])));
        commit(&store, writes.collect());
        let gone = (0..300).filter(|n| n % 16 != round as u64);
        let writes = gone.map(|n| Write::Delete { key: key(n) });
        commit(&store, writes.collect());
        assert!(store.events(&owner, run(1), 0, 300).unwrap().len() < 20);
    }
    let blobs = fs::read_dir(place.0.path().join("sled/blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}

#[test]
fn parts_of_a_large_value_go_with_it() {
    let dir = TempDir::new().unwrap();
    let key = Key::run(&tenant("a"), run(1));
    let store = open(dir.path()).unwrap();
    commit(&store, vec![put(key.clone(), noise(1 << 20))]);
    commit(&store, vec![put(key.clone(), noise(10_000))]);
    drop(store);
    let backend = Sled::open(dir.path(), Options::default()).unwrap();
    // The mark, the row and its three parts.
    assert_eq!(backend.stored_rows(), 5);
    let store = Store::on(backend).unwrap();
    commit(&store, vec![Write::Delete { key }]);
    drop(store);
    assert_eq!(Sled::open(dir.path(), Options::default()).unwrap().stored_rows(), 1);
}
