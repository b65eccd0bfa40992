//! What runs are made of: components and workflows, pushed once and never
//! changed, and the checked form of a workflow kept at hand.

use super::Driver;
use crate::config::Limits;
use crate::sandbox::{self, AdmissionLimits, Refused};
use crate::store::{self, ComponentRecord, Digest, Store, VersionRecord, WorkflowRecord, Write};
use segno_engine::definition::{self, Catalog, Problem};
use segno_engine::id::TenantId;
use segno_engine::workflow::{Limits as Wanted, Pin, Workflow};
use semver::{Version, VersionReq};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// The most checked workflows that are kept at hand.
const CACHED_WORKFLOWS_MAX: usize = 1_000;

type CachedWorkflows = HashMap<(TenantId, String, u64), Arc<Workflow>>;

/// Checked workflows.
#[derive(Default)]
pub(super) struct Cache {
    checked: Mutex<CachedWorkflows>,
    /// Held while a version number or a component's name is being given away.
    pub(super) naming: tokio::sync::Mutex<()>,
}

/// A component that is in the store.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// What is known of it.
    pub record: ComponentRecord,
    /// Whether the very same was there before.
    pub unchanged: bool,
}

/// Why a component was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Its name or version is malformed.
    #[error("{0}")]
    BadName(String),
    /// Its bytes are no component that can run here.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The version stands for other bytes.
    #[error(
        "{name}@{version} is already {digest}, and versions never change; push it with another version"
    )]
    Taken {
        /// The component.
        name: String,
        /// The version.
        version: String,
        /// What it stands for.
        digest: String,
    },
    /// It could not be compiled.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A workflow that is in the store.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its latest version.
    pub record: VersionRecord,
    /// The same, checked.
    pub workflow: Arc<Workflow>,
    /// Whether the very same was there before.
    pub unchanged: bool,
}

