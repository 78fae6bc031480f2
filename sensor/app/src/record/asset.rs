//! Assets, each claim with the frame that carries it.

use super::alert::fitting;
use super::text::{Names, address_of, ip_of};
use super::wire::{Cuts, Room, items_cut, sentence_cut, text_cut};
use super::write::{line, time};
use super::{FrameShape, SCHEMA, csv};
use serde::Serialize;
use std::net::IpAddr;
use yagura_parsers::packet::link::MacAddr;
use yagura_rules::facts::asset::{Asset, AssetKey, Claim, Role};
use yagura_rules::norm::Approval;

/// A MAC address that an asset was seen with.
#[derive(Debug, Clone, Serialize)]
pub struct MacShape {
    /// The address.
    pub mac: String,
    /// Which protocol showed it.
    pub source: &'static str,
    /// The first frame that did.
    pub at: FrameShape,
}

/// What an asset told of itself.
#[derive(Debug, Clone, Serialize)]
pub struct ClaimShape {
    /// What is claimed: `name`, `vendor`, `product`, ...
    pub key: &'static str,
    /// The text from the wire.
    pub text: String,
    /// Which protocol told it.
    pub source: &'static str,
    /// The first frame that did.
    pub at: FrameShape,
}

/// What an asset does.
#[derive(Debug, Clone, Serialize)]
pub struct RoleShape {
    /// The role.
    pub role: &'static str,
    /// By which protocol.
    pub protocol: &'static str,
    /// The first frame that shows it.
    pub at: FrameShape,
}

/// An address behind an asset.
#[derive(Debug, Clone, Serialize)]
pub struct UnitShape {
    /// The protocol.
    pub protocol: &'static str,
    /// The unit identifier.
    pub unit: u16,
    /// The first frame with an answer of it.
    pub at: FrameShape,
}

/// A device.
#[derive(Debug, Clone, Serialize)]
pub struct AssetRecord {
    /// `asset`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// [`SCHEMA`].
    pub schema: u32,
    /// IP address; `null` for one that speaks no IP.
    pub address: Option<IpAddr>,
    /// Its MAC address, or the first of several.
    pub mac: Option<String>,
    /// Its name: the site file's, or the first that it told.
    pub name: Option<String>,
    /// Vendor, by the MAC address.
    pub vendor: Option<&'static str>,
    /// VLAN identifiers of its broadcast domain, outermost first.
    pub vlans: Vec<u16>,
    /// Network identifier of the tunnel that it is behind.
    pub network: Option<u32>,
    /// What the site file says of it: `approved`, `pending`, `blocked`, `expired`, `unlisted`; `null` without a list.
    pub approval: Option<&'static str>,
    /// What it does.
    pub roles: Vec<RoleShape>,
    /// Protocols that it speaks.
    pub protocols: Vec<&'static str>,
    /// Addresses behind it.
    pub units: Vec<UnitShape>,
    /// What it told of itself.
    pub claims: Vec<ClaimShape>,
    /// MAC addresses.
    pub macs: Vec<MacShape>,
    /// When it was first heard.
    pub first_seen: String,
    /// In which frame.
    pub first_at: FrameShape,
    /// When it was last heard.
    pub last_seen: String,
    /// Claims that were not kept, for want of room.
    pub claims_dropped: u32,
    /// What was shortened or left out for want of room.
    pub cut: Vec<&'static str>,
}

impl AssetRecord {
    /// Shapes an asset, with so much room.
    pub fn new(asset: &Asset, names: &Names<'_>, room: Room) -> Self {
        let mut cuts = Cuts::default();
        let at = |frame| FrameShape::new(frame, names.captures);
        let scope = match &asset.key {
            AssetKey::Ip(scope, _) | AssetKey::Mac(scope, _) => scope,
        };
        let mac = mac_of(asset);
        let name = names.of(&asset.key, mac).map(|name| sentence_cut(name, room, "name", &mut cuts));
        let claims: Vec<_> = asset.claims.iter().collect();
        let units: Vec<_> = asset.units.iter().collect();
        let macs: Vec<_> = asset.macs.iter().collect();
        Self {
            kind: "asset",
            schema: SCHEMA,
            address: ip_of(&asset.key),
            mac: mac.map(|mac| mac.to_string()),
            name,
            vendor: asset.vendor,
            vlans: scope.tags.into_iter().filter(|tag| *tag != 0).collect(),
            network: scope.network.checked_sub(1),
            approval: approval(names.norm.approval(ip_of(&asset.key), mac, asset.last_time)),
            roles: asset
                .roles
                .iter()
                .map(|((role, protocol), frame)| RoleShape { role: role_name(*role), protocol, at: at(*frame) })
                .collect(),
            protocols: asset.protocols.iter().copied().collect(),
            units: items_cut(&units, room.items.min(128), "units", &mut cuts)
                .iter()
                .map(|((protocol, unit), frame)| UnitShape { protocol, unit: *unit, at: at(**frame) })
                .collect(),
            claims: items_cut(&claims, room.items, "claims", &mut cuts)
                .iter()
                .map(|((key, octets), Claim { source, frame })| ClaimShape {
                    key,
                    text: text_cut(octets, room, key, &mut Cuts::default()),
                    source,
                    at: at(*frame),
                })
                .collect(),
            macs: items_cut(&macs, room.items, "macs", &mut cuts)
                .iter()
                .map(|(mac, Claim { source, frame })| MacShape { mac: mac.to_string(), source, at: at(*frame) })
                .collect(),
            first_seen: time(asset.first_time),
            first_at: at(asset.first),
            last_seen: time(asset.last_time),
            claims_dropped: asset.dropped_claims,
            cut: {
                for (key, octets) in asset.claims.keys() {
                    if octets.len() > room.octets {
                        cuts.note(key);
                    }
                }
                cuts.0
            },
        }
    }

