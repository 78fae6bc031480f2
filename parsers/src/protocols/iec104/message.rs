//! APDUs: control information, the ASDU's identifier, and its information objects one by one.

use crate::dissect::{Direction, FieldSizes, Sender};
use crate::error::{Clause, ErrorKind, ParseError};
use crate::message::{
    Control, Describe, Kind, Notice, Operation, Point, Reason, Refusal, Step, Tally, Target, Value, Verb,
};
use crate::reader::Reader;

use super::apci::{APCI, Apci, Format, UFunction, small};
use super::codes::{Cause, ElementSize, TypeDirection, TypeId};
use super::elements;
use super::sizes::{self, STANDARD};

/// SQ of the variable structure qualifier: one address, and elements in sequence (IEC 60870-5-101 7.2.2).
pub(super) const SEQUENCE_BIT: u8 = 0x80;
/// The number of the variable structure qualifier.
pub(super) const NUMBER_BITS: u8 = 0x7F;
/// The cause in its octet (IEC 60870-5-101 7.2.3).
pub(super) const CAUSE_BITS: u8 = 0x3F;
const NEGATIVE_BIT: u8 = 0x40;
const TEST_BIT: u8 = 0x80;

/// Codes of the counter of APDUs.
pub(super) const FORMAT_I: u8 = 0;
pub(super) const FORMAT_S: u8 = 1;
const FORMAT_U: u8 = 2;

/// The code of the operation that tells of a station's originator address.
pub const ORIGINATOR_ADDRESS: u16 = 0x100;
/// The control function of a U format APDU is added to this for the code of its operation.
pub const CONTROL_FUNCTION: u16 = 0x200;
/// [`Operation::sub`] of a command that selects: the S/E bit.
pub const SUB_SELECT: u16 = 0x80;
/// [`Operation::sub`] of a deactivation, and of its confirmation.
pub const SUB_DEACTIVATION: u16 = 0x40;

/// Information objects of one ASDU whose fields are told.
const OBJECTS_TOLD: usize = 16;

const TYPE_CLAUSE: Clause = Clause("IEC 60870-5-101 7.2.1");
const STRUCTURE_CLAUSE: Clause = Clause("IEC 60870-5-101 7.2.2");
const CAUSE_CLAUSE: Clause = Clause("IEC 60870-5-101 7.2.3");
const COMMON_ADDRESS_CLAUSE: Clause = Clause("IEC 60870-5-101 7.2.4");
const OBJECT_ADDRESS_CLAUSE: Clause = Clause("IEC 60870-5-101 7.2.5");

/// The name of an operation's code.
pub(super) fn operation_name(code: u16) -> Option<&'static str> {
    let [high, low] = code.to_be_bytes();
    match (high, low) {
        (0, type_id) => TypeId(type_id).name(),
        (1, 0) => Some("originator_address"),
        (2, function) => UFunction(function).name(),
        _ => None,
    }
}

/// The clause that says what an ASDU of a type identification is.
#[must_use]
pub fn clause(type_id: TypeId) -> Clause {
    Clause(match type_id.0 {
        41 | 81..=95 => "IEC TS 60870-5-7",
        58..=64 | 107 | 127 => "IEC 60870-5-104 8",
        1..=44 => "IEC 60870-5-101 7.3.1",
        45..=57 => "IEC 60870-5-101 7.3.2",
        70 => "IEC 60870-5-101 7.3.3",
        100..=106 => "IEC 60870-5-101 7.3.4",
        110..=113 => "IEC 60870-5-101 7.3.5",
        120..=126 => "IEC 60870-5-101 7.3.6",
        _ => "IEC 60870-5-101 7.2.1",
    })
}

/// Whether a type identification is of authentication: its ASDUs have no information object address (IEC TS 60870-5-7).
fn is_authentication(type_id: TypeId) -> bool {
    matches!(type_id.0, 81..=95)
}

fn is_file_transfer(type_id: TypeId) -> bool {
    matches!(type_id.0, 120..=127)
}

