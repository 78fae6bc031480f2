//! The native alert record as the formats read it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::net::IpAddr;

use crate::record::Severity;

/// A technique of MITRE ATT&CK for ICS.
#[derive(Debug, Deserialize)]
pub struct Technique {
    /// Its id.
    pub id: String,
    /// The id before version 19, where it differs.
    pub old: Option<String>,
    /// Its name.
    pub name: String,
}

/// The detection that raised the alert.
#[derive(Debug, Deserialize)]
pub struct Detection {
    /// `OT-0007`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Techniques it is evidence of.
    pub attack: Vec<Technique>,
    /// Rows of requirements that it serves.
    pub serves: Vec<String>,
}

/// One end of a flow.
#[derive(Debug, Deserialize)]
pub struct End {
    /// IP address.
    pub address: IpAddr,
    /// Port, where the transport has any.
    pub port: Option<u16>,
    /// MAC address its frames came from.
    pub mac: Option<String>,
}

/// The flow that the alert is about.
#[derive(Debug, Deserialize)]
pub struct Flow {
    /// Number of its first frame in the run.
    pub id: u64,
    /// Community ID.
    pub community_id: Option<String>,
    /// `tcp`, `udp`, `icmp`, `ip-47`.
    pub transport: String,
    /// Who opened it.
    pub client: End,
    /// Who was called.
    pub server: End,
    /// VLAN identifiers, outermost first.
    pub vlans: Vec<u16>,
    /// Network identifier of the tunnel.
    pub network: Option<u32>,
    /// What is spoken.
    pub protocol: Option<String>,
}

/// A device that is concerned.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Concerned {
    /// IP address.
    pub address: Option<IpAddr>,
    /// MAC address.
    pub mac: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// The texts that explain the detection.
#[derive(Debug, Deserialize)]
pub struct CardTexts {
    /// What it means.
    pub what: String,
}

/// What of an event's record the formats read.
#[derive(Debug, Default, Deserialize)]
pub struct EventHead {
    /// Number of the frame and which of its events.
    #[serde(default)]
    pub event: String,
    /// The capture's path.
    pub capture: Option<String>,
    /// Number of the frame in the capture, from 1.
    #[serde(default)]
    pub frame: u64,
}

/// A native alert record. Keys that are added later are passed over; what is passed through as it stands is kept as text.
#[derive(Debug, Deserialize)]
pub struct Alert<'a> {
    /// Version of the record's shape.
    pub schema: u32,
    /// `OT-0001-142-1`.
    pub id: String,
    /// When, RFC 3339 with nine decimals.
    pub time: String,
    /// How bad.
    pub severity: Severity,
    /// What raised it.
    pub detection: Detection,
    /// The sensor's name.
    pub sensor: Option<String>,
    /// The site's name.
    pub site: Option<String>,
    /// What the judgement rests on.
    #[serde(borrow)]
    pub basis: &'a RawValue,
    /// The sentence.
    pub summary: String,
    /// The sentence in Japanese.
    pub summary_ja: Option<String>,
    /// What equal findings share.
    pub subject: String,
    /// The sentence's parameters.
    #[serde(borrow)]
    pub params: &'a RawValue,
    /// The flow.
    pub flow: Option<Flow>,
    /// Who is concerned, the actor first.
    pub assets: Vec<Concerned>,
    /// How many more there were.
    pub repeats: u64,
    /// The alert that it closes.
    pub closes: Option<String>,
    /// Events that carry it, its own first.
    #[serde(borrow)]
    pub evidence: Vec<&'a RawValue>,
    /// Explanation.
    pub card: Option<CardTexts>,
    /// What was cut.
    pub cut: Vec<String>,
}

impl<'a> Alert<'a> {
    /// Reads a record; `None` where it is no alert's.
    pub fn read(record: &'a str) -> Option<Self> {
        serde_json::from_str(record).ok()
    }

    /// The event that raised it.
    pub fn origin(&self) -> EventHead {
        self.evidence.first().and_then(|event| serde_json::from_str(event.get()).ok()).unwrap_or_default()
    }

    /// MAC addresses of the source and of who is called, as far as they are known.
    pub fn macs(&self) -> (Option<&str>, Option<&str>) {
        match &self.flow {
            Some(flow) => (flow.client.mac.as_deref(), flow.server.mac.as_deref()),
            None => {
                let mut macs = self.assets.iter().map(|asset| asset.mac.as_deref());
                (macs.next().flatten(), macs.next().flatten())
            }
        }
    }

    /// Addresses of the source and of who is called: the flow's, else those of the first two devices concerned.
    pub fn addresses(&self) -> (Option<IpAddr>, Option<IpAddr>) {
        let mut concerned = self.assets.iter().map(|asset| asset.address);
        let (actor, other) = (concerned.next().flatten(), concerned.next().flatten());
        match &self.flow {
            Some(flow) => (Some(flow.client.address), Some(flow.server.address)),
            None => (actor, other),
        }
    }
}

/// How much of an alert there is room for: the first level is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Events of the evidence.
    pub evidence: usize,
    /// Devices concerned.
    pub assets: usize,
    /// Whether parameters, techniques and requirements are told.
    pub details: bool,
    /// Octets of one text, as they are written.
    pub text: usize,
}

impl Level {
    /// From everything to what always fits 2 KiB.
    pub const ALL: [Self; 4] = [
        Self { evidence: usize::MAX, assets: usize::MAX, details: true, text: usize::MAX },
        Self { evidence: 1, assets: 16, details: true, text: 2_048 },
        Self { evidence: 0, assets: 4, details: true, text: 512 },
        Self { evidence: 0, assets: 0, details: false, text: 96 },
    ];
}

/// The first level with which a line has at most so many octets; the tightest where none has.
pub fn fitting(octets: usize, shape: impl Fn(Level) -> Option<String>) -> Option<String> {
    let mut text = None;
    for level in Level::ALL {
        text = shape(level);
        if text.as_ref().is_none_or(|text| text.len() <= octets) {
            break;
        }
    }
    text
}
