//! The transport function: segments of link frames to application fragments, by the rules that stations go by.

/// Fragments that are put together at a time, of each direction of a flow.
pub const OPEN_MOST: usize = 8;
/// The octets of a fragment that are put together: what a station must be able to take, and hardly any can take more. Of
/// a longer one these are read, so that nothing hides behind its length.
pub const FRAGMENT_MOST: usize = 2_048;

/// The header octet of a segment (IEEE 1815-2012 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportHeader(pub u8);

impl TransportHeader {
    /// FIN: the last segment of a fragment.
    #[inline]
    #[must_use]
    pub fn is_final(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// FIR: the first segment of a fragment.
    #[inline]
    #[must_use]
    pub fn is_first(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// The sequence number, 0 to 63.
    #[inline]
    #[must_use]
    pub fn sequence(self) -> u8 {
        self.0 & 0x3F
    }
}

/// What was not as it should be with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentTrouble {
    /// Its name in records.
    pub name: &'static str,
    /// The number that was met.
    pub got: u64,
    /// The number that was to be expected, or the bound.
    pub expected: u64,
}

impl SegmentTrouble {
    fn new(name: &'static str, got: impl Into<u64>, expected: impl Into<u64>) -> Self {
        Self { name, got: got.into(), expected: expected.into() }
    }
}

/// What became of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assembled {
    /// The fragment is whole: it is in the data that were given, from this octet on.
    pub(super) whole: Option<usize>,
    /// It goes on beyond [`FRAGMENT_MOST`], where it is cut.
    pub(super) is_cut: bool,
    /// What was wrong.
    pub(super) trouble: Option<SegmentTrouble>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is open.
    Idle,
    /// More segments are to come.
    Open,
    /// As above, but the fragment is dropped: what is left of it is no news.
    Dropping,
}

/// One pair of link addresses, and what its fragment came to so far.
#[derive(Debug)]
struct Slot {
    pair: (u16, u16),
    state: State,
    octets: Vec<u8>,
    /// The header and the length of the last segment that was taken.
    last: (TransportHeader, usize),
    /// The fragment is longer than what is kept of it.
    is_cut: bool,
    /// Octets were lost since the last first segment.
    lost: bool,
    used: u64,
}

/// The fragments of one direction that are being put together.
#[derive(Debug)]
pub(super) struct Reassembly {
    /// [`OPEN_MOST`] at most. Idle ones keep their memory for the next fragment.
    slots: Vec<Slot>,
    /// Octets were lost, and no first segment of a pair without a slot has been heard since.
    lost: bool,
    clock: u64,
}

impl Default for Reassembly {
    /// Nobody knows what came before.
    fn default() -> Self {
        Self { slots: Vec::new(), lost: true, clock: 0 }
    }
}

impl Reassembly {
    /// Octets that it holds room for.
    pub(super) fn held(&self) -> usize {
        self.slots.iter().map(|slot| slot.octets.capacity()).fold(0, usize::saturating_add)
    }

    /// Takes a segment: `data` is its header octet and what follows it. A fragment of several segments that is whole is
    /// put into `data`.
    #[inline]
    pub(super) fn take(&mut self, pair: (u16, u16), header: TransportHeader, data: &mut Vec<u8>) -> Assembled {
        if header.is_first() && header.is_final() && self.slots.is_empty() {
            self.lost = false;
            return Assembled { whole: Some(1), is_cut: false, trouble: None };
        }
        self.take_part(pair, header, data)
    }

