//! Records by `_bulk` of Elasticsearch and OpenSearch. Each is created under the journal's id: what is there already is
//! answered as a conflict and is as good as written, so that a record that is sent twice stands there once.

use super::http::{Answer, Poster};
use super::{Message, SendError, Sent, Sink, Verdict, Window, settle};
use crate::format::json;
use crate::settings::HttpSettings;
use serde::Deserialize;
use std::fmt::Write as _;

/// An index or a data stream.
pub struct BulkSink {
    poster: Poster,
    path: String,
}

#[derive(Deserialize)]
struct Report {
    errors: bool,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<serde_json::Value>,
}

impl BulkSink {
    /// Nothing is opened yet.
    pub fn new(settings: HttpSettings, index: &str) -> Self {
        // Of the answer only what is needed, since it has an item for each record.
        let path = format!("/{index}/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason");
        Self { poster: Poster::new(settings), path }
    }
}

impl Sink for BulkSink {
    fn window(&self) -> Window {
        Window { records: self.poster.batch(), octets: 4 << 20 }
    }

    fn send(&mut self, batch: &[Message]) -> Result<Sent, SendError> {
        let mut body = String::new();
        for message in batch {
            let id = json::line(&message.id).unwrap_or_default();
            let _ = writeln!(body, "{{\"create\":{{\"_id\":{id}}}}}\n{}", message.text);
        }
        let answer = self.poster.post(&self.path, "application/x-ndjson", body.as_bytes())?;
        let retry_after = answer.retry_after;
        let verdicts = verdicts(batch.len(), &answer).map_err(|message| SendError { message, retry_after })?;
        settle(batch, &verdicts, retry_after)
    }
}

fn verdicts(records: usize, answer: &Answer) -> Result<Vec<Verdict>, String> {
    if !(200..=299).contains(&answer.status) {
        return Err(answer.told());
    }
    let report: Report =
        serde_json::from_slice(&answer.body).map_err(|error| format!("no answer to _bulk: {error}"))?;
    if !report.errors {
        return Ok(vec![Verdict::Accepted; records]);
    }
    if report.items.len() != records {
        return Err(format!("an answer for {} records to a request of {records}", report.items.len()));
    }
    let outcomes = report.items.into_iter().map(|item| {
        let told = || {
            let error = item.create.error.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("status {}: {}", item.create.status, json::visible(json::fit(&error, 200).0))
        };
        match item.create.status {
            200..=299 | 409 => Verdict::Accepted,
            400 | 413 | 422 => Verdict::Refused(told()),
            _ => Verdict::Later(told()),
        }
    });
    Ok(outcomes.collect())
}
