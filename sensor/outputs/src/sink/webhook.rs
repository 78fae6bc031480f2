//! Records by HTTP POST: a line each, an array, or events of Splunk's HTTP Event Collector.

use super::http::{Answer, Poster};
use super::{Message, SendError, Sent, Sink, Verdict, Window, settle};
use crate::format::Format;
use crate::format::json;
use crate::settings::{Body, HttpSettings};
use std::fmt::Write as _;

/// A receiver that takes a batch with an answer of 200 to 299.
pub struct WebhookSink {
    poster: Poster,
    body: Body,
    format: Format,
}

impl WebhookSink {
    /// Nothing is opened yet.
    pub fn new(settings: HttpSettings, body: Body, format: Format) -> Self {
        Self { poster: Poster::new(settings), body, format }
    }

    fn post(&mut self, batch: &[Message]) -> Result<Answer, SendError> {
        let (content, body) = match self.body {
            Body::Lines if self.format == Format::Cef => ("text/plain; charset=utf-8", lines(batch)),
            Body::Lines => ("application/x-ndjson", lines(batch)),
            Body::Array => ("application/json", array(batch)),
            Body::Hec => ("application/json", events(batch, self.format)),
        };
        self.poster.post("", content, body.as_bytes())
    }
}

impl Sink for WebhookSink {
    fn window(&self) -> Window {
        Window { records: self.poster.batch(), octets: 4 << 20 }
    }

    fn send(&mut self, batch: &[Message]) -> Result<Sent, SendError> {
        let answer = self.post(batch)?;
        match verdict(&answer) {
            Verdict::Accepted => Ok(Sent { taken: batch.len(), confirmed: batch.len(), refused: Vec::new() }),
            // One record may spoil the batch for the others: each goes alone.
            Verdict::Refused(_) if batch.len() > 1 => {
                let mut verdicts = Vec::with_capacity(batch.len());
                let mut retry_after = None;
                for message in batch {
                    let verdict = match self.post(std::slice::from_ref(message)) {
                        Ok(answer) => {
                            retry_after = answer.retry_after;
                            verdict(&answer)
                        }
                        Err(error) => Verdict::Later(error.message),
                    };
                    let ends = matches!(verdict, Verdict::Later(_));
                    verdicts.push(verdict);
                    if ends {
                        break;
                    }
                }
                settle(batch, &verdicts, retry_after)
            }
            Verdict::Refused(reason) | Verdict::Later(reason) => {
                Err(SendError { message: reason, retry_after: answer.retry_after })
            }
        }
    }
}

/// 400, 413 and 422 speak of the body; everything else may be another time (RFC 9110, section 15).
fn verdict(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Accepted,
        400 | 413 | 422 => Verdict::Refused(answer.told()),
        _ => Verdict::Later(answer.told()),
    }
}

fn lines(batch: &[Message]) -> String {
    let mut body = String::new();
    for message in batch {
        body.push_str(&message.text);
        body.push('\n');
    }
    body
}

fn array(batch: &[Message]) -> String {
    let texts: Vec<&str> = batch.iter().map(|message| message.text.as_str()).collect();
    format!("[{}]", texts.join(","))
}

fn events(batch: &[Message], format: Format) -> String {
    let mut body = String::new();
    for message in batch {
        let seconds = message.milliseconds.div_euclid(1_000);
        let rest = message.milliseconds.rem_euclid(1_000);
        let id = json::line(&message.id).unwrap_or_default();
        let _ = writeln!(
            body,
            "{{\"time\":{seconds}.{rest:03},\"source\":\"yagura\",\"sourcetype\":\"yagura:{}\",\
             \"fields\":{{\"yagura_id\":{id}}},\"event\":{}}}",
            format.name(),
            message.text
        );
    }
    body
}