/// Whether a type identification travels in control direction by its own meaning, and in monitor direction to confirm.
#[inline]
fn is_control(type_id: TypeId) -> bool {
    !is_file_transfer(type_id) && type_id.row().is_some_and(|row| row.direction == TypeDirection::Control)
}

/// Whether a cause of transmission answers what was sent in control direction.
fn is_answer(cause: Cause) -> bool {
    matches!(cause.0, 7 | 9 | 10 | 44..=47)
}

/// Whether a cause of transmission cannot go with a type identification.
///
/// The standard's table (IEC 60870-5-104 9.5) is stricter than stations are: common ones answer a station interrogation
/// with time tags, return measured values after a command, or confirm C_RD_NA_1, and it is plain what they mean.
#[inline]
pub(super) fn is_wrong_cause(type_id: TypeId, cause: Cause) -> bool {
    !cause.allowed_with(type_id)
        && match type_id.row().map(|row| row.direction) {
            Some(TypeDirection::Monitor) => !matches!(cause.0, 1..=3 | 5 | 11 | 12 | 20..=41),
            Some(TypeDirection::Control) => !is_answer(cause),
            Some(TypeDirection::Both) | None => true,
        }
}

/// Who sends an ASDU of that type identification for that cause.
#[inline]
pub(super) fn sender(type_id: TypeId, cause: Cause) -> Sender {
    match type_id.row().map(|row| row.direction) {
        Some(TypeDirection::Monitor) => Sender::Server,
        Some(TypeDirection::Control) => match cause.0 {
            5 | 6 | 8 => Sender::Client,
            3 | 7 | 9 | 10 | 20..=41 | 44..=47 => Sender::Server,
            _ => Sender::Either,
        },
        Some(TypeDirection::Both) | None => Sender::Either,
    }
}

/// What an ASDU is in the exchange.
///
/// Confirmations, terminations and mirrored ASDUs are responses. Data that an interrogation or a read asked for is
/// unsolicited: many ASDUs follow one request, and none names it.
#[inline]
fn kind(direction: Direction, type_id: TypeId, cause: Cause) -> Kind {
    let to_server = direction == Direction::ToServer;
    match type_id.row().map(|row| row.direction) {
        Some(TypeDirection::Monitor) => Kind::Unsolicited,
        _ if is_control(type_id) => match cause.0 {
            5 | 6 | 8 => Kind::Request,
            _ if is_answer(cause) => Kind::Response,
            // A malformed command is a command; clocks and parameters are told too.
            _ if to_server => Kind::Request,
            _ => Kind::Unsolicited,
        },
        _ if is_authentication(type_id) || !to_server => Kind::Unsolicited,
        _ => Kind::Request,
    }
}

/// One information object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// The information object address; in a sequence, that of the first plus its place.
    pub address: u32,
    /// Its information elements and time tag.
    pub element: &'a [u8],
    /// Octets before the element in the APDU.
    pub offset: u32,
}

/// The information objects of an ASDU, in both structures; ends at the first that is not whole.
#[derive(Debug, Clone)]
pub struct Objects<'a> {
    rest: &'a [u8],
    /// Octets of each; in a sequence, without the address.
    step: usize,
    /// Octets of the address of each; 0 in a sequence.
    address_octets: u8,
    /// The next address of a sequence.
    next: u32,
    left: u8,
    /// Octets before the next element in the APDU.
    offset: u32,
}

impl<'a> Iterator for Objects<'a> {
    type Item = Object<'a>;

    #[inline]
    fn next(&mut self) -> Option<Object<'a>> {
        // At most 127 turns, whatever the octets say: elements may have none.
        self.left = self.left.checked_sub(1)?;
        let (object, rest) = self.rest.split_at_checked(self.step)?;
        self.rest = rest;
        let (address, element) = if self.address_octets == 0 {
            let address = self.next;
            self.next = address.saturating_add(1);
            (address, object)
        } else {
            split_address(object, self.address_octets)?
        };
        let offset = self.offset;
        self.offset = offset.saturating_add(small(self.step));
        Some(Object { address, element, offset })
    }
}