/// Why a workflow was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Its definition has problems.
    #[error("the definition has {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// Takes a component, compiles it, and keeps it under `name@version`.
    ///
    /// # Errors
    /// It cannot run here, or the version is taken by another.
    pub async fn push_component(
        &self,
        tenant: &TenantId,
        (name, version): (&str, &str),
        bytes: Vec<u8>,
    ) -> Result<Pushed, PushError> {
        check_name(name)?;
        Version::parse(version).map_err(|error| {
            PushError::BadName(format!("version {version:?} is not of the form 1.2.3: {error}"))
        })?;
        let admitted = sandbox::admit(bytes, &AdmissionLimits::default())?;
        let digest = Digest::of(&admitted.component);
        let bytes = &admitted.component;
        let load = async || Ok::<_, store::Error>(bytes.clone());
        self.0.sandbox.component(&digest.to_string(), load).await?;
        let _naming = self.0.catalog.naming.lock().await;
        if let Some(record) = self.0.store.component(tenant, name, version)? {
            if record.digest != digest {
                let (name, version) = (record.name, record.version);
                return Err(PushError::Taken { name, version, digest: record.digest.to_string() });
            }
            return Ok(Pushed { record, unchanged: true });
        }
        let record = ComponentRecord {
            name: name.to_owned(),
            version: version.to_owned(),
            digest,
            size_bytes: admitted.component.len() as u64,
            imports: admitted.imports,
            requests: admitted.manifest,
            pushed_at: self.0.clock.now(),
        };
        for writes in Write::component_bytes(tenant, &digest, &admitted.component) {
            self.0.store.commit(writes).durable().await?;
        }
        self.0.store.commit(vec![Write::component(tenant, &record)?]).durable().await?;
        Ok(Pushed { record, unchanged: false })
    }

    /// Checks a definition against what this tenant has, and changes nothing.
    ///
    /// # Errors
    /// Every problem, with its place and the remedy.
    pub fn validate_workflow(
        &self,
        tenant: &TenantId,
        source: &str,
    ) -> Result<(VersionRecord, Workflow), ApplyError> {
        let (workflow, pins) = self.check(tenant, source)?;
        let latest = self.latest(tenant, &workflow.name)?;
        Ok((self.next_version(&workflow, latest.as_ref(), (source, pins)), workflow))
    }

    fn check(
        &self,
        tenant: &TenantId,
        source: &str,
    ) -> Result<(Workflow, BTreeMap<String, Pin>), ApplyError> {
        let shelf = Shelf::new(&self.0.store, tenant, &self.0.limits);
        let checked = definition::check(source, &shelf);
        shelf.failure()?;
        Ok((checked.map_err(ApplyError::Problems)?, shelf.pins.into_inner()))
    }

    fn latest(&self, tenant: &TenantId, name: &str) -> Result<Option<VersionRecord>, store::Error> {
        match self.0.store.workflow(tenant, name)? {
            Some(known) => self.0.store.version(tenant, name, known.latest_version),
            None => Ok(None),
        }
    }

    fn next_version(
        &self,
        workflow: &Workflow,
        latest: Option<&VersionRecord>,
        (source, pins): (&str, BTreeMap<String, Pin>),
    ) -> VersionRecord {
        VersionRecord {
            workflow: workflow.name.clone(),
            version: latest.map_or(1, |old| old.version + 1),
            source: source.to_owned(),
            pins,
            created_at: self.0.clock.now(),
        }
    }

    /// Takes a definition as the next version of its workflow; the same
    /// definition with the same components makes no new version.
    ///
    /// # Errors
    /// Every problem, with its place and the remedy; then nothing has changed.
    pub async fn apply_workflow(
        &self,
        tenant: &TenantId,
        source: &str,
    ) -> Result<Applied, ApplyError> {
        let _naming = self.0.catalog.naming.lock().await;
        let (workflow, pins) = self.check(tenant, source)?;
        let workflow = Arc::new(workflow);
        let latest = self.latest(tenant, &workflow.name)?;
        if let Some(record) = &latest
            && record.source == source
            && record.pins == pins
        {
            return Ok(Applied { record: record.clone(), workflow, unchanged: true });
        }
        let record = self.next_version(&workflow, latest.as_ref(), (source, pins));
        let properties = WorkflowRecord {
            name: workflow.name.clone(),
            latest_version: record.version,
            changed_at: record.created_at,
        };
        let writes = vec![Write::version(tenant, &record)?, Write::workflow(tenant, &properties)?];
        self.0.store.commit(writes).durable().await?;
        self.cache_workflow(tenant, record.version, Arc::clone(&workflow));
        Ok(Applied { record, workflow, unchanged: false })
    }

    /// A version of a workflow, or else the latest: its record and its checked
    /// form.
    ///
    /// # Errors
    /// The store cannot answer.
    pub fn workflow_record(
        &self,
        tenant: &TenantId,
        name: &str,
        version: Option<u64>,
    ) -> Result<Option<(VersionRecord, Arc<Workflow>)>, store::Error> {
        let Some((version, workflow)) = self.workflow(tenant, name, version)? else {
            return Ok(None);
        };
        let record = self.0.store.version(tenant, name, version)?;
        Ok(record.map(|record| (record, workflow)))
    }

    /// A checked workflow: `version`, or else the latest.
    pub(super) fn workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        version: Option<u64>,
    ) -> Result<Option<(u64, Arc<Workflow>)>, store::Error> {
        let version = match version {
            Some(version) => version,
            None => match self.0.store.workflow(tenant, name)? {
                Some(record) => record.latest_version,
                None => return Ok(None),
            },
        };
        let key = (tenant.clone(), name.to_owned(), version);
        if let Some(workflow) = self.lock_checked().get(&key) {
            return Ok(Some((version, Arc::clone(workflow))));
        }
        let Some(record) = self.0.store.version(tenant, name, version)? else {
            return Ok(None);
        };
        let workflow = definition::check(&record.source, &Pinned(&record.pins)).map_err(|all| {
            let problems: Vec<_> = all.iter().map(ToString::to_string).collect();
            store::Error::corrupt(format!(
                "version {version} of workflow {name} does not pass the check any more: {}",
                problems.join("; ")
            ))
        })?;
        let workflow = Arc::new(workflow);
        self.cache_workflow(tenant, version, Arc::clone(&workflow));
        Ok(Some((version, workflow)))
    }

    fn cache_workflow(&self, tenant: &TenantId, version: u64, workflow: Arc<Workflow>) {
        let mut cache = self.lock_checked();
        if cache.len() >= CACHED_WORKFLOWS_MAX {
            cache.clear();
        }
        cache.insert((tenant.clone(), workflow.name.clone(), version), workflow);
    }

    fn lock_checked(&self) -> std::sync::MutexGuard<'_, CachedWorkflows> {
        self.0.catalog.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_name(name: &str) -> Result<(), PushError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let segment = |part: &str| !part.is_empty() && !part.starts_with('-') && part.bytes().all(fits);
    if name.len() <= 128 && name.split('/').all(segment) {
        return Ok(());
    }
    Err(PushError::BadName(format!(
        "{name:?} is not a component's name: it is made of a-z, 0-9 and -, in parts joined by /, \
         for example weather/load"
    )))
}

