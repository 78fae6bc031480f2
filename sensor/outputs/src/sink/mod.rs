//! Receivers of records, and what they have of what they were given.
//!
//! | room | what |
//! | --- | --- |
//! | [`mod@file`] | lines of a file |
//! | [`datagram`] | syslog by UDP |
//! | [`stream`] | syslog by TCP and TLS |
//! | [`tls`] | whom to trust |
//! | [`http`] | one request and its answer |
//! | [`webhook`] | lines, arrays and collector events by POST |
//! | [`bulk`] | `_bulk` of Elasticsearch and OpenSearch |

pub mod bulk;
pub mod datagram;
pub mod file;
pub mod http;
pub mod stream;
pub mod tls;
pub mod webhook;

use crate::settings::{Kind, OutputSettings, Transport};
use std::time::Duration;

/// A record as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When the receiver has it, every sequence up to this one is dealt with: its own, or that of a record behind it
    /// that this output does not tell.
    pub through: u64,
    /// The journal's id.
    pub id: String,
    /// When it was, in ms since 1970.
    pub milliseconds: i64,
    /// The record, one line without its end.
    pub text: String,
}

/// How much may be with a receiver that has not confirmed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Records.
    pub records: usize,
    /// Octets of their texts.
    pub octets: usize,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// So many from the front were taken.
    pub taken: usize,
    /// So many of all that were taken so far, the oldest first, are confirmed by this.
    pub confirmed: usize,
    /// Those among the confirmed that the receiver will never take, and why: id and reason.
    pub refused: Vec<(String, String)>,
}

/// Why a batch did not go out. What was taken and not confirmed has to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// What to tell the operator; no secret is in it.
    pub message: String,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl SendError {
    /// An error without a wish of the receiver.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_after: None }
    }
}

/// A receiver.
pub trait Sink: Send {
    /// How much may be unconfirmed.
    fn window(&self) -> Window;

    /// Whether what is confirmed has arrived. A receiver by datagrams confirms nothing: what is sent counts as confirmed.
    fn is_reliable(&self) -> bool {
        true
    }

    /// Offers records that come behind those taken before, oldest first. Opens what has to be opened.
    ///
    /// # Errors
    /// Nothing that is unconfirmed may be taken as delivered.
    fn send(&mut self, batch: &[Message]) -> Result<Sent, SendError>;

    /// How many more of those taken, the oldest first, are confirmed by now.
    ///
    /// # Errors
    /// The connection is lost: nothing that is unconfirmed may be taken as delivered.
    fn confirm(&mut self) -> Result<usize, SendError> {
        Ok(0)
    }

    /// Ends in order within a second, and tells how many more are confirmed by that.
    fn finish(&mut self) -> usize {
        0
    }

    /// Something that went otherwise than it should, and was dealt with: told once.
    fn remark(&mut self) -> Option<String> {
        None
    }
}

/// The receiver that an output names. Nothing is opened yet.
pub fn of(settings: &OutputSettings) -> Box<dyn Sink> {
    match &settings.kind {
        Kind::File(file) => Box::new(file::FileSink::new(file.clone())),
        Kind::Syslog(syslog) if syslog.transport == Transport::Udp => {
            Box::new(datagram::DatagramSink::new(syslog.clone()))
        }
        Kind::Syslog(syslog) => Box::new(stream::StreamSink::new(syslog.clone())),
        Kind::Webhook(http, body) => Box::new(webhook::WebhookSink::new(http.clone(), *body, settings.format)),
        Kind::Bulk(http, index) => Box::new(bulk::BulkSink::new(http.clone(), index)),
    }
}

/// What a receiver says of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has it.
    Accepted,
    /// It will never take it.
    Refused(String),
    /// It may take it later.
    Later(String),
}

/// What a batch's verdicts come to. Records before the first that may go later are done with. A record is given up only
/// where the receiver takes another one of the batch: a receiver that refuses everything is set up wrongly, and waits.
fn settle(batch: &[Message], verdicts: &[Verdict], retry_after: Option<Duration>) -> Result<Sent, SendError> {
    let takes_any = verdicts.contains(&Verdict::Accepted);
    let mut sent = Sent::default();
    for (message, verdict) in batch.iter().zip(verdicts) {
        match verdict {
            Verdict::Accepted => {}
            Verdict::Refused(reason) if takes_any => sent.refused.push((message.id.clone(), reason.clone())),
            Verdict::Refused(reason) | Verdict::Later(reason) if sent.taken == 0 => {
                return Err(SendError { message: reason.clone(), retry_after });
            }
            Verdict::Refused(_) | Verdict::Later(_) => break,
        }
        sent.taken = sent.taken.saturating_add(1);
    }
    sent.confirmed = sent.taken;
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(count: u64) -> Vec<Message> {
        (1..=count).map(|n| Message { through: n, id: n.to_string(), milliseconds: 0, text: String::new() }).collect()
    }

    #[test]
    fn one_bad_record_is_given_up_and_a_receiver_that_takes_nothing_is_waited_for() {
        let refused = || Verdict::Refused("no".to_owned());
        let later = || Verdict::Later("busy".to_owned());
        let three = batch(3);
        let sent = settle(&three, &[Verdict::Accepted, refused(), Verdict::Accepted], None).unwrap();
        assert_eq!((sent.taken, sent.confirmed, sent.refused.len()), (3, 3, 1));
        let sent = settle(&three, &[refused(), later(), Verdict::Accepted], None).unwrap();
        assert_eq!((sent.taken, sent.refused.len()), (1, 1));
        assert_eq!(settle(&three, &[refused(), refused(), refused()], None).unwrap_err().message, "no");
        let wait = Some(Duration::from_secs(7));
        assert_eq!(
            settle(&three, &[later(), Verdict::Accepted, Verdict::Accepted], wait).unwrap_err().retry_after,
            wait
        );
    }
}