    /// An asset as one line.
    pub fn line(asset: &Asset, names: &Names<'_>) -> String {
        fitting(|room| line(&Self::new(asset, names, room)))
    }
}

/// The columns of [`cells`].
pub const COLUMNS: [&str; 13] = [
    "address",
    "mac",
    "name",
    "vendor",
    "vlans",
    "approval",
    "roles",
    "protocols",
    "units",
    "claims",
    "first_seen",
    "first_frame",
    "last_seen",
];

/// An asset as the cells of a table; what comes more than once is joined by `; `.
pub fn cells(asset: &AssetRecord) -> [String; 13] {
    let joined = |items: Vec<String>| items.join("; ");
    let maybe = |text: Option<&str>| text.unwrap_or_default().to_owned();
    [
        asset.address.map_or_else(String::new, |address| address.to_string()),
        joined(asset.macs.iter().map(|mac| mac.mac.clone()).collect()),
        maybe(asset.name.as_deref()),
        maybe(asset.vendor),
        joined(asset.vlans.iter().map(u16::to_string).collect()),
        maybe(asset.approval),
        joined(asset.roles.iter().map(|role| described(role.role, role.protocol)).collect()),
        asset.protocols.join("; "),
        joined(asset.units.iter().map(|unit| format!("{} {}", unit.protocol, unit.unit)).collect()),
        joined(asset.claims.iter().map(claim).collect()),
        asset.first_seen.clone(),
        asset.first_at.frame.to_string(),
        asset.last_seen.clone(),
    ]
}

/// A claim as a cell has it: `name: PLC-1 (lldp)`; one without a text is its key alone.
fn claim(claim: &ClaimShape) -> String {
    match claim.text.as_str() {
        "" => format!("{} ({})", claim.key, claim.source),
        text => format!("{}: {text} ({})", claim.key, claim.source),
    }
}

/// The heading of a spreadsheet of assets.
pub fn csv_heading() -> String {
    csv::row(COLUMNS)
}

/// An asset as a row of a spreadsheet.
pub fn csv_row(asset: &Asset, names: &Names<'_>) -> String {
    csv::row(cells(&AssetRecord::new(asset, names, Room::LEVELS[0])))
}

/// A role with its protocol: `client (modbus)`.
pub fn described(role: &str, protocol: &str) -> String {
    if protocol.is_empty() { role.to_owned() } else { format!("{role} ({protocol})") }
}

/// The name of a role in records.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
        Role::Gateway => "gateway",
        Role::Router => "router",
        Role::Engineering => "engineering",
        Role::DhcpServer => "dhcp_server",
    }
}

/// What a list says of an asset, in records.
pub fn approval(approval: Approval) -> Option<&'static str> {
    match approval {
        Approval::NoList => None,
        Approval::Approved(_) => Some("approved"),
        Approval::Pending(_) => Some("pending"),
        Approval::Blocked(_) => Some("blocked"),
        Approval::Expired(_) => Some("expired"),
        Approval::Unlisted(_) => Some("unlisted"),
    }
}

/// How an asset is called where there is no name.
pub fn called(asset: &Asset) -> String {
    address_of(&asset.key)
}

fn mac_of(asset: &Asset) -> Option<MacAddr> {
    match asset.key {
        AssetKey::Mac(_, mac) => Some(mac),
        AssetKey::Ip(..) => asset.macs.keys().next().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::examples;
    use crate::record::schema::tests::assert_valid;
    use crate::record::write::LINE_OCTETS_MAX;
    use yagura_rules::norm::Norm;

    #[test]
    fn an_asset_has_its_shape() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &["a.pcap".to_owned()] };
        let text = AssetRecord::line(&examples::asset(), &names);
        assert_valid("asset", &text);
        assert!(
            text.starts_with(r#"{"type":"asset","schema":1,"address":"10.20.1.9","mac":"00:80:f4:0a:11:02","#),
            "{text}"
        );
        assert!(
            text.contains(r#"{"key":"name","text":"PLC\u001b-1","source":"dhcp","at":{"capture":"a.pcap","frame":3}}"#)
        );
        assert!(text.contains(r#"{"key":"product","text":"hex:ff","source":"modbus""#), "{text}");
    }

    #[test]
    fn an_asset_fits_its_line() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let mut asset = examples::asset();
        for unit in 0..2_000 {
            asset.units.insert(("modbus", unit), asset.first);
        }
        for number in 0_u8..64 {
            let claim = asset.claims.values().next().unwrap().clone();
            asset.claims.insert(("name", vec![number; 200].into()), claim);
        }
        let text = AssetRecord::line(&asset, &names);
        assert!(text.len() <= LINE_OCTETS_MAX, "{}", text.len());
        assert_valid("asset", &text);
        assert!(text.contains(r#""cut":["units","claims""#), "{text}");
    }

    #[test]
    fn a_hostile_name_cannot_leave_its_cell() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let mut asset = examples::asset();
        let claim = asset.claims.values().next().unwrap().clone();
        asset.claims.clear();
        asset.claims.insert(("name", Box::from(&b"=HYPERLINK(\"x\",1)\r\n"[..])), claim);
        let assets = std::collections::BTreeMap::from([(asset.key, asset.clone())]);
        let row = csv_row(&asset, &Names { assets: Some(&assets), ..names });
        assert!(row.contains(r#","'=HYPERLINK(""x"",1)\u{d}\u{a}","#), "{row}");
        assert_eq!(row.matches('\n').count(), 1);
        assert_eq!(csv_heading().split(',').count(), COLUMNS.len());
    }
}
