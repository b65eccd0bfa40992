//! Files that a user names: every way in which one cannot be read has a
//! sentence that says which file, and what to do.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// The text of a file; `-` is standard input.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        bytes
    } else {
        read_bytes(path)?
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let path = path.display();
        anyhow::anyhow!("{path} is not text in UTF-8: byte {at} does not belong there")
    })
}

/// The bytes of a file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    if path.is_dir() {
        bail!("{shown} is a directory; give a file");
    }
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("there is no file {shown}"),
        _ => anyhow::anyhow!("cannot read {shown}: {error}"),
    })
}

/// Writes a file into a directory, which is made if it is missing.
pub(super) fn write(directory: &Path, name: &str, bytes: &[u8]) -> Result<std::path::PathBuf> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let path = directory.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        format!("{:#}", read_text(path).unwrap_err())
    }

    #[test]
    fn files_that_cannot_be_read_are_explained() {
        let directory = std::env::temp_dir().join(format!("segno-file-{}", std::process::id()));
        let path = write(&directory, "latin1", b"caf\xe9").unwrap();
        assert!(
            refusal(&path).ends_with("latin1 is not text in UTF-8: byte 3 does not belong there")
        );
        assert!(refusal(&directory).ends_with(" is a directory; give a file"));
        assert!(refusal(&directory.join("x.yaml")).starts_with("there is no file "));
        fs::remove_dir_all(directory).unwrap();
    }
}
