//! `Inventory`: sightings and claims to assets, bounded; who holds which address, and who carries those of others.

use super::oui;
use crate::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;
use yagura_rules::facts::asset::{Asset, AssetKey, Claim, Role};
use yagura_rules::facts::event::{AddressConflict, FrameRef};
use yagura_rules::facts::time::Timestamp;

/// A MAC address that carries more addresses than this, none of them its own by ARP, is a router's.
const CARRIED_MAX: usize = 3;
/// Units and roles of one asset that are kept: a Modbus gateway has at most 247.
const UNITS_MAX: usize = 1_024;

/// What is known of a MAC address.
#[derive(Debug, Default)]
struct Carrier {
    /// Addresses seen with it, at most one more than [`CARRIED_MAX`].
    addresses: BTreeSet<IpAddr>,
    /// The first address that it told by ARP or was given by DHCP: its own.
    own: Option<IpAddr>,
    router: bool,
}

/// The assets, with an order of the idle ones in which they go where room is short.
#[derive(Debug)]
pub struct Inventory {
    assets: BTreeMap<AssetKey, Asset>,
    /// Assets without a role, by when they were last heard.
    idle: BTreeSet<(Timestamp, AssetKey)>,
    carriers: BTreeMap<(Scope, MacAddr), Carrier>,
    /// The MAC address that holds an address now, and whether it said so itself.
    holders: BTreeMap<AssetKey, (MacAddr, bool, FrameRef)>,
    assets_max: usize,
    claims_max: usize,
    evicted: u64,
    claims_dropped: u64,
}

