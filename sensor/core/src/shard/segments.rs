//! TCP segments into the order of their streams: handshakes, gaps, repeats, ends.

use super::hand::{At, Hand, add, length};
use super::{direction, is_usual};
use crate::flow::FlowState;
use crate::stream::assembler::History;
use crate::stream::{Place, ahead};
use crate::trace::Note;
use std::sync::Arc;
use yagura_parsers::dissect::Direction;
use yagura_parsers::packet::TcpFlags;
use yagura_rules::facts::event::EventKind;

/// Octets of a direction that are remembered while nobody knows what the flow speaks.
const UNKNOWN_HISTORY: usize = 256;

impl Hand {
    #[expect(clippy::too_many_arguments, reason = "the fields of one header, in its order")]
    #[inline]
    pub(super) fn tcp(
        &mut self,
        flow: &mut FlowState,
        at: &At,
        from_low: bool,
        sequence: u32,
        acknowledgment: u32,
        flags: TcpFlags,
        payload: &[u8],
    ) {
        let syn = flags.any(TcpFlags::SYN);
        let reset = flags.any(TcpFlags::RST);
        let opener = direction(flow, from_low) == Direction::ToServer;
        if !flow.answered && !opener && flow.attempt {
            if reset {
                flow.attempt = false;
                self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::FlowRefused);
            } else {
                flow.answered = true;
                self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::FlowAnswered);
            }
        } else if !flow.answered && !flow.attempt && !reset && flow.summary.frames.iter().all(|frames| *frames > 0) {
            flow.answered = true;
            self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::FlowAnswered);
        }
        let end = usize::from(!from_low);
        let Some(side) = flow.sides.get_mut(end) else { return };
        let mut sequence = sequence;
        if syn {
            if side.next.is_none() {
                side.initial = Some(sequence);
                side.next = Some(sequence.wrapping_add(1));
            }
            sequence = sequence.wrapping_add(1);
            if flags.any(TcpFlags::ACK) {
                flow.summary.handshake = true;
                if let Some(opener) = flow.sides.get_mut(1_usize.wrapping_sub(end)) {
                    opener.settle_restart(acknowledgment);
                }
            }
        }
        let Some(side) = flow.sides.get_mut(end) else { return };
        if reset {
            // A reset far from where the stream is was not made by its ends (RFC 9293 3.5.3).
            if side.is_near(sequence) || sequence == 0 {
                flow.closed = true;
            } else {
                self.anomaly("reset_out_of_window");
            }
            return;
        }
        if flags.any(TcpFlags::ACK)
            && let Some(other) = flow.sides.get_mut(1_usize.wrapping_sub(end))
        {
            other.acknowledged = Some(acknowledgment);
        }
        if !payload.is_empty() {
            self.segment(flow, at, from_low, sequence, payload, false);
        }
        if flags.any(TcpFlags::FIN) {
            let past = sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
            self.fin(flow, end, past);
        }
        if flow.sides.iter().any(|side| !side.held.is_empty()) {
            self.overdue(flow, at);
        }
    }

    pub(super) fn fin(&mut self, flow: &mut FlowState, end: usize, sequence: u32) {
        let Some(side) = flow.sides.get_mut(end) else { return };
        if !side.is_near(sequence) {
            self.anomaly("fin_out_of_window");
            return;
        }
        side.finished = true;
        if flow.sides.iter().all(|side| side.finished) {
            flow.closed = true;
        }
    }

    /// Gives up what is missing in either direction, where it must be.
    fn overdue(&mut self, flow: &mut FlowState, at: &At) {
        for low in [true, false] {
            let Some(side) = flow.sides.get(usize::from(!low)) else { continue };
            let passes = side.passes(&self.limits);
            if let Some(bound) = passes {
                self.limit(bound);
                flow.damaged = true;
            }
            if passes.is_some() || side.is_overdue(&self.limits, at.now) {
                self.skip_gaps(flow, at, low, false);
            }
        }
    }

    /// Goes on after what is missing; `all` of it where the flow ends.
    pub(super) fn skip_gaps(&mut self, flow: &mut FlowState, at: &At, low: bool, all: bool) {
        let end = usize::from(!low);
        loop {
            let direction = direction(flow, low);
            let Some(side) = flow.sides.get_mut(end) else { return };
            if side.held.is_empty() {
                return;
            }
            let pending = side.pending.len();
            let Some(lost) = side.skip_to_held() else { return };
            self.streams_octets = self.streams_octets.saturating_sub(pending);
            if lost > 0 {
                flow.damaged = true;
                flow.missed = Some(at.now);
                add(&mut self.gaps, 1);
                add(&mut self.gap_octets, lost);
                if let Some(speech) = &mut flow.speech {
                    speech.dissector.gap(direction);
                    self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::Gap { direction, octets: lost });
                }
            }
            self.release(flow, at, low);
            if !all {
                return;
            }
        }
    }

    /// Reads held segments that are in order now.
    pub(super) fn release(&mut self, flow: &mut FlowState, at: &At, low: bool) {
        let end = usize::from(!low);
        loop {
            let Some(side) = flow.sides.get_mut(end) else { return };
            let Some(next) = side.next else { return };
            let Some((sequence, octets)) = side.held.take_ready(next, at.now) else { return };
            self.streams_octets = self.streams_octets.saturating_sub(octets.len());
            self.segment(flow, at, low, sequence, &octets, true);
        }
    }

    /// Reads one segment's payload, wherever it belongs in its stream. `released`: it was held until now.
    #[inline]
    pub(super) fn segment(
        &mut self,
        flow: &mut FlowState,
        at: &At,
        from_low: bool,
        sequence: u32,
        payload: &[u8],
        released: bool,
    ) {
        let end = usize::from(!from_low);
        let Some(side) = flow.sides.get_mut(end) else { return };
        let place = side.place(sequence, payload);
        if side.is_former(sequence) && !matches!(place, Place::Next(_)) {
            self.conflict(flow, at, from_low);
        }
        let past = sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        let repeats = matches!(place, Place::Repeat(false) | Place::Overlap(_, false));
        if repeats && flow.speech.is_some() && flow.sides.get(end).is_some_and(|side| side.has_forgotten(sequence)) {
            self.limit("history_octets");
        }
        let fresh = match place {
            Place::Next(from) => payload.get(from..).unwrap_or(&[]),
            Place::Overlap(old, differs) => {
                self.anomaly("stream_overlap");
                if differs {
                    self.conflict(flow, at, from_low);
                }
                payload.get(old..).unwrap_or(&[])
            }
            Place::Repeat(differs) => {
                add(&mut self.retransmissions, 1);
                if differs {
                    self.conflict(flow, at, from_low);
                }
                self.stream_note(at, "retransmission");
                return;
            }
            Place::KeepAlive => {
                self.stream_note(at, "keep_alive");
                return;
            }
            Place::Early => {
                self.stream_note(at, "out_of_order");
                self.hold(flow, at, from_low, sequence, payload);
                return;
            }
            Place::Late => {
                self.stream_note(at, "late");
                self.anomaly("late_segment");
                let direction = direction(flow, from_low);
                if let Some(mut speech) = flow.speech.take() {
                    speech.dissector.gap(direction);
                    self.feed(flow, &mut speech, at, direction, payload);
                    speech.dissector.gap(direction);
                    flow.speech = Some(speech);
                }
                return;
            }
        };
        self.stream_note(at, "in_order");
        let Some(side) = flow.sides.get_mut(end) else { return };
        let start = side.next.unwrap_or(sequence);
        let late = side.acknowledged.is_some_and(|ack| ahead(ack, start) > 0);
        side.advance(past);
        let marked;
        let at = if late && !released {
            marked = At { late: true, ..*at };
            &marked
        } else {
            at
        };
        self.remember(flow, end, fresh);
        self.in_order(flow, at, from_low, fresh);
        if flow.sides.get(end).is_some_and(|side| !side.held.is_empty()) {
            self.release(flow, at, from_low);
        }
    }

    pub(super) fn stream_note(&mut self, at: &At, state: &'static str) {
        if self.is_watched(at) {
            self.notes.push(Note::Stream(state));
        }
    }

    pub(super) fn conflict(&mut self, flow: &FlowState, at: &At, from_low: bool) {
        self.anomaly("stream_conflict");
        let direction = direction(flow, from_low);
        self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::StreamConflict { direction });
    }

    /// Keeps octets in mind, to tell what repeats them: few while nobody knows what a flow on a port of no protocol speaks,
    /// none once it is given up.
    #[inline]
    fn remember(&mut self, flow: &mut FlowState, end: usize, octets: &[u8]) {
        let unknown = flow.speech.is_none();
        let few = unknown && !is_usual(flow.facts.server.port);
        let max = self.limits.history_octets.min(if few { UNKNOWN_HISTORY } else { usize::MAX });
        let given_up = unknown && flow.probes >= self.limits.probe_segments_max;
        let Some(side) = flow.sides.get_mut(end) else { return };
        let held = side.history.as_ref().map_or(0, |history| history.len());
        if max == 0 || given_up {
            self.streams_octets = self.streams_octets.saturating_sub(held);
            side.history = None;
            return;
        }
        if held < max {
            let more = max.saturating_sub(held);
            if self.streams_octets.saturating_add(more) > self.streams_octets_max {
                self.limit("streams_octets_max");
                return;
            }
            self.streams_octets = self.streams_octets.saturating_add(more);
            let grown = side.history.as_ref().map_or_else(|| History::new(max), |history| history.grown(max));
            side.history = Some(Box::new(grown));
        }
        if let Some(history) = &mut side.history {
            history.push(octets);
        }
    }

    pub(super) fn hold(&mut self, flow: &mut FlowState, at: &At, from_low: bool, sequence: u32, payload: &[u8]) {
        if flow.speech.is_none() && flow.probes >= self.limits.probe_segments_max {
            // Nobody reads this flow: its order does not matter.
            add(&mut flow.undecoded, length(payload));
            if let Some(side) = flow.sides.get_mut(usize::from(!from_low)) {
                side.advance(sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(0)));
            }
            return;
        }
        self.anomaly("out_of_order");
        if self.streams_octets.saturating_add(payload.len()) > self.streams_octets_max {
            self.limit("streams_octets_max");
            self.skip_gaps(flow, at, from_low, true);
        }
        let Some(side) = flow.sides.get_mut(usize::from(!from_low)) else { return };
        let (added, differs) = side.held.insert(sequence, payload, at.now);
        self.streams_octets = self.streams_octets.saturating_add(added);
        if differs {
            self.conflict(flow, at, from_low);
        }
    }
}
