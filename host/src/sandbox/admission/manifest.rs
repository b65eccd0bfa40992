//! What a component asks for beyond its imports: a custom section at the end of
//! its file, whose content is JSON. Who has none asks for nothing.

use super::Refused;
use segno_engine::grant::Requests;

/// The section's name.
pub(super) const SECTION: &str = "segno:manifest";

/// The most bytes of JSON.
const BYTES_MAX: usize = 64 << 10;

/// What the section says.
///
/// # Errors
/// It says nothing that could be understood.
pub(super) fn read(section: Option<&[u8]>) -> Result<Requests, Refused> {
    let Some(json) = section else { return Ok(Requests::default()) };
    let remedy = "correct [package.metadata.segno] and build it with `segno component build`";
    if json.len() > BYTES_MAX {
        let message =
            format!("its section {SECTION} has {} bytes, and {BYTES_MAX} is the most", json.len());
        return Err(Refused::new(message, remedy));
    }
    let bad =
        |why: String| Refused::new(format!("its section {SECTION} cannot be used: {why}"), remedy);
    // Serde would also take the members without their names, in a list.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad("it is no JSON object".to_owned()));
    }
    let requests: Requests =
        serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
    requests.normal().map_err(|error| bad(error.to_string()))
}

/// A component, or a core module, that asks for `requests`. One that asks for
/// nothing is left as it is; one that asks already is so that it cannot be
/// admitted, because nobody could say which of the two counts.
#[must_use]
pub fn with_requests(mut file: Vec<u8>, requests: &Requests) -> Vec<u8> {
    if requests.is_empty() {
        return file;
    }
    let json = serde_json::to_vec(requests).expect("requests are plain data, which JSON has");
    let mut content = Vec::with_capacity(json.len() + SECTION.len() + 2);
    push_length(&mut content, SECTION.len());
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(&json);
    file.push(0); // a custom section
    push_length(&mut file, content.len());
    file.extend_from_slice(&content);
    file
}

/// Unsigned LEB128, as lengths are written in WebAssembly.
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push(0x80 | (length & 0x7f) as u8);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::AdmissionLimits;
    use crate::sandbox::admission::survey::Survey;

    /// The smallest component.
    const EMPTY: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn found(file: &[u8]) -> Result<Requests, Refused> {
        let survey = Survey::of(file, &AdmissionLimits::default())?;
        read(survey.manifest.as_deref())
    }

    fn requests(count: usize) -> Requests {
        let http = (0..count).map(|number| format!("https://a{number}.example").parse().unwrap());
        let requests = Requests { http: http.collect(), secrets: vec!["PAY_KEY".to_owned()] };
        requests.normal().unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        // Sections whose length takes one byte, and two.
        for count in [0, 1, 5, 90] {
            let requests = requests(count);
            assert_eq!(found(&with_requests(EMPTY.to_vec(), &requests)), Ok(requests));
        }
        assert_eq!(found(&EMPTY), Ok(Requests::default()));
        assert_eq!(with_requests(EMPTY.to_vec(), &Requests::default()), EMPTY);
    }

    #[test]
    fn lengths_are_written_as_in_webassembly() {
        for (length, expected) in
            [(0, &[0][..]), (127, &[0x7f]), (128, &[0x80, 1]), (624_485, &[0xe5, 0x8e, 0x26])]
        {
            let mut bytes = Vec::new();
            push_length(&mut bytes, length);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn one_component_has_one_manifest() {
        let once = with_requests(EMPTY.to_vec(), &requests(1));
        let refused = found(&with_requests(once, &requests(2))).unwrap_err();
        assert!(refused.reason.contains(SECTION), "{refused}");
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for json in [
            "",
            "[]",
            "{",
            r#"{"http":["api.example.com"]}"#,
            r#"{"http":["https://api.example.com/v1"]}"#,
            r#"{"secrets":["no name"]}"#,
            r#"{"files":["/etc"]}"#,
        ] {
            let refused = read(Some(json.as_bytes())).expect_err(json).to_string();
            assert!(refused.contains(SECTION) && refused.contains("component build"), "{refused}");
        }
        let long = format!("{{\"secrets\":[]{}}}", " ".repeat(BYTES_MAX));
        assert!(read(Some(long.as_bytes())).is_err());
    }
}
