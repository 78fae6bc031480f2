//! What must hold of every protocol, whatever octets it is given: the whole of what the protocols' targets check.

use crate::Octets;
use crate::digest::{Digest, Meaning};
use std::cell::Cell;
use std::sync::OnceLock;
use yagura_parsers::dissect::{
    Direction, Dissected, Dissector, FieldSizes, Framing, Hints, Listener, Probe, Protocol, Sender, feed,
};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::{Describe, Operation};
use yagura_parsers::protocols::{Identified, identify};

/// Octets of good PDUs in a row after which a dissector must have found its way, wherever it was led before.
const GOOD_OCTETS: usize = 1400;

/// What a target says of its protocol.
pub trait Subject {
    /// The protocol.
    type Protocol: Protocol;

    /// A dissector of the dialect that the second octet of the input chooses, where its first wants one.
    fn dissector(hints: &Hints, other_dialect: bool) -> <Self::Protocol as Protocol>::Dissector;

    /// Makes octets PDUs as far as lengths and checksums go: each behind the other, to the end. Nothing else is changed.
    fn repair(_octets: &mut [u8]) {}

    /// Makes a piece what comes after it if its PDU is said again and again: numbers go on.
    fn go_on(_octets: &mut [u8]) {}

    /// A PDU without fault that does not depend on what was read before it; nothing in a row of them looks like another.
    fn good(direction: Direction, other_dialect: bool) -> &'static [u8];

    /// Whether messages never depend on how a stream is cut, not even where octets were skipped or lost.
    const ANY_CUT: bool = false;

    /// Whether what is not the protocol stays so when more octets come.
    const REFUSES_FOR_GOOD: bool = true;

    /// Whether a dialect finds back into its stream at once.
    fn resynchronizes(_other_dialect: bool) -> bool {
        true
    }
}

/// A dissector, with an eye on what it answers: each turn of the loop uses something up, tells something, or ends it.
struct Watched<D> {
    dissector: D,
    turns: Cell<usize>,
}

impl<D: Dissector> Dissector for Watched<D> {
    type Message<'a>
        = D::Message<'a>
    where
        D: 'a;

    #[inline]
    fn frame(&self, direction: Direction, octets: &[u8]) -> Framing {
        self.turns.set(self.turns.get() + 1);
        let framing = self.dissector.frame(direction, octets);
        match framing {
            Framing::Whole(len) | Framing::Lost(len) => assert!((1..=octets.len()).contains(&len), "{framing:?}"),
            Framing::Short(need) => assert!(need > octets.len(), "{framing:?} of {}", octets.len()),
        }
        framing
    }

    #[inline]
    fn read<'a>(&'a mut self, direction: Direction, time_ns: u64, pdu: &'a [u8]) -> Result<D::Message<'a>, ParseError> {
        self.dissector.read(direction, time_ns, pdu)
    }

    fn gap(&mut self, direction: Direction) {
        self.dissector.gap(direction);
    }

    fn turn(&mut self) {
        self.dissector.turn();
    }

    fn held(&self) -> usize {
        self.dissector.held()
    }

    fn forget(&mut self) {
        self.dissector.forget();
    }
}

/// What the first octet of an input chooses.
#[derive(Clone, Copy)]
struct How(u8);

/// What is checked beside what is checked always: the slower, the more seldom.
#[derive(PartialEq)]
enum Beside {
    /// The input in many pieces.
    Pieces,
    /// The input in two pieces, or a conversation with each of its pieces in two.
    Halves,
    /// Everything that is put into words.
    Words,
    /// Who a flow that begins so is taken for.
    Identity,
    /// Many good PDUs behind the input, though nothing tells that octets are missing.
    Way,
    Nothing,
}

impl How {
    fn direction(self) -> Direction {
        if self.0 & 1 == 0 { Direction::ToServer } else { Direction::ToClient }
    }

    fn repairs(self) -> bool {
        self.0 & 2 != 0
    }

    fn after_gap(self) -> bool {
        self.0 & 4 != 0
    }

    /// Pieces of both directions, with what happens between them; else one stream.
    fn is_conversation(self) -> bool {
        self.0 & 8 != 0
    }

    fn other_dialect(self) -> bool {
        self.0 & 16 != 0
    }

    fn beside(self, place: u8) -> Beside {
        match (self.0 >> 5, place & 3) {
            (0, 0) => Beside::Pieces,
            (0..=2, _) => Beside::Halves,
            (3, 0) => Beside::Words,
            (3, 1) => Beside::Way,
            (3, _) => Beside::Identity,
            _ => Beside::Nothing,
        }
    }
}