/// The components of a tenant, and which of them a definition has asked for.
struct Shelf<'a> {
    store: &'a Store,
    tenant: &'a TenantId,
    limits: &'a Limits,
    pins: RefCell<BTreeMap<String, Pin>>,
    failure: RefCell<Option<store::Error>>,
}

impl<'a> Shelf<'a> {
    fn new(store: &'a Store, tenant: &'a TenantId, limits: &'a Limits) -> Self {
        Self { store, tenant, limits, pins: RefCell::default(), failure: RefCell::default() }
    }

    /// A store that could not answer is no problem of the definition.
    fn failure(&self) -> Result<(), store::Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn versions_of(&self, name: &str) -> Vec<ComponentRecord> {
        self.store.component_versions(self.tenant, name).unwrap_or_else(|error| {
            self.failure.replace(Some(error));
            Vec::new()
        })
    }
}

impl Catalog for Shelf<'_> {
    fn component(&self, name: &str, requirement: Option<&str>) -> Result<Pin, String> {
        // `=1` stands for every 1.x.y, and `=1.2.3` for just that one.
        let wanted = requirement.map_or_else(|| "*".to_owned(), |parts| format!("={parts}"));
        let wanted = VersionReq::parse(&wanted)
            .map_err(|error| format!("{requirement:?} is not a version: {error}"))?;
        let all = self.versions_of(name);
        let parsed =
            all.iter().filter_map(|record| Some((Version::parse(&record.version).ok()?, record)));
        let newest =
            parsed.filter(|(version, _)| wanted.matches(version)).max_by(|a, b| a.0.cmp(&b.0));
        let Some((_, record)) = newest else {
            return Err(if all.is_empty() {
                format!("there is no component {name:?}; push it with `segno component push`")
            } else {
                let versions: Vec<_> = all.iter().map(|record| record.version.as_str()).collect();
                format!("component {name:?} has no such version, but {}", versions.join(", "))
            });
        };
        let pin = Pin {
            name: record.name.clone(),
            version: record.version.clone(),
            digest: record.digest.to_string(),
        };
        self.pins.borrow_mut().insert(reference(name, requirement), pin.clone());
        Ok(pin)
    }

    fn ceiling(&self) -> Wanted {
        self.limits.ceiling()
    }
}

/// What a definition was given when it was pushed.
struct Pinned<'a>(&'a BTreeMap<String, Pin>);

impl Catalog for Pinned<'_> {
    fn component(&self, name: &str, requirement: Option<&str>) -> Result<Pin, String> {
        let reference = reference(name, requirement);
        self.0.get(&reference).cloned().ok_or_else(|| format!("{reference} is not pinned"))
    }

    fn ceiling(&self) -> Wanted {
        Wanted::default()
    }
}

fn reference(name: &str, requirement: Option<&str>) -> String {
    match requirement {
        Some(requirement) => format!("{name}@{requirement}"),
        None => name.to_owned(),
    }
}
