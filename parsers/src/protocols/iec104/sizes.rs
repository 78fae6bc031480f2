//! How many octets a system gives to cause of transmission, common address and information object address.
//!
//! IEC 60870-5-104 (7, 9.5) fixes them at 2, 2 and 3; gateways that carry IEC 60870-5-101 as it is keep the sizes of
//! their serial lines. An ASDU does not say them, but its length does: with a type identification whose elements have a
//! fixed length, only some of the twelve combinations give the length that it has, and the standard's one never
//! together with another.

use crate::dissect::FieldSizes;

use super::codes::{Cause, ElementSize, TypeId};
use super::message::{CAUSE_BITS, NUMBER_BITS, SEQUENCE_BIT, is_wrong_cause};

const fn combination(cause_of_transmission: u8, common_address: u8, information_object_address: u8) -> FieldSizes {
    FieldSizes { cause_of_transmission, common_address, information_object_address }
}

/// The sizes of IEC 60870-5-104 (7).
pub const STANDARD: FieldSizes = combination(2, 2, 3);

/// All combinations, in the order of preference where a length fits several: the standard's first; then those with an
/// originator address, since one octet too few there makes a common address of 0 of most real ones and so is found out,
/// while one too many is not; those with object addresses of one octet, too few for most stations, last.
pub const COMBINATIONS: [FieldSizes; 12] = [
    STANDARD,
    combination(2, 2, 2),
    combination(2, 1, 3),
    combination(1, 2, 3),
    combination(2, 1, 2),
    combination(1, 2, 2),
    combination(1, 1, 3),
    combination(1, 1, 2),
    combination(2, 2, 1),
    combination(2, 1, 1),
    combination(1, 2, 1),
    combination(1, 1, 1),
];

/// ASDUs that a combination has to fit more than the standard's one did, once that has fitted any.
const LEAD: u8 = 8;
/// Where counting ends, and with it any change of mind.
const MOST: u8 = 16;

/// Octets of all information objects of an ASDU.
#[inline]
pub(super) fn objects_octets(sizes: FieldSizes, sequence: bool, number: u8, element: usize) -> usize {
    let address = usize::from(sizes.information_object_address);
    let number = usize::from(number);
    if sequence {
        address.saturating_add(number.saturating_mul(element))
    } else {
        number.saturating_mul(address.saturating_add(element))
    }
}

/// Octets before the information objects of an ASDU: data unit identifier (IEC 60870-5-101 7.2).
#[inline]
pub(super) fn identifier_octets(sizes: FieldSizes) -> usize {
    usize::from(sizes.cause_of_transmission).saturating_add(usize::from(sizes.common_address)).saturating_add(2)
}

/// A number of so many octets, least significant first.
fn number_at(octets: &[u8], at: usize, count: u8) -> Option<u32> {
    let end = at.checked_add(usize::from(count))?;
    Some(octets.get(at..end)?.iter().rev().fold(0_u32, |number, octet| number << 8 | u32::from(*octet)))
}

/// What an ASDU says about sizes.
struct Evidence<'a> {
    asdu: &'a [u8],
    type_id: TypeId,
    sequence: bool,
    number: u8,
    cause: Cause,
    element: usize,
}

impl<'a> Evidence<'a> {
    /// `None` where its type identification has no fixed length.
    #[inline]
    fn new(asdu: &'a [u8]) -> Option<Self> {
        let [type_id, qualifier, cause, ..] = *asdu else { return None };
        let type_id = TypeId(type_id);
        let Some(ElementSize::Fixed(element)) = type_id.element_octets() else { return None };
        Some(Self {
            asdu,
            type_id,
            sequence: qualifier & SEQUENCE_BIT != 0,
            number: qualifier & NUMBER_BITS,
            cause: Cause(cause & CAUSE_BITS),
            element,
        })
    }

    /// Whether the length is right with these sizes.
    #[inline]
    fn length_fits(&self, sizes: FieldSizes) -> bool {
        let objects = objects_octets(sizes, self.sequence, self.number, self.element);
        self.number != 0 && identifier_octets(sizes).saturating_add(objects) == self.asdu.len()
    }

    fn cause_fits(&self) -> bool {
        !is_wrong_cause(self.type_id, self.cause)
    }