/// How a stream is cut.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    /// Not at all.
    Nowhere,
    /// Once in each piece, somewhere; and there the ends are taken for each other, twice.
    Once(u8),
    /// Into pieces of changing sizes.
    Everywhere(u8),
}

/// One analysis of an input.
struct Run<D> {
    dissector: Watched<D>,
    /// What is not used up, to server and to client.
    pending: [Vec<u8>; 2],
    asked: Option<Operation>,
    time_ns: u64,
    told: Told,
    in_words: bool,
}

/// What was told, to be compared.
#[derive(Debug, Default, PartialEq)]
struct Told {
    digest: Digest,
    messages: usize,
    malformed: usize,
    /// Octets to server and to client that belong to no PDU.
    skipped: [usize; 2],
    /// Of those, the ones since the last PDU.
    skipped_last: [usize; 2],
    used: usize,
    fed: usize,
}

impl<D: Dissector> Run<D> {
    fn new(dissector: D, in_words: bool) -> Self {
        Self {
            dissector: Watched { dissector, turns: Cell::new(0) },
            pending: [Vec::new(), Vec::new()],
            asked: None,
            time_ns: 1_767_607_200_000_000_000,
            told: Told::default(),
            in_words,
        }
    }

    /// Feeds octets behind what is pending. Whatever is used up must be told, once, and in its order.
    #[inline]
    fn take<P: Protocol<Dissector = D>>(&mut self, direction: Direction, octets: &[u8]) {
        let side = usize::from(direction == Direction::ToClient);
        let told = &mut self.told;
        told.fed += octets.len();
        let mut kept = std::mem::take(&mut self.pending[side]);
        let all = if kept.is_empty() {
            octets
        } else {
            kept.extend_from_slice(octets);
            &kept
        };
        let (mut accounted, mut skips) = (0, 0);
        let (asked, in_words) = (&mut self.asked, self.in_words);
        self.dissector.turns.set(0);
        let used = feed(&mut self.dissector, direction, self.time_ns, all, |dissected| {
            let (skipped, pdu) = match &dissected {
                Dissected::Message { octets, .. } | Dissected::Malformed { octets, .. } => (0, *octets),
                Dissected::Skipped { octets } => (*octets, &[][..]),
            };
            if skipped > 0 {
                skips += 1;
                accounted += skipped;
                told.skipped[side] += skipped;
                told.skipped_last[side] += skipped;
                return;
            }
            assert!(!pdu.is_empty(), "a PDU of no octets, or none skipped");
            assert!(std::ptr::eq(pdu, &all[accounted..accounted + pdu.len()]), "PDUs follow each other");
            accounted += pdu.len();
            told.digest.add(std::mem::take(&mut told.skipped_last[side]) as u64);
            told.digest.add_octets(pdu);
            match dissected {
                Dissected::Message { message, .. } => {
                    told.messages += 1;
                    Meaning::of::<P>(&message, told.fed, asked, in_words).add_to(&mut told.digest);
                }
                Dissected::Malformed { error, .. } => {
                    told.malformed += 1;
                    told.digest.add_error(&error, told.fed, in_words);
                }
                Dissected::Skipped { .. } => {}
            }
        });
        assert_eq!(accounted, used, "every octet that is used up is told");
        // Each turn uses up an octet, tells of those that were skipped, or is the last.
        let turns = self.dissector.turns.get();
        assert!(turns <= used + skips + 1, "{turns} turns for {used} octets");
        told.used += used;
        if kept.is_empty() {
            kept.extend_from_slice(&octets[used..]);
        } else {
            kept.drain(..used);
        }
        self.pending[side] = kept;
    }

    fn gap(&mut self, direction: Direction) {
        self.dissector.gap(direction);
        self.pending[usize::from(direction == Direction::ToClient)].clear();
    }

    fn turn(&mut self) {
        self.dissector.turn();
        self.pending.swap(0, 1);
        self.told.skipped.swap(0, 1);
        self.told.skipped_last.swap(0, 1);
    }