impl Inventory {
    /// An empty inventory, bounded by `assets_max` and `asset_claims_max`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            assets: BTreeMap::new(),
            idle: BTreeSet::new(),
            carriers: BTreeMap::new(),
            holders: BTreeMap::new(),
            assets_max: limits.assets_max.max(1),
            claims_max: limits.asset_claims_max,
            evicted: 0,
            claims_dropped: 0,
        }
    }

    /// The assets.
    pub fn assets(&self) -> &BTreeMap<AssetKey, Asset> {
        &self.assets
    }

    /// The assets, taken out.
    pub fn into_assets(self) -> BTreeMap<AssetKey, Asset> {
        self.assets
    }

    /// How often bounds bit.
    pub fn limits(&self) -> [(&'static str, u64); 2] {
        [("assets_max", self.evicted), ("asset_claims_max", self.claims_dropped)]
    }

    /// A frame of a device was seen. True where it is the first.
    pub fn see(&mut self, key: AssetKey, frame: FrameRef, time: Timestamp) -> bool {
        if self.assets.contains_key(&key) {
            self.heard(key, time);
            return false;
        }
        if self.assets.len() >= self.assets_max {
            // Those that play no role go first, the one that was quiet for longest.
            let first = self.idle.pop_first().map(|(_, key)| key);
            let Some(gone) = first.or_else(|| self.assets.keys().next().copied()) else { return false };
            self.assets.remove(&gone);
            self.holders.remove(&gone);
            self.evicted = self.evicted.saturating_add(1);
        }
        if self.carriers.len() > self.assets_max.saturating_mul(2) {
            self.carriers.clear();
        }
        let vendor = match key {
            AssetKey::Mac(_, mac) => oui::vendor(mac),
            AssetKey::Ip(..) => None,
        };
        let asset = Asset {
            key,
            macs: BTreeMap::new(),
            vendor,
            claims: BTreeMap::new(),
            roles: BTreeMap::new(),
            units: BTreeMap::new(),
            protocols: BTreeSet::new(),
            first: frame,
            first_time: time,
            last_time: time,
            dropped_claims: 0,
        };
        self.assets.insert(key, asset);
        self.idle.insert((time, key));
        true
    }

    /// A device was heard again.
    pub fn heard(&mut self, key: AssetKey, time: Timestamp) {
        let Some(asset) = self.assets.get_mut(&key) else { return };
        if time <= asset.last_time {
            return;
        }
        if self.idle.remove(&(asset.last_time, key)) {
            self.idle.insert((time, key));
        }
        asset.last_time = time;
    }

    /// Which asset has a MAC address for its own.
    pub fn holder_of(&self, scope: Scope, mac: MacAddr) -> Option<AssetKey> {
        let carrier = self.carriers.get(&(scope, mac))?;
        carrier.own.map(|address| AssetKey::Ip(scope, address))
    }

    /// A device was seen with a MAC address. Answers a conflict where another held the address.
    ///
    /// ARP and DHCP say whose an address is; an IP packet says only who carried it, which a router does for many.
    pub fn hold(
        &mut self,
        key: AssetKey,
        mac: MacAddr,
        source: &'static str,
        frame: FrameRef,
    ) -> Option<AddressConflict> {
        let AssetKey::Ip(scope, address) = key else {
            self.attach(key, mac, source, frame);
            return None;
        };
        let said = matches!(source, "arp" | "dhcp");
        let carrier = self.carriers.entry((scope, mac)).or_default();
        if said && carrier.own.is_none() {
            carrier.own = Some(address);
        }
        if !said && carrier.addresses.len() <= CARRIED_MAX {
            carrier.addresses.insert(address);
        }
        let becomes_router = !carrier.router && carrier.addresses.len() > CARRIED_MAX;
        carrier.router |= becomes_router;
        let (router, own) = (carrier.router, carrier.own);
        if becomes_router {
            self.route(scope, mac, frame);
        }
        if !said && router && own != Some(address) {
            return None;
        }
        let before = self.holders.get(&key).copied();
        let conflict = match before {
            Some((held, held_said, held_frame)) if held != mac => {
                let other_router = self.carriers.get(&(scope, held)).is_some_and(|carrier| carrier.router);
                // Word against word, or deed against deed; a word outweighs a deed, a deed does not outweigh a word.
                match (held_said, said) {
                    (true, true) => Some(held_frame),
                    (false, false) if !other_router => Some(held_frame),
                    (true, false) => return None,
                    _ => None,
                }
                .map(|before_frame| AddressConflict {
                    asset: key,
                    before: held,
                    before_frame,
                    after: mac,
                })
            }
            _ => None,
        };
        if said {
            self.unite(AssetKey::Mac(scope, mac), key);
        }
        if before.is_none_or(|(held, held_said, _)| held != mac || (said && !held_said)) {
            self.holders.insert(key, (mac, said, frame));
        }
        self.attach(key, mac, source, frame);
        conflict
    }

    /// A device that was known by its MAC address only turns out to have an IP address: what was known of it moves there.
    fn unite(&mut self, from: AssetKey, to: AssetKey) {
        if !self.assets.contains_key(&to) {
            return;
        }
        let Some(before) = self.assets.remove(&from) else { return };
        self.idle.remove(&(before.last_time, from));
        for ((name, text), claim) in before.claims {
            self.claim(to, claim.source, name, &text, claim.frame);
        }
        if let Some(asset) = self.assets.get_mut(&to)
            && before.first_time < asset.first_time
        {
            asset.first = before.first;
            asset.first_time = before.first_time;
        }
    }

    /// A MAC address turns out to be a router's: the addresses that it carried are not its own.
    fn route(&mut self, scope: Scope, mac: MacAddr, frame: FrameRef) {
        let Some(carrier) = self.carriers.get(&(scope, mac)) else { return };
        let (addresses, own) = (carrier.addresses.clone(), carrier.own);
        for address in addresses {
            let key = AssetKey::Ip(scope, address);
            if own == Some(address) {
                continue;
            }
            if self.holders.get(&key).is_some_and(|(held, said, _)| *held == mac && !said) {
                self.holders.remove(&key);
            }
            if let Some(asset) = self.assets.get_mut(&key)
                && asset.macs.get(&mac).is_some_and(|claim| claim.source == "ip")
            {
                asset.macs.remove(&mac);
                asset.vendor = asset.macs.keys().next().and_then(|mac| oui::vendor(*mac));
            }
        }
        if let Some(address) = own {
            self.plays(AssetKey::Ip(scope, address), Role::Router, "ip", frame);
        }
    }

    fn attach(&mut self, key: AssetKey, mac: MacAddr, source: &'static str, frame: FrameRef) {
        let claims_max = self.claims_max;
        let Some(asset) = self.assets.get_mut(&key) else { return };
        let room = asset.macs.len() < claims_max;
        match asset.macs.get_mut(&mac) {
            Some(claim) if claim.source == "ip" && source != "ip" => *claim = Claim { source, frame },
            Some(_) => {}
            None if room => {
                asset.macs.insert(mac, Claim { source, frame });
                asset.vendor = asset.vendor.or_else(|| oui::vendor(mac));
            }
            None => {
                asset.dropped_claims = asset.dropped_claims.saturating_add(1);
                self.claims_dropped = self.claims_dropped.saturating_add(1);
            }
        }
    }

    /// Something is claimed of a device.
    pub fn claim(&mut self, key: AssetKey, source: &'static str, name: &'static str, text: &[u8], frame: FrameRef) {
        let claims_max = self.claims_max;
        let Some(asset) = self.assets.get_mut(&key) else { return };
        let of_kind = asset.claims.keys().filter(|(other, _)| *other == name).count();
        let claim = (name, Box::from(text));
        if asset.claims.contains_key(&claim) {
            return;
        }
        if of_kind >= claims_max {
            asset.dropped_claims = asset.dropped_claims.saturating_add(1);
            self.claims_dropped = self.claims_dropped.saturating_add(1);
            return;
        }
        asset.claims.insert(claim, Claim { source, frame });
    }

    /// A device plays a role.
    pub fn plays(&mut self, key: AssetKey, role: Role, protocol: &'static str, frame: FrameRef) {
        let Some(asset) = self.assets.get_mut(&key) else { return };
        asset.roles.entry((role, protocol)).or_insert(frame);
        self.idle.remove(&(asset.last_time, key));
    }

    /// A device speaks a protocol.
    pub fn speaks(&mut self, key: AssetKey, protocol: &'static str) {
        if let Some(asset) = self.assets.get_mut(&key) {
            asset.protocols.insert(protocol);
        }
    }

    /// A unit behind a device answered.
    pub fn unit(&mut self, key: AssetKey, protocol: &'static str, unit: u16, frame: FrameRef) {
        let Some(asset) = self.assets.get_mut(&key) else { return };
        if asset.units.len() < UNITS_MAX {
            asset.units.entry((protocol, unit)).or_insert(frame);
        }
        if asset.units.keys().filter(|(other, _)| *other == protocol).nth(1).is_some() {
            self.plays(key, Role::Gateway, protocol, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: FrameRef = FrameRef { capture: 0, frame: 1 };

    fn ip(last: u8) -> AssetKey {
        AssetKey::Ip(Scope::default(), [10, 0, 0, last].into())
    }

    fn mac(last: u8) -> MacAddr {
        MacAddr([0, 0x80, 0xf4, 0, 0, last])
    }

    fn inventory(assets_max: usize) -> Inventory {
        Inventory::new(&Limits { assets_max, ..Limits::default() })
    }

    #[test]
    fn two_that_answer_for_one_address_are_a_conflict() {
        let mut inventory = inventory(100);
        inventory.see(ip(1), FRAME, Timestamp(1));
        assert_eq!(inventory.hold(ip(1), mac(1), "arp", FRAME), None);
        assert_eq!(inventory.hold(ip(1), mac(1), "ip", FRAME), None);
        let conflict = inventory.hold(ip(1), mac(2), "arp", FRAME).unwrap();
        assert_eq!((conflict.before, conflict.after), (mac(1), mac(2)));
        assert!(inventory.hold(ip(1), mac(1), "arp", FRAME).is_some(), "and back again");
    }

    #[test]
    fn a_router_carries_others_addresses_and_makes_no_conflict() {
        let mut inventory = inventory(100);
        for last in 1..=10 {
            inventory.see(ip(last), FRAME, Timestamp(1));
            inventory.hold(ip(last), mac(200), "ip", FRAME);
        }
        assert!(inventory.assets().values().all(|asset| asset.macs.is_empty()));
        assert_eq!(inventory.hold(ip(1), mac(201), "ip", FRAME), None);
        assert_eq!(inventory.hold(ip(1), mac(200), "ip", FRAME), None, "what a router carries proves nothing");
    }

    #[test]
    fn a_device_that_gets_an_address_stays_one_device() {
        let mut inventory = inventory(100);
        let bare = AssetKey::Mac(Scope::default(), mac(1));
        inventory.see(bare, FRAME, Timestamp(1));
        inventory.claim(bare, "dhcp", "name", b"hmi", FRAME);
        inventory.see(ip(1), FRAME, Timestamp(2));
        inventory.hold(ip(1), mac(1), "arp", FRAME);
        assert_eq!(inventory.assets().len(), 1);
        let asset = &inventory.assets()[&ip(1)];
        assert!(asset.first_time == Timestamp(1) && asset.claims.keys().any(|(name, _)| *name == "name"));
    }

    #[test]
    fn who_plays_a_role_stays_when_room_is_short() {
        let mut inventory = inventory(3);
        inventory.see(ip(1), FRAME, Timestamp(1));
        inventory.plays(ip(1), Role::Server, "modbus", FRAME);
        for last in 2..=200 {
            assert!(inventory.see(ip(last), FRAME, Timestamp(u64::from(last))));
        }
        assert!(inventory.assets().contains_key(&ip(1)) && inventory.assets().len() == 3);
        assert_eq!(inventory.limits()[0], ("assets_max", 197));
    }
}
