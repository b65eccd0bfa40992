//! What may be pushed: a component that exports the step interface, imports only
//! what this host offers, and is not made to wear the host out. All checks read
//! the bytes once and compile nothing; what they let through may still be
//! refused by the compiler.

mod encode;
mod format;
mod manifest;
mod survey;

pub use manifest::with_requests;

use super::imports::OFFERED;
use super::limits::Bytes;
use segno_engine::grant::Requests;
use survey::Survey;
use wasmparser::names::{ComponentName, ComponentNameKind};

/// A component that may be stored and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The component's bytes.
    pub component: Vec<u8>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// The hosts and secrets that it asks for.
    pub manifest: Requests,
    /// Whether a core module was given, and `component` was made from it.
    pub was_core_module: bool,
}

/// A file that may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {remedy}")]
pub struct Refused {
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

impl Refused {
    fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }
}

/// How large and how intricate a component may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// The file.
    pub file_bytes: u64,
    /// The memory that one of its memories starts with.
    pub memory_bytes: u64,
    /// The elements that one of its tables starts with.
    pub table_elements: u64,
    /// Functions, over all its modules.
    pub functions: u64,
    /// The body of one function.
    pub function_bytes: u64,
    /// Types, over all its modules and components.
    pub types: u64,
    /// Modules within it.
    pub modules: u64,
    /// Components within it, itself included.
    pub components: u64,
    /// Instances, over all its components.
    pub instances: u64,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            memory_bytes: 1 << 30,
            table_elements: 100_000,
            functions: 100_000,
            function_bytes: 1 << 20,
            types: 20_000,
            modules: 64,
            components: 64,
            instances: 400,
        }
    }
}

/// The interface that every step exports.
pub(super) const STEP: &str = "segno:step/guest@0.1.0";

/// How to make a component, for those who brought something else.
const BUILD: &str = "build a component with `segno component build`, or with cargo for the target \
                     wasm32-wasip2";

/// Checks a file that somebody wants to run as a step. A core module with the
/// contract's types in it is turned into a component.
///
/// # Errors
/// Says what is wrong and what to do.
pub fn admit(file: Vec<u8>, limits: &AdmissionLimits) -> Result<Admitted, Refused> {
    let size = file.len() as u64;
    if size > limits.file_bytes {
        return Err(Refused::new(
            format!("it has {size} bytes, and {} is the most", Bytes(limits.file_bytes)),
            "strip its debug information, or let the operator raise the limit",
        ));
    }
    let was_core_module = format::of(&file)? == format::Format::CoreModule;
    let survey = Survey::of(&file, limits)?;
    let manifest = manifest::read(survey.manifest.as_deref())?;
    let (component, survey) = if was_core_module {
        // What was made of it has its manifest too: its bytes are what counts.
        let component = with_requests(encode::component(&file, &survey)?, &manifest);
        let survey = Survey::of(&component, limits)?;
        (component, survey)
    } else {
        (file, survey)
    };
    check_exports(&survey.exports)?;
    check_imports(&survey.imports)?;
    let Survey { imports, exports, .. } = survey;
    Ok(Admitted { component, imports, exports, manifest, was_core_module })
}

fn check_exports(exports: &[String]) -> Result<(), Refused> {
    let step = Interface::of(STEP);
    if exports.iter().any(|name| Interface::of(name) == step) {
        return Ok(());
    }
    let unversioned = "segno:step/guest@";
    if let Some(other) = exports.iter().find(|name| name.starts_with(unversioned)) {
        return Err(Refused::new(
            format!("it exports {other}, and this host runs {STEP}"),
            "build it against the SDK of this release",
        ));
    }
    let exports = listed(exports.iter().map(String::as_str));
    Err(Refused::new(
        format!("it is no step: it does not export {STEP}, but {exports}"),
        "mark the step's function with #[segno::step]",
    ))
}

fn check_imports(imports: &[String]) -> Result<(), Refused> {
    let offered: Vec<_> = OFFERED.iter().map(|name| Interface::of(name)).collect();
    let unknown = imports.iter().filter(|name| {
        let interface = Interface::of(name);
        interface.is_none() || !offered.contains(&interface)
    });
    let unknown: Vec<_> = unknown.map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refused::new(
        format!("it imports {}, which this host does not offer", listed(unknown.into_iter())),
        format!("this host offers {}", listed(OFFERED.iter().copied())),
    ))
}

/// The first few of `names`, in words.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 40;
    let rest = names.len().saturating_sub(SHOWN);
    let shown: Vec<_> = names.take(SHOWN).map(|name| super::log::printable(name, 200)).collect();
    match (shown.is_empty(), rest) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => shown.join(", "),
        (false, rest) => format!("{} and {rest} more", shown.join(", ")),
    }
}

/// The name of an interface with the part of its version that decides whether
/// two of them mean the same.
#[derive(Debug, PartialEq, Eq)]
struct Interface {
    name: String,
    major: u64,
    minor: Option<u64>,
}

impl Interface {
    /// `None` if `text` is not the name of a released interface.
    fn of(text: &str) -> Option<Self> {
        let parsed = ComponentName::new(text, 0).ok()?;
        let ComponentNameKind::Interface(interface) = parsed.kind() else { return None };
        let version = interface.version(None).ok()??;
        if !version.pre.is_empty() {
            return None;
        }
        let minor = (version.major == 0).then_some(version.minor);
        let (name, _) = text.split_once('@')?;
        Some(Self { name: name.to_owned(), major: version.major, minor })
    }
}
