//! Building the component of a crate with cargo: the right target and profile,
//! and an answer to what usually goes wrong. The user's own configuration and
//! flags are left as they are.

use super::manifest;
use crate::cli::measure::Stopwatch;
use crate::cli::terminal::{Target, Terminal};
use anyhow::{Context as _, Result, anyhow, bail};
use segno_engine::grant::Requests;
use serde::Deserialize;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What components are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// Small and fast components: `segno` is a profile of its own, so that it needs
/// nothing in the user's `Cargo.toml`.
const PROFILE: [&str; 7] = [
    "profile.segno.inherits=\"release\"",
    "profile.segno.debug=false",
    "profile.segno.opt-level=\"s\"",
    "profile.segno.lto=true",
    "profile.segno.codegen-units=1",
    "profile.segno.panic=\"abort\"",
    "profile.segno.strip=\"debuginfo\"",
];

/// A guest that starts with this much memory seldom has to grow it, and growing
/// is what costs a short step most.
const INITIAL_MEMORY: &str = "--initial-memory=2097152";

/// What the linker says to a crate with more static data than that.
const TOO_SMALL: &str = "initial memory too small";

/// A crate that a component can be built from.
#[derive(Debug)]
pub(super) struct Package {
    /// The component's name, for example `weather/load`.
    pub(super) component: String,
    /// The crate's version.
    pub(super) version: String,
    /// What it asks for.
    requests: Requests,
    manifest: PathBuf,
    directory: PathBuf,
}

/// A component that was built.
#[derive(Debug)]
pub(in crate::cli) struct Built {
    /// Its name.
    pub(in crate::cli) component: String,
    /// Its version.
    pub(in crate::cli) version: String,
    /// The file.
    pub(in crate::cli) path: PathBuf,
    /// How large it is.
    pub(super) size_bytes: u64,
    /// How long it took.
    pub(super) duration_ms: u64,
}

/// Whether a user means a crate by this path, and not a component.
pub(super) fn is_crate(path: &Path) -> bool {
    path.is_dir() || path.file_name().is_some_and(|name| name == "Cargo.toml")
}

/// The crate at a directory or a `Cargo.toml`.
pub(super) fn find(path: &Path) -> Result<Package> {
    let manifest = if path.is_dir() { path.join("Cargo.toml") } else { path.to_owned() };
    let shown = path.display();
    if manifest.file_name().is_none_or(|name| name != "Cargo.toml") && path.exists() {
        bail!("{shown} is not a crate: give its directory or its Cargo.toml");
    }
    let manifest = fs::canonicalize(&manifest).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if path.is_dir() => {
            anyhow!("there is no Cargo.toml in {shown}: give the directory of a crate")
        }
        io::ErrorKind::NotFound => anyhow!("there is no {shown}: give the directory of a crate"),
        _ => anyhow!("cannot read {shown}: {error}"),
    })?;
    let directory = manifest.parent().expect("a file is in a directory").to_owned();
    let metadata = metadata(&manifest, &directory)?;
    let of_path = |package: &&Metadata| package.manifest_path == manifest;
    let Some(package) = metadata.packages.iter().find(of_path) else {
        bail!("{shown} is a workspace: name one of its crates, {}", metadata.names());
    };
    if !package.is_component() {
        bail!(
            "{shown} does not build a component: add this to {}\n\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n",
            shortest(&manifest)
        );
    }
    let requests = manifest::requests(&package.metadata).with_context(|| {
        format!("[package.metadata.segno] in {} cannot be used", shortest(&manifest))
    })?;
    Ok(Package {
        component: package.component_name(),
        version: package.component_version(),
        requests,
        manifest,
        directory,
    })
}

