//! Components that are ready to run, by digest. The most recently used stay in
//! memory up to a number of bytes; the others come back from their artefacts.
//! However many attempts ask for a component at once, it is compiled once.

use super::Error;
use super::admission::{Refused, STEP};
use super::artefacts::{Artefacts, hex};
use super::compile::{Compiler, Failed};
use super::engine::TABLES_A_SLOT;
use super::guest::{Guest, wit::StepPre};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;
use wasmtime::component::{ComponentExportIndex, InstancePre, Linker};

/// A component that is ready to run; cheap to clone. It stays usable when it is
/// no longer kept here.
#[derive(Clone)]
pub struct Component(Arc<Prepared>);

struct Prepared {
    digest: Box<str>,
    instance: InstancePre<Guest>,
    run: ComponentExportIndex,
    slots: u32,
    bytes: u64,
}

impl Component {
    /// The digest under which it was asked for.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The slots of the pool that one attempt takes.
    pub(super) fn slots(&self) -> u32 {
        self.0.slots
    }

    /// What an instance is made from.
    pub(super) fn instance(&self) -> &InstancePre<Guest> {
        &self.0.instance
    }

    /// Where the step's function is.
    pub(super) fn run(&self) -> &ComponentExportIndex {
        &self.0.run
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Component").field(&self.0.digest).finish()
    }
}

/// What a component costs in memory beside its code.
const OVERHEAD_BYTES: u64 = 64 << 10;

/// All components of one sandbox.
pub(super) struct Components {
    linker: Linker<Guest>,
    compiler: Compiler,
    artefacts: Arc<Artefacts>,
    bytes_max: u64,
    cache: Mutex<Cache>,
}

/// A component, or the reason why it never will be one.
type Known = Result<Component, Refused>;

#[derive(Default)]
struct Cache {
    entries: HashMap<Box<str>, Entry>,
    bytes: u64,
    /// Counts uses, to tell which entry was used last.
    uses: u64,
}

struct Entry {
    known: Arc<OnceCell<Known>>,
    last_use: u64,
    bytes: u64,
}

impl Components {
    pub(super) fn new(
        linker: Linker<Guest>,
        compiler: Compiler,
        artefacts: Artefacts,
        bytes_max: u64,
    ) -> Self {
        let artefacts = Arc::new(artefacts);
        Self { linker, compiler, artefacts, bytes_max, cache: Mutex::default() }
    }