/// An information object address of 1 to 3 octets, and what follows it.
#[inline]
fn split_address(octets: &[u8], address_octets: u8) -> Option<(u32, &[u8])> {
    Some(match (address_octets, octets) {
        (1, [a, rest @ ..]) => (u32::from(*a), rest),
        (2, [a, b, rest @ ..]) => (u32::from_le_bytes([*a, *b, 0, 0]), rest),
        (3, [a, b, c, rest @ ..]) => (u32::from_le_bytes([*a, *b, *c, 0]), rest),
        _ => return None,
    })
}

/// An application service data unit (IEC 60870-5-101 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asdu<'a> {
    /// What it is about.
    pub type_id: TypeId,
    /// SQ: elements of consecutive addresses after one address.
    pub is_sequence: bool,
    /// Information objects or elements, 0 to 127.
    pub number: u8,
    /// Why it is sent.
    pub cause: Cause,
    /// P/N: a confirmation says no.
    pub negative: bool,
    /// T: not for the process.
    pub test: bool,
    /// Who asked, where the cause of transmission has two octets; 0 where nobody is named.
    pub originator_address: Option<u8>,
    /// Which station, or part of one.
    pub common_address: u16,
    /// What it was read with.
    pub sizes: FieldSizes,
    /// All information objects.
    pub octets: &'a [u8],
}

impl<'a> Asdu<'a> {
    #[inline]
    fn read(sizes: FieldSizes, octets: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(octets);
        let type_id = TypeId(reader.u8("type_identification")?);
        let qualifier = reader.u8("variable_structure_qualifier")?;
        let cause = reader.u8("cause_of_transmission")?;
        let originator_address =
            if sizes.cause_of_transmission > 1 { Some(reader.u8("originator_address")?) } else { None };
        let common_address = if sizes.common_address > 1 {
            reader.u16_le("common_address")?
        } else {
            reader.u8("common_address")?.into()
        };
        Ok(Self {
            type_id,
            is_sequence: qualifier & SEQUENCE_BIT != 0,
            number: qualifier & NUMBER_BITS,
            cause: Cause(cause & CAUSE_BITS),
            negative: cause & NEGATIVE_BIT != 0,
            test: cause & TEST_BIT != 0,
            originator_address,
            common_address,
            sizes,
            octets: reader.rest(),
        })
    }

    /// Octets of the APDU before the information objects.
    #[inline]
    fn before(&self) -> usize {
        APCI.saturating_add(sizes::identifier_octets(self.sizes))
    }

    /// How long its information objects are; `None` where it has none that anybody could read: private and reserved
    /// type identifications, and authentication.
    #[inline]
    fn element(&self) -> Option<ElementSize> {
        self.type_id.element_octets().filter(|_| !is_authentication(self.type_id))
    }

