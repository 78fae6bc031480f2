//! The first line of a run: what was read, and by which files it is judged.

use super::SCHEMA;
use super::write::{line, sha256, time};
use serde::Serialize;
use yagura_rules::facts::time::Timestamp;

/// An operator's file that a run is judged by.
#[derive(Debug, Clone, Serialize)]
pub struct FileShape {
    /// Its name as it was given or included.
    pub file: String,
    /// SHA-256 of its octets.
    pub sha256: String,
}

impl FileShape {
    /// The shape of a file.
    pub fn new(name: &str, text: &str) -> Self {
        Self { file: name.to_owned(), sha256: sha256(text.as_bytes()) }
    }
}

/// The first line of a run. It says nothing of threads, clocks or machines: equal inputs give equal lines.
#[derive(Debug, Clone, Serialize)]
pub struct RunRecord {
    /// `run`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub version: &'static str,
    /// The sensor's name.
    pub sensor: Option<String>,
    /// The site's name.
    pub site: Option<String>,
    /// The captures, in the order of the arguments.
    pub captures: Vec<String>,
    /// Site file, baseline and what they include, in the order they were read.
    pub files: Vec<FileShape>,
    /// Frames after this time were not looked at.
    pub until: Option<String>,
    /// Frames beyond this number were not looked at.
    pub frames_max: Option<u64>,
}

impl RunRecord {
    /// The first line of a run.
    pub fn new(
        sensor: Option<&str>,
        site: Option<&str>,
        captures: &[String],
        files: Vec<FileShape>,
        until: Option<Timestamp>,
        frames_max: Option<u64>,
    ) -> Self {
        Self {
            kind: "run",
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            sensor: sensor.map(str::to_owned),
            site: site.map(str::to_owned),
            captures: captures.to_vec(),
            files,
            until: until.map(time),
            frames_max,
        }
    }

    /// As one line.
    pub fn line(&self) -> String {
        line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::tests::assert_valid;

    #[test]
    fn a_run_has_its_shape() {
        let files = vec![FileShape::new("site.toml", "schema = 1\n")];
        let text = RunRecord::new(Some("s"), None, &["a\u{1b}".to_owned()], files, Some(Timestamp(1)), None).line();
        assert_valid("run", &text);
        assert!(text.contains(r#""captures":["a\u001b"]"#), "{text}");
        assert!(text.contains(r#""until":"1970-01-01T00:00:00.000000001Z","frames_max":null"#), "{text}");
    }
}
