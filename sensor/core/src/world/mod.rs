//! `World`: what the events add up to: the devices, and how we know.

use crate::limits::Limits;
use inventory::Inventory;
use std::collections::BTreeMap;
use std::net::IpAddr;
use yagura_parsers::message::Verb;
use yagura_rules::facts::asset::{Asset, AssetKey, Role};
use yagura_rules::facts::event::{Event, EventKind, OperationFact, Sighting, Stage};
use yagura_rules::facts::flow::Flow;
use yagura_rules::rule::Assets;

pub mod inventory;
pub mod oui;

/// The devices, as the events so far show them.
#[derive(Debug)]
pub struct World {
    inventory: Inventory,
    /// How often the inventory's bounds had bitten when that was told last.
    told: [(&'static str, u64); 2],
}

impl World {
    /// A world in which nothing was seen.
    pub fn new(limits: &Limits) -> Self {
        let inventory = Inventory::new(limits);
        Self { told: inventory.limits(), inventory }
    }

    /// Takes an event in; what follows from it is added to `derived`, in order.
    pub fn observe(&mut self, event: &Event, derived: &mut Vec<EventKind>) {
        match &event.kind {
            EventKind::Sighting(sighting) => self.sighting(event, sighting, derived),
            EventKind::Operation(fact) => {
                if let Some(flow) = &event.flow {
                    self.operation(event, flow, fact);
                }
            }
            EventKind::Identified => {
                if let (Some(flow), Some(id)) = (&event.flow, event.flow.as_ref().and_then(|flow| flow.protocol)) {
                    for address in [flow.client.address, flow.server.address] {
                        self.inventory.speaks(AssetKey::Ip(flow.scope, address), id.name());
                    }
                }
            }
            EventKind::FlowClosed(summary) => {
                if let Some(flow) = &event.flow {
                    let [to_server, to_client] = summary.frames;
                    for (sent, address) in [(to_server, flow.client.address), (to_client, flow.server.address)] {
                        if sent > 0 {
                            self.inventory.heard(AssetKey::Ip(flow.scope, address), summary.last);
                        }
                    }
                }
            }
            EventKind::Tick | EventKind::End => {
                let limits = self.inventory.limits();
                for ((name, now), (_, before)) in limits.into_iter().zip(self.told) {
                    if now > before {
                        derived.push(EventKind::LimitReached(name));
                    }
                }
                self.told = limits;
            }
            _ => {}
        }
    }

    fn sighting(&mut self, event: &Event, sighting: &Sighting, derived: &mut Vec<EventKind>) {
        let key = match (sighting.address, sighting.mac) {
            (Some(address), _) if is_device(address) => AssetKey::Ip(sighting.scope, address),
            (None, Some(mac)) if !mac.is_group() && !mac.is_zero() => {
                // Whoever has an address is known by it; a device without one, by its MAC address.
                self.inventory.holder_of(sighting.scope, mac).unwrap_or(AssetKey::Mac(sighting.scope, mac))
            }
            _ => return,
        };
        // A claim about a MAC address (DHCP) is no frame of that device's own until one was seen; ARP probes without an
        // address are.
        if self.inventory.see(key, event.origin, event.time) {
            derived.push(EventKind::AssetSeen(key));
        }
        if let Some(mac) = sighting.mac.filter(|mac| !mac.is_group() && !mac.is_zero())
            && let Some(conflict) = self.inventory.hold(key, mac, sighting.source, event.origin)
        {
            derived.push(EventKind::AddressConflict(Box::new(conflict)));
        }
        if let Some((name, text)) = &sighting.claim {
            self.inventory.claim(key, sighting.source, name, text, event.origin);
        }
    }

    fn operation(&mut self, event: &Event, flow: &Flow, fact: &OperationFact) {
        let Some(id) = flow.protocol else { return };
        let client = AssetKey::Ip(flow.scope, flow.client.address);
        let server = AssetKey::Ip(flow.scope, flow.server.address);
        match fact.stage {
            Stage::Requested => {
                self.inventory.plays(client, Role::Client, id.name(), event.origin);
                let engineering = fact.operation.verb.is_dangerous() || fact.operation.verb == Verb::Identify;
                if engineering {
                    self.inventory.plays(client, Role::Engineering, id.name(), event.origin);
                }
            }
            Stage::Answered | Stage::Refused | Stage::Unasked | Stage::Reported => {
                self.inventory.plays(server, Role::Server, id.name(), event.origin);
                // Gateways answer for units that are not there, with an exception of their own.
                if fact.stage != Stage::Refused {
                    self.inventory.unit(server, id.name(), fact.operation.unit, event.origin);
                }
            }
        }
    }

    /// The devices.
    pub fn assets(&self) -> &BTreeMap<AssetKey, Asset> {
        self.inventory.assets()
    }

    /// How often a bound of the inventory bit.
    pub fn limits(&self) -> [(&'static str, u64); 2] {
        self.inventory.limits()
    }

    /// The devices, taken out.
    pub fn into_assets(self) -> BTreeMap<AssetKey, Asset> {
        self.inventory.into_assets()
    }
}

impl Assets for World {
    fn asset(&self, key: &AssetKey) -> Option<&Asset> {
        self.inventory.assets().get(key)
    }
}

/// Whether an address can be a device's own.
fn is_device(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified()),
        IpAddr::V6(v6) => !(v6.is_multicast() || v6.is_unspecified()),
    }
}
