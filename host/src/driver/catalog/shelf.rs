//! What a definition may refer to: the components of a tenant, or those that it
//! was given when it was pushed.

use crate::config::Limits;
use crate::store::{self, ComponentRecord, Store};
use segno_engine::definition::Catalog;
use segno_engine::id::TenantId;
use segno_engine::workflow::{Limits as Wanted, Pin};
use semver::{Version, VersionReq};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The components of a tenant, and which of them a definition has asked for.
pub(super) struct Shelf<'a> {
    store: &'a Store,
    tenant: &'a TenantId,
    limits: &'a Limits,
    pub(super) pins: RefCell<BTreeMap<String, Pin>>,
    failure: RefCell<Option<store::Error>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(store: &'a Store, tenant: &'a TenantId, limits: &'a Limits) -> Self {
        Self { store, tenant, limits, pins: RefCell::default(), failure: RefCell::default() }
    }

    /// A store that could not answer is no problem of the definition.
    pub(super) fn failure(&self) -> Result<(), store::Error> {
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
pub(super) struct Pinned<'a>(pub(super) &'a BTreeMap<String, Pin>);

impl Catalog for Pinned<'_> {
    fn component(&self, name: &str, requirement: Option<&str>) -> Result<Pin, String> {
        let reference = reference(name, requirement);
        self.0.get(&reference).cloned().ok_or_else(|| format!("{reference} is not pinned"))
    }

    fn ceiling(&self) -> Wanted {
        Wanted::default()
    }
}

/// What finds everything: for what can be said of a definition although
/// something that it names is not here.
pub(super) struct Anything;

impl Catalog for Anything {
    fn component(&self, name: &str, _: Option<&str>) -> Result<Pin, String> {
        Ok(Pin { name: name.to_owned(), version: String::new(), digest: String::new() })
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