/// Builds a component. What the compiler has to say goes to standard error.
pub(super) fn build(package: &Package, terminal: &Terminal) -> Result<Built> {
    require_target(package)?;
    let time = Stopwatch::start();
    let mut outcome = compile(package, terminal, Some(INITIAL_MEMORY))?;
    if let Outcome::TooSmall = outcome {
        terminal
            .note("it has more data than the memory it would start with: once more without that");
        outcome = compile(package, terminal, None)?;
    }
    let Outcome::Built(path) = outcome else {
        bail!("the linker refuses the memory of {}", package.component);
    };
    let path = manifest::add(path, &package.requests)?;
    let about = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Built {
        component: package.component.clone(),
        version: package.version.clone(),
        path,
        size_bytes: about.len(),
        duration_ms: time.elapsed_ms(),
    })
}

/// A path as it is seen from here, if it is below here.
pub(in crate::cli) fn shortest(path: &Path) -> String {
    let here = env::current_dir().and_then(fs::canonicalize);
    let below = here.ok().and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).display().to_string()
}

/// How a build ended, if it did not fail.
enum Outcome {
    Built(PathBuf),
    TooSmall,
}

fn compile(package: &Package, terminal: &Terminal, link: Option<&str>) -> Result<Outcome> {
    let looks = terminal.looks(Target::Err);
    let format = if looks.colours { "json-diagnostic-rendered-ansi" } else { "json" };
    let mut command = tool("CARGO", "cargo", &package.directory);
    // Only as a cdylib: cargo does not optimise across crates for any other kind.
    command.args(["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET]);
    command.args(["--profile", "segno", "--message-format", format, "--manifest-path"]);
    command.arg(&package.manifest);
    command.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    // Flags of the last compilation alone: rustflags would replace the user's.
    command.args(link.iter().flat_map(|flag| ["--".to_owned(), format!("-Clink-arg={flag}")]));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(no_cargo)?;
    let stdout = child.stdout.take().expect("its output was asked for");
    let mut artifact = None;
    let mut too_small = false;
    for line in BufReader::new(stdout).lines() {
        match serde_json::from_str(&line.context("cannot read what cargo says")?) {
            Ok(Message::Diagnostic { message }) => {
                too_small |= message.rendered.contains(TOO_SMALL);
                if !too_small {
                    let clear = if looks.live { "\r\x1b[K" } else { "" };
                    terminal.write(Target::Err, &format!("{clear}{}", message.rendered))?;
                }
            }
            Ok(Message::Artifact { manifest_path, filenames }) => {
                if manifest_path == package.manifest {
                    artifact = filenames.into_iter().find(|path| is_wasm(path)).or(artifact);
                }
            }
            Ok(Message::Other) | Err(_) => {}
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    match artifact {
        Some(path) if status.success() => Ok(Outcome::Built(path)),
        _ if too_small && link.is_some() => Ok(Outcome::TooSmall),
        _ if status.success() => bail!("cargo built {} without a .wasm", package.component),
        _ => bail!("{} does not compile; the compiler says why above", package.component),
    }
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

/// Says what to type where the compiler would only miss a crate called `core`.
fn require_target(package: &Package) -> Result<()> {
    let mut command = tool("RUSTC", "rustc", &package.directory);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    let output = command.output().map_err(no_cargo)?;
    if !output.status.success() {
        bail!("this rustc cannot build for {TARGET}: type `rustup update`\n{}", said(&output));
    }
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let holds_core = fs::read_dir(&directory).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        })
    });
    if !holds_core {
        bail!("the target {TARGET} is not installed: type `rustup target add {TARGET}`");
    }
    Ok(())
}

fn metadata(manifest: &Path, directory: &Path) -> Result<Workspace> {
    let mut command = tool("CARGO", "cargo", directory);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let output = command.arg(manifest).output().map_err(no_cargo)?;
    if !output.status.success() {
        bail!("cargo cannot read {}\n{}", shortest(manifest), said(&output));
    }
    serde_json::from_slice(&output.stdout).context("cannot read what cargo says of the crate")
}

/// A program of the toolchain, run where the crate is: rustup and cargo look
/// for their configuration upwards from there.
fn tool(variable: &str, name: &str, directory: &Path) -> Command {
    let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| name.into()));
    command.current_dir(directory).stdin(Stdio::null());
    command
}

