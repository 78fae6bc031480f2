//! Link frames with the fragments that end in them: what they do, tell and set.

use crate::dissect::Sender;
use crate::error::{Clause, ErrorKind, ParseError};
use crate::message::{
    Control, Describe, IdentityClaim, Kind, Notice, NoticeKind, Operation, Point, Refusal, Step, Tally, Target, Value,
    Verb,
};

use super::codes::{self, FunctionCode, INDICATIONS, Indications};
use super::link::{FRAME, LinkHeader, RESERVED_FIRST, SELF_ADDRESS};
use super::objects::{ObjectHeader, ObjectHeaders};
use super::transport::{SegmentTrouble, TransportHeader};

/// The operation's code of what every request shows beside its function: which master asks.
pub const MASTER_ADDRESS: u16 = 0x100;
/// Its name, and that of the space of its target.
pub const MASTER_ADDRESS_NAME: &str = "master_address";
/// Operations of one message that have a run of points each; further runs of the same kind are told as one that spans
/// them.
pub const RUNS_MOST: usize = 64;
/// Object headers of one message whose fields are told.
pub const HEADERS_TOLD: usize = 16;

/// Where the standard tells of the transport function.
pub const TRANSPORT: Clause = Clause("IEEE 1815-2012 8.2");
const APPLICATION_HEADER: Clause = Clause("IEEE 1815-2012 4.2.2");
const AUTHENTICATION: Clause = Clause("IEEE 1815-2012 7.5");

/// The application control octet of a fragment (IEEE 1815-2012 4.2.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationControl(pub u8);

impl ApplicationControl {
    /// FIR: the first fragment of a message.
    #[inline]
    #[must_use]
    pub fn is_first(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// FIN: the last fragment of a message.
    #[must_use]
    pub fn is_final(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// CON: a confirmation is asked for.
    #[must_use]
    pub fn wants_confirmation(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// UNS: it, or what it confirms, is an unsolicited response.
    #[must_use]
    pub fn is_unsolicited(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// The sequence number, 0 to 15.
    #[inline]
    #[must_use]
    pub fn sequence(self) -> u8 {
        self.0 & 0x0F
    }
}

/// An application fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// First, last, sequence.
    pub control: ApplicationControl,
    /// What it asks for or answers.
    pub function: FunctionCode,
    /// In responses only, and not in one that ends before them.
    pub indications: Option<Indications>,
    /// Object headers with their objects, as the wire has them.
    pub objects: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads the application header. A response that ends before its internal indications is still a fragment; the error
    /// beside it says so.
    ///
    /// # Errors
    /// Fewer than 2 octets: not even a function code.
    #[inline]
    pub fn read(octets: &'a [u8]) -> Result<(Self, Option<ParseError>), ParseError> {
        let short = |field, offset: u32, need: u32, have| ParseError {
            kind: ErrorKind::Truncated { need, have: u32::try_from(have).unwrap_or(u32::MAX) },
            field,
            offset,
            clause: APPLICATION_HEADER,
        };
        let Some(([control, function], rest)) = octets.split_first_chunk::<2>() else {
            return Err(short("application_header", 0, 2, octets.len()));
        };
        let (control, function) = (ApplicationControl(*control), FunctionCode(*function));
        if !function.has_indications() {
            return Ok((Self { control, function, indications: None, objects: rest }, None));
        }
        Ok(match rest.split_first_chunk::<2>() {
            Some((bits, objects)) => {
                let indications = Some(Indications(u16::from_be_bytes(*bits)));
                (Self { control, function, indications, objects }, None)
            }
            None => {
                let fault = short("internal_indications", 2, 2, rest.len());
                (Self { control, function, indications: None, objects: &[] }, Some(fault))
            }
        })
    }

    /// Its object headers; none where the function code is not of the standard.
    #[inline]
    #[must_use]
    pub fn headers(&self) -> ObjectHeaders<'a> {
        let octets = if self.function.is_defined() { self.objects } else { &[] };
        let offset = if self.indications.is_some() { 4 } else { 2 };
        ObjectHeaders::new(octets, offset, self.function.carries_objects())
    }

    /// As above, those before the first breach of the standard.
    #[inline]
    fn whole_headers(&self) -> impl Iterator<Item = ObjectHeader<'a>> + use<'a> {
        let mut headers = self.headers();
        std::iter::from_fn(move || headers.next_whole())
    }

    #[inline]
    fn kind(&self) -> Kind {
        match self.function.0 {
            130 => Kind::Unsolicited,
            code if code < 128 => Kind::Request,
            _ => Kind::Response,
        }
    }
}

/// What a link frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Nothing: a frame of the link layer's own, or user data without a transport header.
    LinkOnly,
    /// User data with a wrong CRC: whoever gets them drops them.
    Damaged,
    /// A segment that ends no fragment, or one that is dropped; and a fragment without an application header.
    Segment(TransportHeader),
    /// The last segment of a fragment, which is whole.
    Fragment(TransportHeader, Fragment<'a>),
}

/// What a walk over the objects of a fragment showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// The time is set.
    sets_time: bool,
    /// The first status of its command blocks that is not success, or 0.
    command_status: u8,
    /// The code of an authentication error object (g120v7).
    authentication_error: Option<u8>,
}

/// One link frame; offsets in its fault count from the first octet of the application fragment, or, where the frame is at
/// fault, of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The header.
    pub header: LinkHeader,
    /// What it carries.
    pub body: Body<'a>,
    /// The first thing that breaks the standard.
    pub fault: Option<ParseError>,
    pub(super) seen: Seen,
    pub(super) segment_trouble: Option<SegmentTrouble>,
    /// Bits of [`Indications::TROUBLE`] that the outstation's last response did not have.
    pub(super) new_trouble: u16,
    /// Where it stands in a command.
    pub(super) control: Option<Control>,
}