    fn take_cut<P: Protocol<Dissector = D>>(&mut self, direction: Direction, octets: &[u8], cut: Cut) {
        match cut {
            Cut::Nowhere => self.take::<P>(direction, octets),
            Cut::Once(place) => {
                let (head, rest) = octets.split_at(usize::from(place) % (octets.len() + 1));
                self.take::<P>(direction, head);
                self.turn();
                self.turn();
                self.take::<P>(direction, rest);
            }
            Cut::Everywhere(sizes) => {
                let (mut rest, mut size) = (octets, usize::from(sizes % 16));
                while !rest.is_empty() {
                    let (head, behind) = rest.split_at((size % 16 + 1).min(rest.len()));
                    self.take::<P>(direction, head);
                    size += usize::from(sizes / 16);
                    rest = behind;
                }
            }
        }
    }

    /// Reads the input; answers whether octets were lost on the way.
    fn read<S: Subject>(&mut self, how: How, input: &[u8], cut: Cut) -> bool
    where
        S::Protocol: Protocol<Dissector = D>,
    {
        let mut lost = how.after_gap();
        if lost {
            self.gap(Direction::ToServer);
            self.gap(Direction::ToClient);
        }
        if !how.is_conversation() {
            self.take_cut::<S::Protocol>(how.direction(), input, cut);
            return lost;
        }
        let mut input = Octets(input);
        while !input.is_empty() {
            let deed = input.octet();
            let direction = if deed & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
            let count = usize::from(deed >> 3);
            let mut times = 0;
            match deed >> 1 & 3 {
                0 => times = count,
                1 => {
                    self.gap(direction);
                    lost = true;
                }
                2 => self.turn(),
                _ => self.time_ns += 1_000_000 << count,
            }
            let piece = input.piece(255);
            self.take_cut::<S::Protocol>(direction, piece, cut);
            let mut again = [0; 255];
            let again = &mut again[..piece.len()];
            again.copy_from_slice(piece);
            for _ in 0..times {
                S::go_on(again);
                self.take_cut::<S::Protocol>(direction, again, cut);
            }
        }
        lost
    }

    /// Whether a good PDU that comes now is read at once, and as if it were alone; `alone` is what it means then.
    fn assert_good<P: Protocol<Dissector = D>>(&mut self, direction: Direction, good: &[u8], alone: &Meaning) {
        let mut read = 0;
        let used = feed(&mut self.dissector, direction, self.time_ns, good, |dissected| match dissected {
            Dissected::Message { message, octets } => {
                let meaning = Meaning::of::<P>(&message, usize::MAX / 16, &mut None, false);
                assert_eq!(
                    (octets, &meaning.message),
                    (good, &alone.message),
                    "a good PDU is read as if it were alone"
                );
                read += 1;
            }
            Dissected::Malformed { error, .. } => panic!("a good PDU is not malformed: {error}"),
            Dissected::Skipped { octets } => panic!("{octets} octets of a good PDU are skipped"),
        });
        assert_eq!((read, used), (1, good.len()), "a good PDU is read at once");
    }
}

/// What a PDU means to a dissector that has read nothing before.
fn alone<S: Subject>(
    mut dissector: <S::Protocol as Protocol>::Dissector,
    direction: Direction,
    good: &[u8],
) -> Meaning {
    let mut meaning = None;
    feed(&mut dissector, direction, 0, good, |dissected| {
        if let Dissected::Message { message, .. } = dissected {
            assert_eq!(message.fault(), None, "a good PDU has no fault");
            meaning = Some(Meaning::of::<S::Protocol>(&message, usize::MAX / 16, &mut None, false));
        }
    });
    meaning.expect("a good PDU is read")
}

/// Counts octets of whatever protocol.
struct Count(usize);

impl Listener for Count {
    fn message<M: Describe>(&mut self, _message: &M, octets: &[u8]) {
        self.0 += octets.len();
    }

    fn malformed(&mut self, _error: ParseError, octets: &[u8]) {
        self.0 += octets.len();
    }

    fn skipped(&mut self, octets: usize) {
        self.0 += octets;
    }
}

