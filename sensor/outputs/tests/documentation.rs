//! What the documents tell operators to write is taken.

use std::path::Path;
use yagura_outputs::settings::{MetricsSettings, OutputSettings, check};

#[derive(serde::Deserialize)]
struct Configuration {
    #[serde(default)]
    output: Vec<OutputSettings>,
    metrics: Option<MetricsSettings>,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn every_example_of_the_outputs_document_is_taken() {
    let text = read("docs/outputs.md");
    let mut outputs = Vec::new();
    let mut metrics = 0;
    for block in text.split("```toml\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let configuration: Configuration = toml::from_str(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        outputs.extend(configuration.output);
        metrics += usize::from(configuration.metrics.is_some());
    }
    // The first shows the keys of every kind without those of one.
    assert_eq!((outputs.len(), metrics), (7, 1));
    check(&outputs).unwrap();
}