/// FNV-1a of 64 bits.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

/// Gives out operations, run by run; beyond [`RUNS_MOST`] those of one kind as one that spans them.
struct Runs<'v, F: FnMut(Operation)> {
    visit: &'v mut F,
    given: usize,
    /// Verb and object of the last, where it named no points.
    last_bare: Option<(Verb, u16)>,
    hull: Option<Operation>,
}

impl<F: FnMut(Operation)> Runs<'_, F> {
    fn add(&mut self, operation: Operation) {
        // What names no points is not done twice by being named twice.
        let bare = operation.target.is_none().then_some((operation.verb, operation.sub));
        if bare.is_some() && self.last_bare == bare {
            return;
        }
        self.last_bare = bare;
        if self.given < RUNS_MOST {
            self.given = self.given.saturating_add(1);
            (self.visit)(operation);
            return;
        }
        if let Some(hull) = &mut self.hull {
            let is_same = (hull.verb, hull.sub) == (operation.verb, operation.sub);
            match (&mut hull.target, operation.target) {
                (Some(wide), Some(run)) if is_same => {
                    let first = wide.first.min(run.first);
                    let last = wide.last().max(run.last());
                    (wide.first, wide.count) = (first, last.saturating_sub(first).saturating_add(1));
                    return;
                }
                (None, None) if is_same => return,
                _ => {}
            }
        }
        if let Some(hull) = self.hull.replace(operation) {
            (self.visit)(hull);
        }
    }

    fn end(self) -> bool {
        if let Some(hull) = self.hull {
            (self.visit)(hull);
        }
        self.given > 0
    }
}

/// Groups whose objects a response reports as values; not the echo of a command (g12, g41), times, files and the like.
#[inline]
fn is_reported(group: u8) -> bool {
    matches!(group, 1..=4 | 10 | 11 | 13 | 20..=23 | 30..=34 | 40 | 42 | 43 | 87 | 88 | 101 | 102 | 110 | 111 | 113)
}