    /// The component `digest`, whose bytes `load` gives if they are needed.
    pub(super) async fn get<F, E>(
        &self,
        digest: &str,
        load: impl FnOnce() -> F,
    ) -> Result<Component, Error>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let known = self.cache().entry(digest);
        if let Some(known) = known.get() {
            return known.clone().map_err(Error::Refused);
        }
        let prepared = known.get_or_try_init(|| self.prepare(digest, load)).await;
        match prepared {
            Ok(prepared) => {
                self.keep(digest, prepared);
                prepared.clone().map_err(Error::Refused)
            }
            Err(error) => {
                self.forget(digest, &known);
                Err(error)
            }
        }
    }

    /// The inner error is for good, the outer one may pass.
    async fn prepare<F, E>(&self, digest: &str, load: impl FnOnce() -> F) -> Result<Known, Error>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        check_digest(digest)?;
        if let Some((component, bytes)) = self.load_artefact(digest).await? {
            return Ok(self.link(digest, &component, bytes));
        }
        let source = load()
            .await
            .map_err(|error| Error::Load { digest: digest.into(), source: Box::new(error) })?;
        let found = format!("sha256:{}", hex(&Sha256::digest(&source)));
        if found != digest {
            return Err(Error::WrongBytes { digest: digest.into(), found: found.into() });
        }
        let artefact = match self.compiler.compile(&source).await {
            Ok(artefact) => artefact,
            Err(Failed::Refused(refused)) => return Ok(Err(refused)),
            Err(Failed::Host { action, source }) => return Err(Error::Compiler { action, source }),
        };
        self.store_artefact(digest, artefact).await?;
        match self.load_artefact(digest).await? {
            Some((component, bytes)) => Ok(self.link(digest, &component, bytes)),
            None => Err(Error::Artefact {
                action: "be read back",
                source: std::io::Error::other("the log says why"),
            }),
        }
    }

    async fn load_artefact(
        &self,
        digest: &str,
    ) -> Result<Option<(wasmtime::component::Component, u64)>, Error> {
        let (artefacts, engine) = (Arc::clone(&self.artefacts), self.linker.engine().clone());
        let digest = digest.to_owned();
        blocking("be read", move || Ok(artefacts.load(&engine, &digest))).await
    }

    async fn store_artefact(&self, digest: &str, artefact: Vec<u8>) -> Result<(), Error> {
        let artefacts = Arc::clone(&self.artefacts);
        let digest = digest.to_owned();
        blocking("be written", move || artefacts.store(&digest, &artefact)).await
    }

    /// Checks the types of everything that the component imports and exports.
    fn link(&self, digest: &str, component: &wasmtime::component::Component, bytes: u64) -> Known {
        let refused = |error: wasmtime::Error| Refused {
            reason: format!("it does not fit the world segno:step/step: {error:#}"),
            remedy: "build it against the contract in `wit/` of this release".to_owned(),
        };
        let instance = self.linker.instantiate_pre(component).map_err(refused)?;
        StepPre::new(instance.clone()).map_err(refused)?;
        let run = run_of(component).expect("it has just been checked to be there");
        let slots = component.resources_required().map_or(1, |needs| {
            needs.num_memories.max(needs.num_tables.div_ceil(TABLES_A_SLOT)).max(1)
        });
        let digest = digest.into();
        Ok(Component(Arc::new(Prepared { digest, instance, run, slots, bytes })))
    }

    fn keep(&self, digest: &str, known: &Known) {
        let bytes = OVERHEAD_BYTES + known.as_ref().map_or(0, |component| component.0.bytes);
        // What is dropped is dropped after the lock.
        let _dropped = self.cache().keep(digest, bytes, self.bytes_max);
    }

    /// Lets the next one try again what has just failed.
    fn forget(&self, digest: &str, failed: &Arc<OnceCell<Known>>) {
        let mut cache = self.cache();
        let same = |entry: &Entry| Arc::ptr_eq(&entry.known, failed) && !failed.initialized();
        if cache.entries.get(digest).is_some_and(same) {
            cache.entries.remove(digest);
        }
    }

    /// Nothing panics while it holds the lock.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn entry(&mut self, digest: &str) -> Arc<OnceCell<Known>> {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.last_use = self.uses;
            return Arc::clone(&entry.known);
        }
        let known = Arc::new(OnceCell::new());
        let entry = Entry { known: Arc::clone(&known), last_use: self.uses, bytes: 0 };
        self.entries.insert(digest.into(), entry);
        known
    }

    /// Counts the entry, and returns those that have to go for it: the ones not
    /// used for the longest time.
    fn keep(&mut self, digest: &str, bytes: u64, bytes_max: u64) -> Vec<Entry> {
        if let Some(entry) = self.entries.get_mut(digest) {
            self.bytes = self.bytes - entry.bytes + bytes;
            entry.bytes = bytes;
        }
        let mut dropped = Vec::new();
        while self.bytes > bytes_max {
            let others = self
                .entries
                .iter()
                .filter(|(name, entry)| entry.bytes > 0 && name.as_ref() != digest);
            let oldest = others.min_by_key(|(_, entry)| entry.last_use);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.bytes;
                dropped.push(entry);
            }
        }
        dropped
    }
}

/// Where the step's function is in `component`.
fn run_of(component: &wasmtime::component::Component) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, STEP)?;
    component.get_export_index(Some(&interface), "run")
}

/// A digest becomes part of a file's name.
fn check_digest(digest: &str) -> Result<(), Error> {
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() == 64 && digits.bytes().all(is_digit) {
        Ok(())
    } else {
        Err(Error::Digest { digest: digest.chars().take(100).collect() })
    }
}

/// Runs file access where it holds up no attempt.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    done.map_err(|source| Error::Artefact { action, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cache: &Cache) -> Vec<&str> {
        let mut names: Vec<_> = cache.entries.keys().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let mut cache = Cache::default();
        for name in ["a", "b", "c"] {
            cache.entry(name);
            assert!(cache.keep(name, 10, 30).is_empty());
        }
        cache.entry("a");
        cache.entry("d");
        assert_eq!(cache.keep("d", 10, 30).len(), 1);
        assert_eq!((names(&cache), cache.bytes), (vec!["a", "c", "d"], 30));
    }

    #[test]
    fn one_that_is_larger_than_the_cache_stays_alone() {
        let mut cache = Cache::default();
        cache.entry("a");
        cache.keep("a", 10, 30);
        cache.entry("large");
        cache.keep("large", 50, 30);
        assert_eq!((names(&cache), cache.bytes), (vec!["large"], 50));
    }

    #[test]
    fn what_is_being_made_ready_is_not_dropped() {
        let mut cache = Cache::default();
        cache.entry("under-way");
        cache.entry("a");
        cache.keep("a", 50, 30);
        assert_eq!(names(&cache), ["a", "under-way"]);
    }

    #[test]
    fn digests_are_names_of_files() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert!(check_digest(&good).is_ok());
        for bad in ["", "sha256:", "sha256:../../x", &good.to_uppercase(), &good[..70]] {
            assert!(check_digest(bad).is_err(), "{bad}");
        }
    }
}