    fn take_part(&mut self, pair: (u16, u16), header: TransportHeader, data: &mut Vec<u8>) -> Assembled {
        self.clock = self.clock.wrapping_add(1);
        let place = self.slots.iter().position(|slot| slot.pair == pair);
        if header.is_first() {
            return self.take_first(place, pair, header, data);
        }
        let clock = self.clock;
        let part = |trouble| Assembled { whole: None, is_cut: false, trouble };
        let stray = Some(SegmentTrouble::new("segment_without_first", header.sequence(), 0_u8));
        let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) else {
            let trouble = if self.lost { None } else { stray };
            if !header.is_final()
                && let Some(slot) = self.vacate(pair, false)
            {
                (slot.state, slot.lost) = (State::Dropping, false);
            }
            return part(trouble);
        };
        slot.used = clock;
        let payload = data.get(1..).unwrap_or(&[]);
        let next = if header.is_final() { State::Idle } else { State::Dropping };
        let is_repeat = slot.last == (header, payload.len());
        match slot.state {
            State::Idle => {
                let trouble = if slot.lost || is_repeat { None } else { stray };
                slot.state = if is_repeat { State::Idle } else { next };
                part(trouble)
            }
            State::Dropping => {
                slot.state = next;
                part(None)
            }
            State::Open => {
                if is_repeat && (slot.is_cut || slot.octets.ends_with(payload)) {
                    return part(None);
                }
                let (before, _) = slot.last;
                let expected = before.sequence().wrapping_add(1) & 0x3F;
                if header.sequence() != expected {
                    slot.state = next;
                    slot.octets.clear();
                    return part(Some(SegmentTrouble::new("transport_sequence", header.sequence(), expected)));
                }
                let room = FRAGMENT_MOST.saturating_sub(slot.octets.len());
                let mut trouble = None;
                if payload.len() > room && !slot.is_cut {
                    slot.is_cut = true;
                    let [got, most] = [slot.octets.len().saturating_add(payload.len()), FRAGMENT_MOST]
                        .map(|n| u64::try_from(n).unwrap_or(u64::MAX));
                    trouble = Some(SegmentTrouble::new("fragment_too_long", got, most));
                }
                slot.last = (header, payload.len());
                slot.octets.extend_from_slice(payload.get(..room).unwrap_or(payload));
                if !header.is_final() {
                    return part(trouble);
                }
                slot.state = State::Idle;
                std::mem::swap(&mut slot.octets, data);
                slot.octets.clear();
                Assembled { whole: Some(0), is_cut: slot.is_cut, trouble }
            }
        }
    }

    fn take_first(
        &mut self,
        place: Option<usize>,
        pair: (u16, u16),
        header: TransportHeader,
        data: &[u8],
    ) -> Assembled {
        let clock = self.clock;
        let payload = data.get(1..).unwrap_or(&[]);
        let mut trouble = None;
        let slot = match place.and_then(|place| self.slots.get_mut(place)) {
            Some(slot) => {
                if slot.state == State::Open {
                    if slot.last == (header, payload.len()) && slot.octets == payload {
                        slot.used = clock;
                        return Assembled { whole: None, is_cut: false, trouble };
                    }
                    let [got, sequence] = [header, slot.last.0].map(TransportHeader::sequence);
                    let expected = sequence.wrapping_add(1) & 0x3F;
                    trouble = Some(SegmentTrouble::new("fragment_abandoned", got, expected));
                }
                Some(slot)
            }
            None => {
                self.lost = false;
                if header.is_final() {
                    None
                } else {
                    if self.slots.len() >= OPEN_MOST && self.slots.iter().all(|slot| slot.state != State::Idle) {
                        let most = u64::try_from(OPEN_MOST).unwrap_or(u64::MAX);
                        trouble = Some(SegmentTrouble::new("fragments_open", most.saturating_add(1), most));
                    }
                    self.vacate(pair, true)
                }
            }
        };
        if let Some(slot) = slot {
            (slot.used, slot.lost, slot.is_cut) = (clock, false, false);
            slot.octets.clear();
            if header.is_final() {
                slot.state = State::Idle;
            } else {
                slot.state = State::Open;
                slot.last = (header, payload.len());
                slot.octets.extend_from_slice(payload);
            }
        }
        Assembled { whole: header.is_final().then_some(1), is_cut: false, trouble }
    }

    /// A slot for a pair that has none: a new one, an idle one, or, where `force` is, the one that was used least lately.
    fn vacate(&mut self, pair: (u16, u16), force: bool) -> Option<&mut Slot> {
        let idle = self.slots.iter().position(|slot| slot.state == State::Idle);
        let place = match idle {
            Some(place) => place,
            None if self.slots.len() < OPEN_MOST => {
                let last = (TransportHeader(0), 0);
                self.slots.push(Slot {
                    pair,
                    state: State::Idle,
                    octets: Vec::new(),
                    last,
                    is_cut: false,
                    lost: false,
                    used: 0,
                });
                self.slots.len().saturating_sub(1)
            }
            None if force => self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.used).map(|(place, _)| place)?,
            None => return None,
        };
        let clock = self.clock;
        let slot = self.slots.get_mut(place)?;
        (slot.pair, slot.used, slot.lost, slot.is_cut) = (pair, clock, false, false);
        slot.last = (TransportHeader(0), usize::MAX);
        slot.octets.clear();
        Some(slot)
    }

    /// Octets were lost: open fragments can't become whole any more, and nobody is to blame.
    pub(super) fn gap(&mut self) {
        self.lost = true;
        for slot in &mut self.slots {
            if slot.state == State::Open {
                slot.state = State::Dropping;
            }
            slot.lost = true;
            slot.octets.clear();
        }
    }
}

#[cfg(test)]
impl Reassembly {
    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How many octets they could hold.
    pub(super) fn octets(&self) -> usize {
        self.slots.iter().map(|slot| slot.octets.capacity()).sum()
    }
}
