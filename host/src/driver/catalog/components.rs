//! Components: pushed once and never changed.

use super::super::Driver;
use crate::sandbox::{self, AdmissionLimits, Refused};
use crate::store::{self, ComponentRecord, Digest, Write};
use segno_engine::id::TenantId;
use semver::Version;

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