    /// Whether the length is right, and the cause and the addresses are what they may be with these sizes.
    fn fits(&self, sizes: FieldSizes) -> bool {
        if !self.length_fits(sizes) || !self.cause_fits() {
            return false;
        }
        let at = usize::from(sizes.cause_of_transmission).saturating_add(2);
        let common_address = number_at(self.asdu, at, sizes.common_address);
        let object = number_at(self.asdu, identifier_octets(sizes), sizes.information_object_address);
        // What a station mirrors because it does not know it may be anything.
        let is_mirror = matches!(self.cause.0, 44..=47);
        let object_is_right = match object {
            Some(0) => self.type_id.has_no_address() || self.type_id.0 == 113 || self.type_id.0 >= 120,
            Some(_) => !self.type_id.has_no_address(),
            None => false,
        };
        is_mirror || (common_address.is_some_and(|address| address != 0) && object_is_right)
    }
}

/// Whether an ASDU fits any sizes, or the ones that were set; `None` where it can't be told.
pub(super) fn fits_any(asdu: &[u8], set: Option<FieldSizes>) -> Option<bool> {
    let evidence = Evidence::new(asdu)?;
    Some(match set.filter(|sizes| COMBINATIONS.contains(sizes)) {
        Some(sizes) => evidence.fits(sizes),
        // The standard's length is like no other: there, an object's address need not be right.
        None if evidence.length_fits(STANDARD) => {
            evidence.cause_fits() && number_at(asdu, 4, 2).is_some_and(|address| address != 0)
        }
        None => COMBINATIONS.into_iter().any(|sizes| evidence.fits(sizes)),
    })
}

/// Finds out the sizes of a flow from its ASDUs, or keeps those that a person has set.
///
/// Each combination counts the ASDUs that it fits, up to 16, and the one with most is taken. The standard's wins where
/// it has as many as another, and once it has fitted any, another has to lead by 8: so one malformed ASDU does not
/// spoil the reading of the right ones around it, and since counts only grow, changes of mind have an end.
#[derive(Debug, Clone)]
pub struct SizeDetector {
    is_set: bool,
    chosen: FieldSizes,
    /// By the order of [`COMBINATIONS`].
    fitted: [u8; COMBINATIONS.len()],
}

impl Default for SizeDetector {
    fn default() -> Self {
        Self::new(None)
    }
}

impl SizeDetector {
    /// Sizes that are set are never doubted; those that no ASDU can have count as not set.
    #[must_use]
    pub fn new(set: Option<FieldSizes>) -> Self {
        let set = set.filter(|sizes| COMBINATIONS.contains(sizes));
        Self { is_set: set.is_some(), chosen: set.unwrap_or(STANDARD), fitted: [0; COMBINATIONS.len()] }
    }

    /// The sizes to read the next ASDU with.
    #[inline]
    #[must_use]
    pub fn sizes(&self) -> FieldSizes {
        self.chosen
    }

    /// Takes in an ASDU, before it is read. One that no combination fits changes nothing.
    #[inline]
    pub fn observe(&mut self, asdu: &[u8]) {
        let [standard, ..] = &mut self.fitted;
        if self.is_set || (self.chosen == STANDARD && *standard == MOST) {
            return;
        }
        let Some(evidence) = Evidence::new(asdu) else { return };
        if evidence.length_fits(STANDARD) {
            // No other combination has this length.
            if evidence.fits(STANDARD) {
                *standard = standard.saturating_add(1).min(MOST);
                self.choose(STANDARD, false);
            }
            return;
        }
        self.observe_others(&evidence);
    }

    #[cold]
    fn observe_others(&mut self, evidence: &Evidence<'_>) {
        let mut best: Option<(FieldSizes, u8)> = None;
        for (sizes, count) in COMBINATIONS.into_iter().zip(&mut self.fitted).skip(1) {
            if evidence.fits(sizes) {
                *count = count.saturating_add(1).min(MOST);
                if best.is_none_or(|(_, most)| *count > most) {
                    best = Some((sizes, *count));
                }
            }
        }
        if let Some((sizes, _)) = best {
            self.choose(sizes, evidence.fits(self.chosen));
        }
    }

    /// Goes over to sizes that have just fitted, where they have earned it. `both`: the chosen ones have fitted too.
    fn choose(&mut self, sizes: FieldSizes, both: bool) {
        if sizes == self.chosen {
            return;
        }
        let count = |of: FieldSizes| {
            COMBINATIONS.into_iter().zip(self.fitted).find(|(sizes, _)| *sizes == of).map_or(0, |(_, count)| count)
        };
        let (now, before) = (count(sizes), count(self.chosen));
        let is_earned = if sizes == STANDARD {
            now >= before
        } else if self.chosen == STANDARD {
            before == 0 || now >= before.saturating_add(LEAD)
        } else {
            now > before || (now == before && now < MOST && !both)
        };
        if is_earned {
            self.chosen = sizes;
        }
    }
}