    /// The information objects that are there, at most as many as it says.
    #[inline]
    #[must_use]
    pub fn objects(&self) -> Objects<'a> {
        let address_octets = self.sizes.information_object_address;
        let before = small(self.before()).saturating_add(address_octets.into());
        let none = Objects { rest: &[], step: 0, address_octets, next: 0, left: 0, offset: before };
        let (number, element) = match self.element() {
            Some(ElementSize::Fixed(element)) => (self.number, Some(element)),
            // A variable one fills the ASDU.
            Some(ElementSize::Variable) => (self.number.min(1), None),
            None => return none,
        };
        if self.is_sequence {
            let Some((next, rest)) = split_address(self.octets, address_octets) else { return none };
            let step = element.unwrap_or(rest.len());
            Objects { rest, step, address_octets: 0, next, left: number, ..none }
        } else {
            let step = element.map_or(self.octets.len(), |element| element.saturating_add(address_octets.into()));
            Objects { rest: self.octets, step, left: number, ..none }
        }
    }

    /// The address of the first information object, though the rest of it may be missing.
    #[inline]
    fn first_address(&self) -> Option<u32> {
        self.element()?;
        split_address(self.octets, self.sizes.information_object_address).map(|(address, _)| address)
    }

    /// Whether the common address is that of all stations (IEC 60870-5-101 7.2.4).
    fn is_broadcast(&self) -> bool {
        self.common_address == if self.sizes.common_address > 1 { 0xFFFF } else { 0xFF }
    }

    /// That its identifier tells what follows: a type identification that there is, and objects at all.
    #[inline]
    fn structure_fault(&self) -> Option<ParseError> {
        if self.type_id.is_reserved() {
            let kind = ErrorKind::Unsupported { code: self.type_id.0.into() };
            Some(ParseError { kind, field: "type_identification", offset: 6, clause: TYPE_CLAUSE })
        } else if self.number == 0 && self.element().is_some() {
            Some(forbidden(0, "variable_structure_qualifier", 7, STRUCTURE_CLAUSE))
        } else {
            self.length_fault()
        }
    }

    /// The first thing in its identifier that breaks the standard, though what follows can be read.
    #[inline]
    fn identifier_fault(&self) -> Option<ParseError> {
        let cause = u64::from(self.cause.0);
        if !self.cause.is_defined() {
            let kind = ErrorKind::Unsupported { code: self.cause.0.into() };
            Some(ParseError { kind, field: "cause_of_transmission", offset: 8, clause: CAUSE_CLAUSE })
        } else if is_wrong_cause(self.type_id, self.cause) {
            Some(forbidden(cause, "cause_of_transmission", 8, CAUSE_CLAUSE))
        } else if self.negative && !is_answer(self.cause) && !self.cause.is_private() && !self.type_id.is_private() {
            Some(forbidden(cause | u64::from(NEGATIVE_BIT), "negative", 8, CAUSE_CLAUSE))
        } else if self.type_id.is_private() || is_mirror(self.cause) {
            None
        } else if self.common_address == 0 {
            let offset = u32::from(self.sizes.cause_of_transmission).saturating_add(8);
            Some(forbidden(0, "common_address", offset, COMMON_ADDRESS_CLAUSE))
        } else if is_control(self.type_id) && (self.is_sequence || self.number != 1) {
            // IEC 60870-5-101 7.3.2, 7.3.4 and 7.3.5: what is commanded is one information object.
            let sequence = if self.is_sequence { SEQUENCE_BIT } else { 0 };
            let got = u64::from(self.number | sequence);
            Some(forbidden(got, "variable_structure_qualifier", 7, STRUCTURE_CLAUSE))
        } else {
            None
        }
    }

    /// That its octets are as many as its structure says.
    #[inline]
    fn length_fault(&self) -> Option<ParseError> {
        let (claimed, is_least) = match self.element()? {
            ElementSize::Fixed(element) => {
                (sizes::objects_octets(self.sizes, self.is_sequence, self.number, element), false)
            }
            ElementSize::Variable => (usize::from(self.sizes.information_object_address), true),
        };
        let actual = self.octets.len();
        let kind = match actual.checked_sub(claimed) {
            Some(0) => return None,
            Some(_) if is_least => return None,
            Some(more) => ErrorKind::Trailing { len: small(more) },
            None => ErrorKind::LengthMismatch { claimed: small(claimed), actual: small(actual) },
        };
        let field = if matches!(kind, ErrorKind::Trailing { .. }) { "asdu" } else { "information_objects" };
        let offset = if field == "asdu" { self.before().saturating_add(claimed) } else { self.before() };
        Some(ParseError { kind, field, offset: small(offset), clause: STRUCTURE_CLAUSE })
    }

    /// The first thing in its information objects that breaks the standard. What an answer repeats is another's doing.
    fn object_fault(&self) -> Option<ParseError> {
        if is_control(self.type_id) && is_answer(self.cause) {
            return None;
        }
        let is_addressless = self.type_id.has_no_address();
        // P_AC_NA_1 may be about all parameters, and directories of files have no address of their own.
        let may_be_zero = self.type_id.0 == 113 || is_file_transfer(self.type_id);
        for object in self.objects() {
            let is_wrong_address = if object.address == 0 { !is_addressless && !may_be_zero } else { is_addressless };
            if is_wrong_address {
                let address_octets = u32::from(self.sizes.information_object_address);
                let offset = object.offset.saturating_sub(address_octets);
                return Some(forbidden(
                    object.address.into(),
                    "information_object_address",
                    offset,
                    OBJECT_ADDRESS_CLAUSE,
                ));
            }
            if let Some((field, got)) = elements::fault(self.type_id, object.element) {
                return Some(forbidden(got, field, object.offset, elements::clause(field)));
            }
        }
        None
    }

    /// Whether an information object's value is one; a wrong time beside it does not spoil it.
    fn is_valued(&self, object: &Object<'_>) -> bool {
        elements::fault(self.type_id, object.element)
            .is_none_or(|(field, _)| elements::clause(field) == elements::clause("month"))
    }

    /// One [`Target`] for each run of addresses that follow each other.
    #[inline]
    fn runs(&self, visit: &mut impl FnMut(Target)) {
        let space = self.type_id.space();
        let mut run: Option<Target> = None;
        for object in self.objects() {
            match &mut run {
                Some(run) if run.first.checked_add(run.count) == Some(object.address) => {
                    run.count = run.count.saturating_add(1);
                }
                _ => {
                    if let Some(whole) = run.replace(Target { space, first: object.address, count: 1 }) {
                        visit(whole);
                    }
                }
            }
        }
        if let Some(last) = run {
            visit(last);
        }
    }
}