/// Groups whose objects a request writes or commands.
#[inline]
fn is_written(group: u8) -> bool {
    matches!(group, 1..=4 | 10..=13 | 20..=23 | 30..=34 | 40..=43 | 101 | 102 | 110)
}

impl<'a> Message<'a> {
    /// A link frame that carries nothing more.
    #[inline]
    pub(super) fn new(header: LinkHeader) -> Self {
        Self {
            header,
            body: Body::LinkOnly,
            fault: None,
            seen: Seen::default(),
            segment_trouble: None,
            new_trouble: 0,
            control: None,
        }
    }

    /// Takes a whole fragment, walking over its objects.
    #[inline]
    pub(super) fn set_fragment(&mut self, transport: TransportHeader, octets: &'a [u8]) {
        self.body = Body::Segment(transport);
        let (fragment, fault) = match Fragment::read(octets) {
            Ok(read) => read,
            Err(error) => {
                self.fault.get_or_insert(error);
                return;
            }
        };
        self.fault = self.fault.or(fault);
        self.body = Body::Fragment(transport, fragment);
        let mut headers = fragment.headers();
        let mut has_objects_to_see = false;
        // Only a header's type is asked for here, so that the rest of it need not be put together.
        while let Some(header) = headers.next_whole() {
            match (fragment.function.0, header.group, header.variation) {
                (2, 50, _) => self.seen.sets_time = true,
                (_, 12 | 41, _) | (_, 120, 7) => has_objects_to_see = true,
                _ => {}
            }
        }
        self.fault = self.fault.or(headers.breach());
        if has_objects_to_see {
            self.see_objects(&fragment);
        }
    }

    /// Looks at the objects of commands and of authentication errors.
    fn see_objects(&mut self, fragment: &Fragment<'_>) {
        for header in fragment.whole_headers() {
            match (header.group, header.variation) {
                (12 | 41, _) => header.command_statuses(&mut |status| {
                    if self.seen.command_status == 0 {
                        self.seen.command_status = status;
                    }
                }),
                // Sequence, user and association stand before the error code.
                (120, 7) => {
                    let object = header.objects().next();
                    self.seen.authentication_error = object.and_then(|object| object.octets.get(8)).copied();
                }
                _ => {}
            }
        }
    }

    /// The fragment that ends here, where one does.
    #[inline]
    #[must_use]
    pub fn fragment(&self) -> Option<&Fragment<'a>> {
        match &self.body {
            Body::Fragment(_, fragment) => Some(fragment),
            _ => None,
        }
    }

    /// The step of a command, its key and its content, of a request that commands outputs.
    pub(super) fn command(&self) -> Option<Control> {
        let fragment = self.fragment()?;
        let step = match fragment.function {
            FunctionCode::SELECT => Step::Select,
            FunctionCode::OPERATE => Step::Operate,
            FunctionCode::DIRECT_OPERATE | FunctionCode::DIRECT_OPERATE_NR => Step::Execute,
            _ => return None,
        };
        let (mut key, mut content) = (Hash::new(), Hash::new());
        key.add(&self.outstation().to_le_bytes());
        key.add(&self.master().to_le_bytes());
        for header in fragment.whole_headers().filter(|header| header.group != 120) {
            key.add(&[header.group]);
            header.runs(&mut |first, count| {
                key.add(&first.to_le_bytes());
                key.add(&count.to_le_bytes());
            });
            content.add(&[header.group, header.variation, header.qualifier]);
            if header.is_command_block() {
                for object in header.objects() {
                    // The status behind is the outstation's to fill in.
                    let (_, octets) = object.octets.split_last().unwrap_or((&0, &[]));
                    content.add(&object.index.unwrap_or_default().to_le_bytes());
                    content.add(octets);
                }
            } else {
                content.add(header.octets);
            }
        }
        Some(Control { step, key: key.0, content: content.0, terminates: false })
    }

    /// Whether a master says it: who asks what the standard knows is one, whatever the direction bit says; for all else
    /// the bit is all there is.
    #[inline]
    fn is_from_master(&self) -> bool {
        self.header.control.is_from_master() || self.fragment().is_some_and(|fragment| fragment.function.is_request())
    }

    /// The address of the outstation.
    #[inline]
    pub(super) fn outstation(&self) -> u16 {
        if self.is_from_master() { self.header.destination } else { self.header.source }
    }

    /// The address of the master.
    #[inline]
    fn master(&self) -> u16 {
        if self.is_from_master() { self.header.source } else { self.header.destination }
    }

    fn operation(&self, verb: Verb, code: u16, sub: u16, target: Option<Target>) -> Operation {
        Operation { verb, code, sub, unit: self.outstation(), target }
    }

    fn notice(&self, kind: NoticeKind, name: &'static str, got: u64, expected: u64, clause: Clause) -> Notice {
        Notice { kind, name, unit: self.outstation(), got, expected, clause }
    }
}

