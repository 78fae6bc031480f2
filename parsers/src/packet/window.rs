//! `Window`: the octets of a frame that the next header may be read from, and what they were on the wire.

use super::Anomalies;
use crate::reader::Reader;

/// A range of a frame that every header makes smaller. `at <= end <= octets.len()` and `end <= wire_end` always hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    octets: &'a [u8],
    /// The next octet to read.
    at: usize,
    /// Where the captured octets of the present layer end.
    end: usize,
    /// Where they ended on the wire: past `end` where the capture was cut.
    wire_end: usize,
    /// What was odd on the way.
    pub(super) anomalies: Anomalies,
}

impl<'a> Window<'a> {
    /// The whole frame, of which `wire_octets` were on the wire.
    #[inline]
    pub(super) fn new(octets: &'a [u8], wire_octets: usize) -> Self {
        Self {
            octets,
            at: 0,
            end: octets.len(),
            wire_end: wire_octets.max(octets.len()),
            anomalies: Anomalies::default(),
        }
    }

    /// What is left of the present layer.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..self.end).unwrap_or(&[])
    }

    /// A reader over what is left.
    #[inline]
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader::new(self.rest())
    }

    /// Octets of the frame before what is left.
    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Passes `octets` that were read.
    #[inline]
    pub(super) fn skip(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets).min(self.end);
    }

    /// Goes back to an earlier state; what was odd since then stays noted.
    pub(super) fn back_to(&mut self, before: &Self) {
        *self = Self { anomalies: self.anomalies, ..*before };
    }

    /// Drops the last `octets`.
    pub(super) fn trim(&mut self, octets: usize) {
        self.end = self.end.saturating_sub(octets).max(self.at);
        self.wire_end = self.end;
    }

    /// Takes a header's word that its layer has `claimed` octets from here: what follows them is padding or a trailer.
    /// A claim past the end of a cut capture stands; one past the carrier's own end does not and is noted.
    #[inline]
    pub(super) fn limit(&mut self, claimed: usize) {
        let claimed_end = self.at.saturating_add(claimed);
        if claimed_end <= self.end {
            self.end = claimed_end;
            self.wire_end = claimed_end;
        } else if claimed_end <= self.wire_end {
            self.wire_end = claimed_end;
        } else {
            self.anomalies.note(Anomalies::LENGTH);
        }
    }

    /// Says that the octets were cut by an unknown number before they came here (a mirror's own cut).
    pub(super) fn cut_by_mirror(&mut self) {
        self.wire_end = usize::MAX;
    }

    /// Whether the present layer had more octets on the wire than were captured.
    #[inline]
    pub(super) fn is_cut(&self) -> bool {
        self.end < self.wire_end
    }

    /// Notes that a header does not fit: cut by the capture, or longer than its carrier.
    #[cold]
    pub(super) fn note_short(&mut self) {
        self.anomalies.note(if self.is_cut() { Anomalies::TRUNCATED } else { Anomalies::LENGTH });
    }

    /// Notes that a header contradicts its standard.
    #[cold]
    pub(super) fn note_header(&mut self) {
        self.anomalies.note(Anomalies::HEADER);
    }
}
