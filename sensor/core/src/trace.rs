//! `Trace`: what became of one frame, told step by step for the person who asks why it raised nothing.

use std::sync::Arc;
use yagura_parsers::error::ParseError;
use yagura_parsers::message::Operation;
use yagura_parsers::packet::Packet;
use yagura_rules::facts::event::Fields;
use yagura_rules::facts::flow::Flow;
use yagura_rules::norm::Verdict;

/// One step of a frame's way.
#[derive(Debug, Clone)]
pub enum Note {
    /// Its headers.
    Headers(Box<Packet>),
    /// It is a mirror's second copy, and is not judged.
    Duplicate,
    /// It is a fragment that waits for others.
    FragmentHeld,
    /// It completes a datagram, that is read instead of it.
    Reassembled {
        /// Octets of the datagram.
        octets: u64,
    },
    /// It belongs to this flow; `false` means against the client's direction.
    Flow(Arc<Flow>, bool),
    /// It carries no payload, or none that anyone reads.
    NoPayload,
    /// What the stream made of it: `in_order`, `retransmission`, `out_of_order`, `overlap`, `keep_alive`, ...
    Stream(&'static str),
    /// Nothing of the list speaks like this: the flow's octets are counted by port.
    Unidentified,
    /// A PDU was read.
    Message {
        /// Its protocol's name.
        protocol: &'static str,
        /// Its fields.
        fields: Fields,
        /// What is wrong with it.
        fault: Option<ParseError>,
    },
    /// An operation of it, and what site file and baseline say.
    Judged {
        /// The operation.
        operation: Operation,
        /// Opinion.
        verdict: Verdict,
        /// Whether it was settled without the judge because it is usual.
        settled: bool,
    },
    /// An event went to the judge: its name.
    Event(&'static str),
}

/// What became of one frame.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Steps, in order.
    pub notes: Vec<Note>,
}