/// The only index that a header names, where it names one.
#[inline]
fn only_index(header: &ObjectHeader<'_>) -> Option<u32> {
    if header.count() == 1 { header.first_index() } else { None }
}

impl Describe for Message<'_> {
    #[inline]
    fn kind(&self) -> Kind {
        match &self.body {
            Body::Fragment(_, fragment) => fragment.kind(),
            Body::LinkOnly if self.header.control.is_primary() => Kind::Request,
            Body::LinkOnly => Kind::Response,
            Body::Segment(_) | Body::Damaged if self.header.control.is_from_master() => Kind::Request,
            Body::Segment(_) | Body::Damaged => Kind::Response,
        }
    }

    #[inline]
    fn unit(&self) -> u16 {
        self.outstation()
    }

    #[inline]
    fn sender(&self) -> Sender {
        if self.is_from_master() { Sender::Client } else { Sender::Server }
    }

    fn operations(&self, visit: &mut impl FnMut(Operation)) {
        let Some(fragment) = self.fragment() else { return };
        let function = fragment.function;
        let code = u16::from(function.0);
        let is_response = function.is_response();
        let mut runs = Runs { visit: &mut *visit, given: 0, last_bare: None, hull: None };
        for header in fragment.whole_headers() {
            // What proves who asks is no object of the request.
            if (is_response && !is_reported(header.group)) || (!is_response && header.group == 120) {
                continue;
            }
            let verb = codes::verb(function, header.group, only_index(&header));
            let sub = u16::from_be_bytes([header.group, header.variation]);
            let mut has_run = false;
            if header.group != 60 {
                let space = header.space();
                header.runs(&mut |first, count| {
                    has_run = true;
                    let target = Some(Target { first, count: count.max(1), space });
                    runs.add(self.operation(verb, code, sub, target));
                });
            }
            if !has_run {
                runs.add(self.operation(verb, code, sub, None));
            }
        }
        if !runs.end() {
            // A header that can't be read still begins with its group and variation.
            let unread = if is_response || !function.is_defined() { None } else { fragment.objects.first_chunk() };
            let [group, variation] = unread.copied().filter(|[group, _]| *group != 120).unwrap_or([0, 0]);
            let verb = codes::verb(function, if group == 0 { u8::MAX } else { group }, None);
            visit(self.operation(verb, code, u16::from_be_bytes([group, variation]), None));
        }
        if !is_response && function != FunctionCode::CONFIRM {
            let master = Target { first: self.master().into(), count: 1, space: MASTER_ADDRESS_NAME };
            visit(self.operation(Verb::Session, MASTER_ADDRESS, 0, Some(master)));
        }
    }

    #[inline]
    fn reports(&self) -> Option<u16> {
        match self.body {
            Body::Fragment(_, Fragment { function: FunctionCode(code @ (129 | 130)), .. }) => Some(code.into()),
            _ => None,
        }
    }

    /// Polls for class 0, times that are set, and enabling and disabling unsolicited responses.
    #[inline]
    fn is_told_each_time(&self, operation: &Operation) -> bool {
        match operation.code {
            1 => operation.sub == 60 << 8 | 1,
            2 => operation.sub >> 8 == 50,
            code => matches!(code, 20 | 21),
        }
    }

    #[inline]
    fn control(&self) -> Option<Control> {
        self.control
    }

    fn notices(&self, visit: &mut impl FnMut(Notice)) {
        if let (Body::Damaged, Some(ParseError { kind: ErrorKind::Checksum { got, expected }, .. })) =
            (&self.body, self.fault)
        {
            visit(self.notice(NoticeKind::Ignored, "block_checksum", got.into(), expected.into(), FRAME));
        }
        let source = self.header.source;
        if source >= RESERVED_FIRST {
            let last = RESERVED_FIRST.saturating_sub(1);
            visit(self.notice(NoticeKind::Ignored, "reserved_address", source.into(), last.into(), FRAME));
        }
        let bit = self.header.control.is_from_master();
        if bit != self.is_from_master() {
            visit(self.notice(NoticeKind::Session, "direction_bit", bit.into(), (!bit).into(), FRAME));
        }
        if let Some(SegmentTrouble { name, got, expected }) = self.segment_trouble {
            visit(self.notice(NoticeKind::Session, name, got, expected, TRANSPORT));
        }
        if self.new_trouble != 0 {
            for (bits, name) in Indications::TROUBLE {
                let got = self.new_trouble & bits;
                if got != 0 {
                    visit(self.notice(NoticeKind::Trouble, name, got.into(), 0, INDICATIONS));
                }
            }
        }
        if let Some(code) = self.seen.authentication_error {
            visit(self.notice(NoticeKind::Session, "authentication_error", code.into(), 0, AUTHENTICATION));
        }
    }

    fn clock(&self) -> Option<u64> {
        if !self.seen.sets_time {
            return None;
        }
        self.fragment()?.whole_headers().find_map(|header| header.absolute_time_ms())
    }

    #[inline]
    fn pairing(&self) -> Option<u64> {
        let fragment = self.fragment()?;
        let is_paired = if fragment.function == FunctionCode::RESPONSE {
            fragment.control.is_first()
        } else {
            fragment.function.is_answered() && self.header.destination < SELF_ADDRESS
        };
        let stations = u64::from(self.outstation()) << 32 | u64::from(self.master()) << 16;
        is_paired.then(|| stations | u64::from(fragment.control.sequence()))
    }

    fn refusal(&self) -> Option<Refusal> {
        let fragment = self.fragment()?;
        if fragment.function != FunctionCode::RESPONSE {
            return None;
        }
        let by_indications = fragment.indications.and_then(Indications::refusal);
        by_indications.or_else(|| codes::status_refusal(self.seen.command_status))
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let named = |name: Option<&'static str>| name.map_or(Value::Null, Value::Name);
        let number = |n: u8| Value::Unsigned(n.into());
        let control = self.header.control;
        visit("source", Value::Unsigned(self.header.source.into()));
        visit("destination", Value::Unsigned(self.header.destination.into()));
        visit("from_master", Value::Bool(control.is_from_master()));
        visit("primary", Value::Bool(control.is_primary()));
        if control.is_primary() {
            visit("frame_count_bit", Value::Bool(control.frame_count_bit()));
            visit("frame_count_valid", Value::Bool(control.frame_count_valid()));
        } else {
            visit("data_flow_control", Value::Bool(control.frame_count_valid()));
        }
        visit("link_function_code", number(control.function_code()));
        visit("link_function", named(control.function_name()));
        let (Body::Segment(transport) | Body::Fragment(transport, _)) = self.body else { return };
        visit("transport_first", Value::Bool(transport.is_first()));
        visit("transport_final", Value::Bool(transport.is_final()));
        visit("transport_sequence", number(transport.sequence()));
        let Body::Fragment(_, fragment) = &self.body else { return };
        let control = fragment.control;
        visit("first", Value::Bool(control.is_first()));
        visit("final", Value::Bool(control.is_final()));
        visit("confirm", Value::Bool(control.wants_confirmation()));
        visit("unsolicited", Value::Bool(control.is_unsolicited()));
        visit("sequence", number(control.sequence()));
        visit("function_code", number(fragment.function.0));
        visit("function", named(fragment.function.name()));
        if let Some(Indications(bits)) = fragment.indications {
            visit("internal_indications", Value::Octets(&bits.to_be_bytes()));
            for (_, name) in Indications::NAMES.into_iter().filter(|(bit, _)| bits & bit != 0) {
                visit("iin", Value::Name(name));
            }
        }
        for header in fragment.whole_headers().take(HEADERS_TOLD) {
            header.fields(visit);
        }
    }

    fn points(&self, _asked: Option<Operation>, visit: &mut dyn FnMut(Point)) {
        let Some(fragment) = self.fragment() else { return };
        let is_wanted = match fragment.function.0 {
            2..=6 => is_written,
            129 | 130 => is_reported,
            _ => return,
        };
        let mut common_time = None;
        for header in fragment.whole_headers() {
            if is_wanted(header.group) || header.group == 51 {
                header.points(&mut common_time, visit);
            }
        }
    }

    #[inline]
    fn tally(&self, visit: &mut impl FnMut(Tally)) {
        let control = self.header.control;
        let primary = if control.is_primary() { 0x40 } else { 0 };
        visit(Tally { table: 2, code: control.function_code() | primary, sub: None });
        if let Some(fragment) = self.fragment() {
            visit(Tally { table: u8::from(fragment.function.is_response()), code: fragment.function.0, sub: None });
        }
    }

    #[inline]
    fn fault(&self) -> Option<ParseError> {
        self.fault
    }

    fn identity(&self, visit: &mut dyn FnMut(IdentityClaim<'_>)) {
        let Some(fragment) = self.fragment() else { return };
        if fragment.function != FunctionCode::RESPONSE {
            return;
        }
        for header in fragment.whole_headers() {
            let Some(key) = identity_key(header.group, header.variation) else { continue };
            // Set 0 is the standard's own; others mean what their makers say.
            for attribute in header.attributes().filter(|attribute| attribute.set == 0) {
                if let Value::Text(text) = attribute.value()
                    && !text.is_empty()
                {
                    visit(IdentityClaim { key, text });
                }
            }
        }
    }
}

/// What a device attribute of the standard's set claims, in the words that all protocols share.
fn identity_key(group: u8, variation: u8) -> Option<&'static str> {
    Some(match (group, variation) {
        (0, 242) => "revision",
        (0, 243) => "hardware_revision",
        (0, 245) => "location",
        (0, 246) => "identifier",
        (0, 247) => "name",
        (0, 248) => "serial_number",
        (0, 250) => "product",
        (0, 252) => "vendor",
        _ => return None,
    })
}

/// Says that a frame of a function without user data has some, or one with user data has none.
pub(super) fn user_data_fault(header: LinkHeader) -> Option<ParseError> {
    let carries = header.control.carries_user_data();
    (carries == (header.user_octets() == 0)).then(|| ParseError {
        kind: ErrorKind::Forbidden { got: header.length.into() },
        field: "length",
        offset: 2,
        clause: FRAME,
    })
}

/// The names of operations: those of the function codes, and [`MASTER_ADDRESS_NAME`].
pub(super) fn operation_name(code: u16) -> Option<&'static str> {
    match u8::try_from(code) {
        Ok(code) => FunctionCode(code).name(),
        Err(_) => (code == MASTER_ADDRESS).then_some(MASTER_ADDRESS_NAME),
    }
}
