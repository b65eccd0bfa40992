//! Rehearsals: a built component in the real sandbox, with a world from a script
//! around it and time that is moved by hand. Nothing sleeps, nothing leaves the
//! process, and there is no store: a journal lives as long as its case.
//!
//! `script` reads what happens and what is expected, `play` does it step by
//! step, `world` and what belongs to it answer durable calls, `replay` compares
//! a play with one that was stopped at every call.

mod board;
mod calls;
mod compare;
mod expect;
mod play;
mod replay;
mod script;
mod wait;
mod web;
mod world;

pub use script::{Case, Script};

use crate::config::Config;
use crate::egress::Egress;
use crate::sandbox::{self, AdmissionLimits, Component, Refused, Sandbox, admit};
use play::Play;
use segno_engine::grant::{Grants, Requests};
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;
use world::Manner;

/// There can be no rehearsal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no component that a host would take.
    #[error("a host would refuse this component: {0}")]
    Refused(#[from] Refused),
    /// It does not compile, or the sandbox cannot be set up.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// There is no place for what it is compiled to.
    #[error("cannot make a temporary directory: {0}")]
    Directory(#[from] std::io::Error),
    /// Requests cannot be checked.
    #[error("the rules for requests cannot be set up: {0:#}")]
    Egress(anyhow::Error),
}

/// What a case wants and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the script, from 1.
    pub line: u32,
    /// What was looked at.
    pub what: String,
    /// What should be.
    pub expected: String,
    /// What is.
    pub actual: String,
}

/// A component that is ready to be played.
pub struct Rehearsal {
    sandbox: Sandbox,
    component: Component,
    manifest: Requests,
    /// Holds what the component was compiled to.
    _artefacts: TempDir,
}

impl Rehearsal {
    /// Admits and compiles a component as a host does. Needs a runtime of tokio
    /// with timers and processes.
    ///
    /// # Errors
    /// It is no component that a host would take, or this machine has no room.
    pub async fn new(file: Vec<u8>) -> Result<Self, Error> {
        let admitted = admit(file, &AdmissionLimits::default())?;
        let directory = tempfile::tempdir()?;
        let sandbox = Sandbox::new(sandbox::Config::new(directory.path()))?;
        let bytes = admitted.component;
        let digest = digest(&bytes);
        let load = async || Ok::<_, Infallible>(bytes);
        let component = sandbox.component(&digest, load).await?;
        Ok(Self { sandbox, component, manifest: admitted.manifest, _artefacts: directory })
    }

    /// Plays a case twice: as it is written, and with the guest stopped at every
    /// durable call and played again from its start. Returns why it failed.
    ///
    /// # Errors
    /// It cannot be played at all.
    pub async fn play(&self, case: &Case) -> Result<Option<Failure>, Error> {
        let grants = self.grants(case);
        let egress = egress(&grants)?;
        let play = |manner| Play::new(self, case, (grants.clone(), egress.clone()), manner);
        let written = play(Manner::AsWritten).perform(case).await;
        if written.failure.is_some() {
            return Ok(written.failure);
        }
        let again = play(Manner::StoppedAtEveryCall).perform(case).await;
        Ok(replay::difference(case.line, &written, &again))
    }

    /// What the case grants; where it says nothing, what the component asks for.
    fn grants(&self, case: &Case) -> Grants {
        let namespaces = case.setup.values.keys().map(|(namespace, _)| namespace.clone());
        let mut kv: Vec<_> = namespaces.filter(|namespace| !namespace.is_empty()).collect();
        kv.dedup();
        case.setup.grants.clone().unwrap_or_else(|| Grants {
            http: self.manifest.http.clone(),
            secrets: self.manifest.secrets.clone(),
            kv,
            signals: None,
        })
    }
}

/// The rules for requests, with an operator who allows what the step is granted.
fn egress(grants: &Grants) -> Result<Egress, Error> {
    let config = Config::new(PathBuf::new(), PathBuf::new());
    Egress::new(&Config { grant_http: grants.http.clone(), ..config }).map_err(Error::Egress)
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
