//! What a crate asks for: `http` and `secrets` of `[package.metadata.segno]`,
//! which go into its component. Cargo's own file stays as cargo made it, so a
//! build that has nothing to do gives the same bytes again.

use crate::sandbox;
use anyhow::{Context as _, Result, anyhow, bail};
use segno_engine::grant::Requests;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The folder beside cargo's file for components with a manifest.
const FOLDER: &str = "component";

/// What stands in `[package.metadata.segno]`.
pub(super) fn requests(metadata: &Value) -> Result<Requests> {
    let of = |key: &str| -> Result<Vec<String>> {
        let Some(value) = metadata.get("segno").and_then(|segno| segno.get(key)) else {
            return Ok(Vec::new());
        };
        let texts = value.as_array().map(|all| all.iter().map(Value::as_str));
        let texts = texts.and_then(|all| all.collect::<Option<Vec<_>>>());
        let texts = texts.ok_or_else(|| {
            let example = if key == "http" { "https://api.example.com" } else { "PAY_KEY" };
            anyhow!("{key} is no list of texts; write it as in {key} = [\"{example}\"]")
        })?;
        Ok(texts.into_iter().map(str::to_owned).collect())
    };
    let http =
        of("http")?.iter().map(|text| text.parse().context("http")).collect::<Result<_>>()?;
    Ok(Requests { http, secrets: of("secrets")? }.normal()?)
}

/// The component in cargo's file with what it asks for, beside that file; the
/// file itself if it asks for nothing.
pub(super) fn add(file: PathBuf, requests: &Requests) -> Result<PathBuf> {
    if requests.is_empty() {
        return Ok(file);
    }
    let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
        bail!("{} is no file that a component could lie in", file.display());
    };
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = sandbox::with_requests(bytes, requests);
    let directory = directory.join(FOLDER);
    let to = directory.join(name);
    write(&directory, &to, &bytes).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to)
}

/// Whoever reads the file meanwhile sees the old one or the new one.
fn write(directory: &Path, to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    // As open as any other file that is built.
    let open = fs::Permissions::from_mode(0o666);
    let new = tempfile::Builder::new().permissions(open).tempfile_in(directory)?;
    fs::write(new.path(), bytes)?;
    new.persist(to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_crate_says_what_it_asks_for() {
        let all = requests(&json!({ "segno": {
            "name": "pay/charge",
            "http": ["https://api.example.com", "https://API.example.com:443"],
            "secrets": ["PAY_KEY"],
        } }));
        let text = serde_json::to_string(&all.unwrap()).unwrap();
        assert_eq!(text, r#"{"http":["https://api.example.com"],"secrets":["PAY_KEY"]}"#);
        assert!(requests(&Value::Null).unwrap().is_empty());
        for (wrong, why) in [
            (json!({ "http": "https://api.example.com" }), "http is no list"),
            (json!({ "http": [1] }), "http is no list"),
            (json!({ "http": ["api.example.com"] }), "has no scheme"),
            (json!({ "secrets": ["PAY KEY"] }), "no name of a secret"),
        ] {
            let error = format!("{:#}", requests(&json!({ "segno": wrong })).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn cargos_file_stays_as_it_is_and_the_same_comes_of_it_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pay.wasm");
        fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
        assert_eq!(add(file.clone(), &Requests::default()).unwrap(), file);
        let asks = requests(&json!({ "segno": { "secrets": ["PAY_KEY"] } })).unwrap();
        let first = add(file.clone(), &asks).unwrap();
        let bytes = fs::read(&first).unwrap();
        assert_eq!(first.file_name(), file.file_name());
        assert_eq!(add(file.clone(), &asks).unwrap(), first);
        assert_eq!(fs::read(&first).unwrap(), bytes);
        assert_eq!(fs::read(&file).unwrap(), b"\0asm\x0d\0\x01\0");
        assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0\0"));
    }
}