/// Whether a station mirrors what it was sent, because it does not know something in it (IEC 60870-5-101 7.2.3).
fn is_mirror(cause: Cause) -> bool {
    matches!(cause.0, 44..=47)
}

fn forbidden(got: u64, field: &'static str, offset: u32, clause: Clause) -> ParseError {
    ParseError { kind: ErrorKind::Forbidden { got }, field, offset, clause }
}

/// One APDU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Message<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// Length and control field.
    pub apci: Apci,
    /// Its ASDU, of an I format APDU whose identifier is whole.
    pub asdu: Option<Asdu<'a>>,
    /// The first thing that breaks the standard; the offset counts from the start octet.
    pub fault: Option<ParseError>,
    /// What the session shows with it.
    pub(super) notices: &'a [Notice],
    /// Its information objects are where its structure says.
    is_whole: bool,
    kind: Kind,
}

impl<'a> Message<'a> {
    /// Reads an APDU with these sizes. What is wrong with it beyond its first 6 octets is its `fault`.
    ///
    /// # Errors
    /// Fewer than 6 octets: not even a control field.
    #[inline]
    pub fn read(direction: Direction, sizes: FieldSizes, apdu: &'a [u8]) -> Result<Self, ParseError> {
        let (apci, fault) = Apci::read(apdu)?;
        Ok(Self::with(direction, sizes, apdu, apci, fault))
    }

    /// The same, of an APDU whose control information has been read; `fault`: what is wrong with that.
    #[inline]
    pub(super) fn with(
        direction: Direction,
        sizes: FieldSizes,
        apdu: &'a [u8],
        apci: Apci,
        fault: Option<ParseError>,
    ) -> Self {
        let alone = |fault: Option<ParseError>| {
            let is_whole = fault.is_none();
            Self { direction, apci, asdu: None, fault, notices: &[], is_whole, kind: Kind::Unsolicited }
        };
        let Some(octets) = apci.asdu(apdu) else { return alone(fault) };
        let asdu = match Asdu::read(sizes, octets) {
            Ok(asdu) => asdu,
            Err(error) => {
                let offset = error.offset.saturating_add(small(APCI));
                return alone(fault.or(Some(ParseError { offset, ..error })));
            }
        };
        let structure_fault = asdu.structure_fault();
        let is_whole = fault.is_none() && structure_fault.is_none();
        let fault = match fault.or(structure_fault) {
            Some(fault) => Some(fault),
            None => asdu.identifier_fault().or_else(|| asdu.object_fault()),
        };
        let kind = kind(direction, asdu.type_id, asdu.cause);
        Self { direction, apci, asdu: Some(asdu), fault, notices: &[], is_whole, kind }
    }

    /// The ASDU of a command in control direction, or of its answer, and the type identification that it commands with:
    /// that without a time tag.
    #[inline]
    fn command(&self) -> Option<(&Asdu<'a>, TypeId)> {
        let asdu = self.asdu.as_ref().filter(|asdu| matches!(asdu.type_id.0, 45..=51 | 58..=64))?;
        Some((asdu, asdu.type_id.without_time()))
    }