fn no_cargo(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow!(
                "there is no cargo: install Rust from https://rustup.rs, and see that it is in PATH"
            )
        }
        _ => anyhow!("cannot start cargo: {error}"),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
struct Workspace {
    packages: Vec<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<LibOrBin>,
    #[serde(default)]
    metadata: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct LibOrBin {
    crate_types: Vec<String>,
}

impl Workspace {
    fn names(&self) -> String {
        let all = self.packages.iter().filter(|package| package.is_component());
        let all: Vec<_> = all.map(|package| package.name.as_str()).collect();
        match all.len() {
            0 => "none of which builds a component yet".to_owned(),
            _ => all.join(", "),
        }
    }
}

impl Metadata {
    fn is_component(&self) -> bool {
        let kinds = self.targets.iter().flat_map(|target| &target.crate_types);
        kinds.into_iter().any(|kind| kind == "cdylib")
    }

    /// What the crate calls its component, or else the crate's own name.
    fn component_name(&self) -> String {
        self.given("name").unwrap_or_else(|| self.name.replace('_', "-"))
    }

    /// What the crate says of its component's version, or else of its own.
    fn component_version(&self) -> String {
        self.given("version").unwrap_or_else(|| self.version.clone())
    }

    /// What stands in `[package.metadata.segno]`.
    fn given(&self, key: &str) -> Option<String> {
        Some(self.metadata.get("segno")?.get(key)?.as_str()?.to_owned())
    }
}

/// What cargo says while it builds.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason")]
enum Message {
    #[serde(rename = "compiler-message")]
    Diagnostic { message: Diagnostic },
    #[serde(rename = "compiler-artifact")]
    Artifact { manifest_path: PathBuf, filenames: Vec<PathBuf> },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    rendered: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(metadata: &str) -> Metadata {
        let text = format!(
            r#"{{"name":"my_step","version":"0.1.0","manifest_path":"/a/Cargo.toml",
                "targets":[{{"crate_types":["cdylib","rlib"]}}],"metadata":{metadata}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_component_is_called_as_its_crate_says() {
        assert_eq!(
            package(r#"{"segno":{"name":"weather/load"}}"#).component_name(),
            "weather/load"
        );
        assert_eq!(package(r#"{"segno":{"version":"1.2.0"}}"#).component_version(), "1.2.0");
        assert_eq!(package("null").component_name(), "my-step");
        assert_eq!(package("null").component_version(), "0.1.0");
        assert!(package("null").is_component());
    }

    #[test]
    fn what_cargo_says_is_understood() {
        let text = r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml",
            "package_id":"x","filenames":["/t/a.wasm","/t/a.rlib"],"fresh":true}"#;
        let Ok(Message::Artifact { filenames, .. }) = serde_json::from_str(text) else {
            panic!("not understood");
        };
        assert_eq!(
            filenames.into_iter().find(|path| is_wasm(path)),
            Some(PathBuf::from("/t/a.wasm"))
        );
        let text = r#"{"reason":"build-finished","success":true}"#;
        assert!(matches!(serde_json::from_str(text), Ok(Message::Other)));
    }

    #[test]
    fn what_is_no_crate_is_explained() {
        let refusal = |path: &str| format!("{:#}", find(Path::new(path)).unwrap_err());
        assert_eq!(refusal("no/such"), "there is no no/such: give the directory of a crate");
        assert!(
            refusal(env!("CARGO_MANIFEST_DIR").rsplit_once('/').unwrap().0).contains("Cargo.toml")
                || refusal(env!("CARGO_MANIFEST_DIR").rsplit_once('/').unwrap().0)
                    .contains("workspace")
        );
    }
}