/// Who begins so, is taken for the same when more octets come, and can be read.
fn check_identity<S: Subject>(how: How, stream: &[u8], cut: u8, hints: &Hints) {
    let datagram = how.after_gap();
    let (probe, dissector) = S::Protocol::probe(stream, datagram, hints);
    if let Probe::Match(sender) = probe {
        let direction = match sender {
            Sender::Client => Direction::ToServer,
            Sender::Server => Direction::ToClient,
            Sender::Either => how.direction(),
        };
        // Where a header behind other octets counts too, those are skipped first.
        let mut rest = stream;
        while let Framing::Lost(octets) = dissector.frame(direction, rest) {
            rest = rest.get(octets..).unwrap_or(&[]);
            assert!(!rest.is_empty(), "what is known for the protocol is none of it");
        }
    }
    if !datagram && S::REFUSES_FOR_GOOD {
        let head = &stream[..usize::from(cut).min(stream.len())];
        let (before, _) = S::Protocol::probe(head, false, hints);
        assert!(
            !matches!((before, probe), (Probe::NoMatch, Probe::Match(_))),
            "too few octets to tell, but it was told: {before:?}, then {probe:?}"
        );
    }
    if let Identified::As(mut dissector, _) = identify(stream, datagram, S::Protocol::PORTS, hints) {
        let mut count = Count(0);
        let used = dissector.feed(how.direction(), 0, stream, &mut count);
        assert_eq!(count.0, used, "every octet that is used up is told");
        let _ = (dissector.id().name(), dissector.dialect());
    }
}

/// Repairs what a stream or each piece of a conversation holds.
fn repair<S: Subject>(how: How, octets: &mut [u8]) {
    if !how.is_conversation() {
        return S::repair(octets);
    }
    let mut rest = octets;
    while let Some(([_, len], behind)) = rest.split_first_chunk_mut::<2>() {
        let (piece, behind) = behind.split_at_mut(usize::from(*len).min(behind.len()));
        S::repair(piece);
        rest = behind;
    }
}

/// Octets beyond these are left out.
const INPUT_MOST: usize = 4096;

/// One execution: its first octet chooses what is done with the others (`How`), its second where they are cut.
pub fn check<S: Subject>(data: &[u8]) {
    let mut input = Octets(data);
    let (how, place) = (How(input.octet()), input.octet());
    let sizes = FieldSizes {
        cause_of_transmission: 1 + (place & 1),
        common_address: 1 + (place >> 1 & 1),
        information_object_address: 1 + (place >> 2) % 4,
    };
    let hints = Hints { iec104: how.other_dialect().then_some(sizes) };
    let mut repaired = [0; INPUT_MOST];
    let stream = match repaired.get_mut(..input.0.len()) {
        Some(octets) if how.repairs() => {
            octets.copy_from_slice(input.0);
            repair::<S>(how, octets);
            octets
        }
        _ => input.0,
    };
    let dissector = || S::dissector(&hints, how.other_dialect());
    let beside = how.beside(place);

    let mut whole = Run::new(dissector(), beside == Beside::Words);
    let lost = whole.read::<S>(how, stream, Cut::Nowhere);

    if matches!(beside, Beside::Pieces | Beside::Halves) {
        let cut = if beside == Beside::Pieces { Cut::Everywhere(place) } else { Cut::Once(place) };
        let mut pieces = Run::new(dissector(), false);
        pieces.read::<S>(how, stream, cut);
        // Where the next header is looked for, what is there decides, and that depends on the cut.
        let is_in_step = !lost && whole.told.skipped == [0; 2] && pieces.told.skipped == [0; 2];
        if S::ANY_CUT || (is_in_step && S::resynchronizes(how.other_dialect())) {
            assert_eq!(whole.told, pieces.told, "the way a stream is cut changes what is read");
        }
        let held = pieces.dissector.held();
        assert!(held <= 8 * pieces.told.fed + 64, "{held} octets are kept of {}", pieces.told.fed);
        pieces.dissector.forget();
        assert_eq!(pieces.dissector.held(), 0, "what is forgotten is kept");
    }

    if S::resynchronizes(how.other_dialect()) {
        let direction = how.direction();
        let good = S::good(direction, how.other_dialect());
        let side = usize::from(direction == Direction::ToClient);
        if beside == Beside::Way {
            whole.take::<S::Protocol>(direction, &good.repeat(GOOD_OCTETS / good.len()));
            assert!(whole.pending[side].is_empty(), "good PDUs are not waited for");
        } else if !whole.pending[side].is_empty() {
            whole.gap(direction);
        }
        static ALONE: [OnceLock<Meaning>; 4] = [const { OnceLock::new() }; 4];
        let alone =
            ALONE[side + 2 * usize::from(how.other_dialect())].get_or_init(|| alone::<S>(dissector(), direction, good));
        whole.assert_good::<S::Protocol>(direction, good, alone);
    }
    if beside == Beside::Identity {
        check_identity::<S>(how, stream, place, &hints);
    }
}