    /// What its operations have in common.
    #[inline]
    fn operation(&self, asdu: &Asdu<'a>) -> Operation {
        let mut sub = 0;
        let verb = if is_control(asdu.type_id) {
            let element = asdu.objects().next().and_then(|object| elements::read(asdu.type_id, object.element));
            if element.is_some_and(|element| element.select == Some(true)) {
                sub |= SUB_SELECT;
            }
            if matches!(asdu.cause, Cause::DEACTIVATION | Cause::DEACTIVATION_CONFIRMATION) {
                sub |= SUB_DEACTIVATION;
            }
            if self.kind() == Kind::Unsolicited {
                Verb::Report
            } else {
                asdu.type_id.verb_with(element.and_then(|element| element.qualifier))
            }
        } else if is_file_transfer(asdu.type_id) && self.kind() != Kind::Request {
            Verb::Report
        } else {
            asdu.type_id.verb()
        };
        Operation { verb, code: asdu.type_id.0.into(), sub, unit: asdu.common_address, target: None }
    }
}

impl Describe for Message<'_> {
    #[inline]
    fn kind(&self) -> Kind {
        self.kind
    }

    #[inline]
    fn unit(&self) -> u16 {
        self.asdu.map_or(0, |asdu| asdu.common_address)
    }

    /// Nothing whose structure is broken tells it.
    #[inline]
    fn sender(&self) -> Sender {
        match (self.is_whole, &self.asdu, self.apci.format) {
            (false, ..) => Sender::Either,
            (_, Some(asdu), _) => sender(asdu.type_id, asdu.cause),
            (_, None, Format::Unnumbered(function)) => function.sender(),
            (_, None, _) => Sender::Either,
        }
    }

    /// One call for each run of addresses, or one without a target where the type identification has no address or none
    /// can be read; a request of two octets of cause tells last who asks. Of U format APDUs, those that ask.
    #[inline]
    fn operations(&self, visit: &mut impl FnMut(Operation)) {
        let Some(asdu) = &self.asdu else {
            if let Format::Unnumbered(function) = self.apci.format
                && function.is_activation()
            {
                let code = CONTROL_FUNCTION | u16::from(function.0);
                visit(Operation { verb: Verb::Session, code, sub: 0, unit: 0, target: None });
            }
            return;
        };
        // That it is done says nothing that the command did not say; and a file that a station sends was asked for.
        let is_told = asdu.cause == Cause::ACTIVATION_TERMINATION
            || (is_file_transfer(asdu.type_id) && self.kind() != Kind::Request);
        if is_told {
            return;
        }
        let operation = self.operation(asdu);
        let mut has_target = false;
        if !asdu.type_id.has_no_address() {
            asdu.runs(&mut |target| {
                has_target = true;
                visit(Operation { target: Some(target), ..operation });
            });
        }
        if !has_target {
            let first = asdu.first_address().filter(|_| !asdu.type_id.has_no_address());
            let target = first.map(|first| Target { space: asdu.type_id.space(), first, count: 1 });
            visit(Operation { target, ..operation });
        }
        if let Some(originator) = asdu.originator_address
            && self.kind() == Kind::Request
        {
            let target = Some(Target { space: "originator_address", first: originator.into(), count: 1 });
            visit(Operation { verb: Verb::Session, code: ORIGINATOR_ADDRESS, sub: 0, target, ..operation });
        }
    }

    #[inline]
    fn reports(&self) -> Option<u16> {
        let asdu = self.asdu.as_ref().filter(|_| self.is_whole)?;
        let row = asdu.type_id.row()?;
        (row.direction == TypeDirection::Monitor && row.is_point).then_some(asdu.type_id.0.into())
    }

    /// Interrogations, clock synchronisations, resets, and starting and stopping data transfer.
    #[inline]
    fn is_told_each_time(&self, operation: &Operation) -> bool {
        if operation.code == ORIGINATOR_ADDRESS {
            return false;
        }
        match (&self.asdu, self.apci.format) {
            (Some(asdu), _) => {
                let is_rare = matches!(
                    asdu.type_id,
                    TypeId::INTERROGATION
                        | TypeId::COUNTER_INTERROGATION
                        | TypeId::CLOCK_SYNCHRONIZATION
                        | TypeId::RESET_PROCESS
                );
                is_rare && self.kind() == Kind::Request
            }
            (None, Format::Unnumbered(UFunction::STARTDT_ACT | UFunction::STOPDT_ACT)) => true,
            (None, _) => false,
        }
    }

    /// Commands of types 45 to 51, and 58 to 64 with a time tag: a command may be executed with a time tag that it was
    /// not selected with.
    fn control(&self) -> Option<Control> {
        let (asdu, type_id) = self.command().filter(|_| self.is_whole)?;
        let object = asdu.objects().next()?;
        if self.kind() == Kind::Request && self.fault.is_some() && !asdu.is_valued(&object) {
            return None;
        }
        let Some(ElementSize::Fixed(size)) = type_id.element_octets() else { return None };
        let command = object.element.get(..size)?;
        let (last, rest) = command.split_last()?;
        let has_select = type_id.is_command_with_select();
        let select = has_select && last & 0x80 != 0;
        let last = if has_select { last & 0x7F } else { *last };
        // At most 5 octets.
        let content = rest.iter().chain([&last]).fold(0_u64, |content, octet| content << 8 | u64::from(*octet));
        let key = u64::from(asdu.common_address) << 32 | u64::from(type_id.0) << 24 | u64::from(object.address);
        let step = match asdu.cause {
            Cause::ACTIVATION if select => Step::Select,
            Cause::ACTIVATION => Step::Execute,
            Cause::DEACTIVATION => Step::Cancel,
            _ if self.refusal().is_some() && asdu.cause != Cause::ACTIVATION_TERMINATION => Step::Refused,
            Cause::ACTIVATION_CONFIRMATION | Cause::DEACTIVATION_CONFIRMATION => Step::Confirmed,
            Cause::ACTIVATION_TERMINATION => Step::Terminated,
            _ => return None,
        };
        Some(Control { step, key, content, terminates: asdu.type_id.terminates() })
    }

    #[inline]
    fn notices(&self, visit: &mut impl FnMut(Notice)) {
        self.notices.iter().copied().for_each(visit);
    }

    /// What C_CS_NA_1 sets.
    fn clock(&self) -> Option<u64> {
        let asdu = self.asdu.as_ref()?;
        let sets = asdu.type_id == TypeId::CLOCK_SYNCHRONIZATION && asdu.cause == Cause::ACTIVATION;
        if !sets || self.fault.is_some() {
            return None;
        }
        elements::read(asdu.type_id, asdu.objects().next()?.element)?.time
    }

    /// Type identification, common address, first information object address, and whether it deactivates; a mirrored
    /// ASDU does not tell that, and is taken for the answer to an activation. Not C_RD_NA_1: it is answered by data.
    /// Nor what goes to all stations: each answers by its own address.
    #[inline]
    fn pairing(&self) -> Option<u64> {
        let asdu = self.asdu.as_ref().filter(|asdu| is_control(asdu.type_id) && asdu.type_id != TypeId::READ)?;
        let deactivates = match asdu.cause.0 {
            6 | 7 | 44..=47 => 0,
            8 | 9 => 1,
            _ => return None,
        };
        if asdu.is_broadcast() {
            return None;
        }
        let address = u64::from(asdu.first_address()?);
        Some(deactivates << 48 | u64::from(asdu.type_id.0) << 40 | u64::from(asdu.common_address) << 24 | address)
    }

    #[inline]
    fn refusal(&self) -> Option<Refusal> {
        let asdu = self.asdu.as_ref().filter(|asdu| is_answer(asdu.cause) && self.kind() == Kind::Response)?;
        let reason = match asdu.cause {
            Cause::UNKNOWN_TYPE_IDENTIFICATION => Reason::Function,
            Cause::UNKNOWN_COMMON_ADDRESS => Reason::Unit,
            Cause::UNKNOWN_INFORMATION_OBJECT_ADDRESS => Reason::Address,
            Cause::UNKNOWN_CAUSE_OF_TRANSMISSION => Reason::Other,
            _ if asdu.negative => Reason::Other,
            _ => return None,
        };
        let name = if is_mirror(asdu.cause) { asdu.cause.name() } else { Some("negative_confirmation") };
        Some(Refusal { code: asdu.cause.0.into(), name, reason })
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let number = |n: u16| Value::Unsigned(n.into());
        let octet = |n: u8| Value::Unsigned(n.into());
        let named = |name: Option<&'static str>| name.map_or(Value::Null, Value::Name);
        visit("length", octet(self.apci.length));
        match self.apci.format {
            Format::Information { send_sequence_number, receive_sequence_number } => {
                visit("format", Value::Name("I"));
                visit("send_sequence_number", number(send_sequence_number));
                visit("receive_sequence_number", number(receive_sequence_number));
            }
            Format::Supervisory { receive_sequence_number } => {
                visit("format", Value::Name("S"));
                visit("receive_sequence_number", number(receive_sequence_number));
            }
            Format::Unnumbered(function) => {
                visit("format", Value::Name("U"));
                visit("control_function", octet(function.0));
                visit("function", named(function.name()));
            }
        }
        let Some(asdu) = &self.asdu else { return };
        visit("type_identification", octet(asdu.type_id.0));
        visit("type", named(asdu.type_id.name()));
        visit("sequence", Value::Bool(asdu.is_sequence));
        visit("number_of_objects", octet(asdu.number));
        visit("cause_of_transmission", octet(asdu.cause.0));
        visit("cause", named(asdu.cause.name()));
        visit("negative", Value::Bool(asdu.negative));
        visit("test", Value::Bool(asdu.test));
        if let Some(originator) = asdu.originator_address {
            visit("originator_address", octet(originator));
        }
        visit("common_address", number(asdu.common_address));
        if asdu.sizes != STANDARD {
            visit("cause_of_transmission_octets", octet(asdu.sizes.cause_of_transmission));
            visit("common_address_octets", octet(asdu.sizes.common_address));
            visit("information_object_address_octets", octet(asdu.sizes.information_object_address));
        }
        if asdu.element().is_none() || !self.is_whole {
            visit("information_objects", Value::Octets(asdu.octets));
        }
        for object in asdu.objects().take(OBJECTS_TOLD) {
            visit("information_object_address", Value::Unsigned(object.address.into()));
            elements::fields(asdu.type_id, object.element, visit);
        }
    }

    /// Values that activations command or load, and those that are told; confirmations only repeat.
    #[inline]
    fn points(&self, _asked: Option<Operation>, visit: &mut dyn FnMut(Point)) {
        let Some(asdu) = self.asdu.as_ref().filter(|asdu| self.is_whole && asdu.type_id.is_point()) else { return };
        let tells = match self.kind() {
            Kind::Request => asdu.cause == Cause::ACTIVATION,
            Kind::Unsolicited => true,
            Kind::Response => false,
        };
        if !tells {
            return;
        }
        let space = asdu.type_id.space();
        for object in asdu.objects() {
            if let Some(element) = elements::read(asdu.type_id, object.element)
                && (self.fault.is_none() || asdu.is_valued(&object))
            {
                visit(Point {
                    space,
                    address: object.address,
                    value: element.value,
                    quality: element.quality,
                    time: element.time,
                });
            }
        }
    }

    #[inline]
    fn tally(&self, visit: &mut impl FnMut(Tally)) {
        let code = match self.apci.format {
            Format::Information { .. } => FORMAT_I,
            Format::Supervisory { .. } => FORMAT_S,
            Format::Unnumbered(_) => FORMAT_U,
        };
        visit(Tally { table: 0, code, sub: None });
        if let Some(asdu) = &self.asdu {
            visit(Tally { table: 1, code: asdu.type_id.0, sub: None });
            visit(Tally { table: 2, code: asdu.type_id.0, sub: Some(asdu.cause.0) });
        }
    }

    #[inline]
    fn fault(&self) -> Option<ParseError> {
        self.fault
    }
}
