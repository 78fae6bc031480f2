//! `prepare` and `check`: making a port fit for listening, and telling what makes it unfit.
//!
//! A port that listens has no address, answers nothing and asks nothing, takes frames that are for others, and gives
//! them as they were on the wire. What is set here lasts until the machine starts anew or the interface is made anew:
//! whoever starts the sensor prepares the port each time. To prepare it twice does no harm.

use crate::error::Error;
use crate::finding::Finding;
use crate::interface::{Interface, Link, LinkState};
use crate::programs;
use std::fmt;
use std::fs;

/// What a step sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// That it answers no ARP.
    Arp,
    /// That it has no IPv6: else it would announce itself.
    Ipv6,
    /// That it has no address.
    Addresses,
    /// That the card and the kernel leave frames as they were: the feature by the name that `ethtool -k` has for it.
    Offload(&'static str),
    /// That it takes frames that are for others.
    Promiscuous,
    /// That it is switched on: last, when it can no longer send.
    Up,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arp => "ARP",
            Self::Ipv6 => "IPv6",
            Self::Addresses => "addresses",
            Self::Offload(feature) => feature,
            Self::Promiscuous => "promiscuous mode",
            Self::Up => "link",
        })
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was so before.
    Already,
    /// It was changed.
    Changed,
    /// It is not so, and this is why.
    Refused(String),
}

/// A step of preparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was to be set.
    pub what: What,
    /// How it was.
    pub before: String,
    /// How it is.
    pub after: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The commands that set it back; `None` where nothing was changed.
    pub undo: Option<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Already => write!(f, "{}: {} already", self.what, self.after),
            Outcome::Changed => write!(f, "{}: {} -> {}", self.what, self.before, self.after)
                .and_then(|()| self.undo.as_ref().map_or(Ok(()), |undo| write!(f, " (undo: {undo})"))),
            Outcome::Refused(reason) => write!(f, "{}: still {}: {reason}", self.what, self.after),
        }
    }
}

/// Features of cards and kernels that change frames before they are captured, with what each does.
const OFFLOADS: [(&str, &str); 6] = [
    ("generic-receive-offload", "joins segments into frames that were never on the wire"),
    ("rx-gro-hw", "joins segments in the card into frames that were never on the wire"),
    ("large-receive-offload", "joins segments in the card into frames that were never on the wire"),
    ("generic-segmentation-offload", "lets frames be longer than the wire carries"),
    ("tcp-segmentation-offload", "lets frames be longer than the wire carries"),
    ("rx-vlan-offload", "takes VLAN tags out of frames; they are put back from the card's notes"),
];

/// Everything that preparing and checking look at.
#[derive(Debug, Clone)]
struct Observed {
    link: Link,
    /// With their prefix lengths.
    addresses: Vec<String>,
    /// Or why they cannot be told.
    features: Result<Vec<Feature>, Error>,
    /// What else the machine uses the interface for.
    needed_for: Option<String>,
}

/// A line of `ethtool -k` that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Feature {
    name: &'static str,
    does: &'static str,
    on: bool,
    fixed: bool,
}

/// Makes an interface fit for listening. Each step tells what was before and what is now; one that cannot be done is
/// told and does not hinder the others.
///
/// # Errors
/// Before anything is changed: no such interface ([`Error::Missing`]), not root ([`Error::Privilege`]), or the machine
/// itself is reached through it ([`Error::Needed`]).
pub fn prepare(interface: &str) -> Result<Vec<Step>, Error> {
    let port = Interface::named(interface)?;
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Privilege { interface: interface.to_owned(), what: "preparing it", right: "CAP_NET_ADMIN" });
    }
    let observed = observe(&port)?;
    if let Some(why) = observed.needed_for {
        return Err(Error::Needed { interface: interface.to_owned(), why });
    }
    let mut steps = Vec::new();
    steps.push(arp(&port, &observed.link));
    steps.push(ipv6(&port, &observed.link));
    steps.push(addresses(&port, &observed.addresses));
    match observed.features {
        Ok(features) => steps.extend(features.iter().map(|feature| offload(&port, feature))),
        Err(error) => steps.push(Step {
            what: What::Offload("offloads"),
            before: "unknown".to_owned(),
            after: "unknown".to_owned(),
            outcome: Outcome::Refused(error.to_string()),
            undo: None,
        }),
    }
    let on = |link: &Link| on_off(link.promiscuous);
    let set = |name: &str| ip(&["link", "set", "dev", name, "promisc", "on"]);
    let undo = format!("ip link set dev {interface} promisc off");
    steps.push(flag_step(&port, What::Promiscuous, &observed.link, on, "on", set, undo));
    let state = |link: &Link| if link.state == LinkState::Disabled { "down" } else { "up" };
    let set = |name: &str| ip(&["link", "set", "dev", name, "up"]);
    let undo = format!("ip link set dev {interface} down");
    steps.push(flag_step(&port, What::Up, &observed.link, state, "up", set, undo));
    Ok(steps)
}

/// Tells what makes an interface unfit for listening; nothing is changed, and no right is needed. Faults first; nothing
/// where it is fit.
///
/// # Errors
/// Where there is no such interface.
pub fn check(interface: &str) -> Result<Vec<Finding>, Error> {
    let port = Interface::named(interface)?;
    let mut findings = concerns(interface, &observe(&port)?);
    findings.sort();
    Ok(findings)
}

/// What makes a port unfit.
fn concerns(name: &str, observed: &Observed) -> Vec<Finding> {
    let Observed { link, addresses, features, needed_for } = observed;
    let mut found = Vec::new();
    if let Some(why) = needed_for {
        found.push(Finding::fault(format!(
            "{name}: {why}. A port that listens to a mirror serves nothing else; listen on another port."
        )));
    }
    match link.state {
        LinkState::Up => {}
        LinkState::Disabled => {
            found.push(Finding::fault(format!("{name} is switched off, so nothing arrives. Prepare it.")));
        }
        state => found.push(Finding::fault(format!(
            "{name} {}. Check the cable, and that the mirror's destination port is switched on.",
            state.words()
        ))),
    }
    if link.hardware != 1 {
        found.push(Finding::doubt(format!(
            "{name} is not an Ethernet port (hardware type {}). A mirror arrives on an Ethernet port.",
            link.hardware
        )));
    }
    if !addresses.is_empty() {
        found.push(Finding::fault(format!(
            "{name} has the address {}, so this machine answers to it in the monitored network. Prepare the port, and \
             take it out of the network configuration.",
            addresses.join(" and ")
        )));
    }
    if link.ipv6 == Some(true) {
        found.push(Finding::fault(format!(
            "IPv6 is on at {name}: it announces itself in the monitored network whenever the link comes up. Prepare \
             the port."
        )));
    }
    if link.arp && link.hardware == 1 {
        found.push(Finding::doubt(format!(
            "{name} takes part in ARP. Without an address it has nothing to answer, but should one be given it would. \
             Prepare the port."
        )));
    }
    if !link.promiscuous {
        found.push(Finding::doubt(format!(
            "{name} takes only frames that are for itself until a capture is open. Prepare the port."
        )));
    }
    if let Some(whole) = &link.part_of {
        found.push(Finding::fault(format!(
            "{name} is a part of {whole}, which may send through it what it receives elsewhere. Take it out: \"ip link \
             set dev {name} nomaster\"."
        )));
    }
    match features {
        Err(error) => found.push(Finding::doubt(format!(
            "Whether {name} changes frames before they are captured cannot be told: {error}."
        ))),
        Ok(features) => found.extend(features.iter().filter(|feature| feature.on).map(|feature| {
            let Feature { name: feature_name, does, fixed, .. } = feature;
            if *fixed {
                return Finding::doubt(format!(
                    "{feature_name} is on at {name} and cannot be switched off: it {does}. Expect frames longer than \
                     the wire carries, or use another card."
                ));
            }
            Finding::doubt(format!("{feature_name} is on at {name}: it {does}. Prepare the port."))
        })),
    }
    found
}

fn observe(port: &Interface) -> Result<Observed, Error> {
    let link = port.link()?;
    let name = port.name();
    let addresses = addresses_of(&ip(&["-o", "addr", "show", "dev", name])?);
    let features = programs::run("ethtool", "ethtool", &["-k", name]).map(|text| features_of(&text));
    let mut needed_for = (link.hardware == 772).then(|| "it is the loopback".to_owned());
    for family in ["-4", "-6"] {
        // Without IPv6 in the kernel, there is no route of it.
        let routes = ip(&[family, "-o", "route", "show", "default", "dev", name]).unwrap_or_default();
        if !routes.trim().is_empty() {
            needed_for.get_or_insert_with(|| "this machine's default route goes through it".to_owned());
        }
    }
    for address in &addresses {
        let bare = address.split('/').next().unwrap_or_default();
        let connections = programs::run("ss", "iproute2", &["-Htn", "src", bare]).unwrap_or_default();
        let count = connections.lines().count();
        if count > 0 {
            needed_for.get_or_insert_with(|| format!("{count} TCP connections of this machine use its address {bare}"));
        }
    }
    Ok(Observed { link, addresses, features, needed_for })
}

fn ip(arguments: &[&str]) -> Result<String, Error> {
    programs::run("ip", "iproute2", arguments)
}

/// The addresses in what `ip -o addr` prints.
fn addresses_of(text: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().skip_while(|word| *word != "inet" && *word != "inet6");
        if let (Some(_), Some(address)) = (words.next(), words.next()) {
            addresses.push(address.to_owned());
        }
    }
    addresses
}

/// The features that matter, in what `ethtool -k` prints.
fn features_of(text: &str) -> Vec<Feature> {
    let mut features = Vec::new();
    for (name, does) in OFFLOADS {
        let value = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
        if let Some(value) = value {
            features.push(Feature { name, does, on: value.starts_with("on"), fixed: value.contains("[fixed]") });
        }
    }
    features
}

/// A step that is one flag of the link.
fn flag_step(
    port: &Interface,
    what: What,
    link: &Link,
    value: impl Fn(&Link) -> &'static str,
    wanted: &str,
    set: impl Fn(&str) -> Result<String, Error>,
    undo: String,
) -> Step {
    let before = value(link);
    if before == wanted {
        return already(what, before);
    }
    let done = set(port.name());
    let after = port.link().map(|link| value(&link)).unwrap_or("unknown");
    finished(what, before.to_owned(), after.to_owned(), after == wanted, done.err(), undo)
}

fn arp(port: &Interface, link: &Link) -> Step {
    let name = port.name();
    let set = |name: &str| ip(&["link", "set", "dev", name, "arp", "off"]);
    let undo = format!("ip link set dev {name} arp on");
    flag_step(port, What::Arp, link, |link| on_off(link.arp), "off", set, undo)
}

fn ipv6(port: &Interface, link: &Link) -> Step {
    let Some(on) = link.ipv6 else { return already(What::Ipv6, "not in this kernel") };
    if !on {
        return already(What::Ipv6, "off");
    }
    let file = port.ipv6_file();
    let done = fs::write(&file, "1")
        .map_err(|error| Error::Read { path: file.display().to_string(), reason: error.to_string() });
    let after = port.link().ok().and_then(|link| link.ipv6).map_or("unknown", on_off);
    let undo = format!("sysctl -w net/ipv6/conf/{}/disable_ipv6=0", port.name());
    finished(What::Ipv6, "on".to_owned(), after.to_owned(), after == "off", done.err(), undo)
}

/// Takes the addresses away. Those of IPv6 went with it, except where it could not be switched off.
fn addresses(port: &Interface, before: &[String]) -> Step {
    let name = port.name();
    if before.is_empty() {
        return already(What::Addresses, "none");
    }
    let done = ip(&["addr", "flush", "dev", name]);
    let left = ip(&["-o", "addr", "show", "dev", name]).map(|text| addresses_of(&text));
    // The kernel gives a link-local address by itself.
    let undo: Vec<String> = before
        .iter()
        .filter(|address| !address.starts_with("fe80:"))
        .map(|address| format!("ip addr add {address} dev {name}"))
        .collect();
    let after = match &left {
        Ok(left) if left.is_empty() => "none".to_owned(),
        Ok(left) => left.join(" "),
        Err(_) => "unknown".to_owned(),
    };
    finished(What::Addresses, before.join(" "), after.clone(), after == "none", done.err(), undo.join("; "))
}

fn offload(port: &Interface, feature: &Feature) -> Step {
    let what = What::Offload(feature.name);
    if !feature.on {
        return already(what, "off");
    }
    if feature.fixed {
        let outcome = Outcome::Refused("the card or its driver does not let it be switched off".to_owned());
        return Step { what, before: "on".to_owned(), after: "on".to_owned(), outcome, undo: None };
    }
    let name = port.name();
    let done = programs::run("ethtool", "ethtool", &["-K", name, feature.name, "off"]);
    let now = programs::run("ethtool", "ethtool", &["-k", name]).map(|text| features_of(&text)).unwrap_or_default();
    let off = now.iter().any(|now| now.name == feature.name && !now.on);
    let undo = format!("ethtool -K {name} {} on", feature.name);
    finished(what, "on".to_owned(), on_off(!off).to_owned(), off, done.err(), undo)
}

fn already(what: What, value: &str) -> Step {
    Step { what, before: value.to_owned(), after: value.to_owned(), outcome: Outcome::Already, undo: None }
}

fn finished(what: What, before: String, after: String, achieved: bool, error: Option<Error>, undo: String) -> Step {
    if achieved {
        let undo = (!undo.is_empty()).then_some(undo);
        return Step { what, before, after, outcome: Outcome::Changed, undo };
    }
    let reason = error.map_or_else(|| "the kernel accepted it, and left it as it was".to_owned(), |e| e.to_string());
    Step { what, before, after, outcome: Outcome::Refused(reason), undo: None }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Grade;
    use yagura_parsers::packet::link::MacAddr;

    const FEATURES: &str = "Features for p1:\nrx-checksumming: on [fixed]\ntcp-segmentation-offload: on\n\
        \ttx-tcp-segmentation: on\ngeneric-receive-offload: off\nlarge-receive-offload: off [fixed]\n\
        rx-vlan-offload: on [fixed]\nrx-gro-hw: on\n";

    fn fit() -> Observed {
        let link = Link {
            state: LinkState::Up,
            promiscuous: true,
            arp: false,
            ipv6: Some(false),
            mtu: 1_500,
            address: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            hardware: 1,
            part_of: None,
        };
        Observed { link, addresses: Vec::new(), features: Ok(Vec::new()), needed_for: None }
    }

    fn told(change: impl Fn(&mut Observed)) -> Vec<(Grade, String)> {
        let mut observed = fit();
        change(&mut observed);
        concerns("p1", &observed).into_iter().map(|finding| (finding.grade, finding.words)).collect()
    }

    #[test]
    fn a_fit_port_gives_no_concern_and_each_fault_gives_its_own() {
        assert_eq!(told(|_| {}), []);
        let one = |change: &dyn Fn(&mut Observed), grade: Grade, word: &str| {
            let told = told(change);
            assert!(told.len() == 1 && told[0].0 == grade && told[0].1.contains(word), "{word}: {told:?}");
        };
        one(&|o| o.link.state = LinkState::Disabled, Grade::Fault, "switched off");
        one(&|o| o.link.state = LinkState::NoCarrier, Grade::Fault, "cable");
        one(&|o| o.link.promiscuous = false, Grade::Doubt, "only frames that are for itself");
        one(&|o| o.link.arp = true, Grade::Doubt, "ARP");
        one(&|o| o.link.ipv6 = Some(true), Grade::Fault, "IPv6");
        one(&|o| o.link.part_of = Some("br0".to_owned()), Grade::Fault, "nomaster");
        one(&|o| o.link.hardware = 801, Grade::Doubt, "801");
        one(&|o| o.addresses = vec!["10.0.0.1/24".to_owned()], Grade::Fault, "10.0.0.1/24");
        one(&|o| o.needed_for = Some("it is busy".to_owned()), Grade::Fault, "it is busy. A port");
        let missing = Error::Program { program: "ethtool", reason: "is not installed".to_owned() };
        one(&|o| o.features = Err(missing.clone()), Grade::Doubt, "is not installed");
    }

    #[test]
    fn features_are_read_as_ethtool_prints_them() {
        let features = features_of(FEATURES);
        let told: Vec<_> = features.iter().map(|f| (f.name, f.on, f.fixed)).collect();
        assert_eq!(
            told,
            [
                ("generic-receive-offload", false, false),
                ("rx-gro-hw", true, false),
                ("large-receive-offload", false, true),
                ("tcp-segmentation-offload", true, false),
                ("rx-vlan-offload", true, true),
            ]
        );
        let observed = Observed { features: Ok(features), ..fit() };
        let concerns = concerns("p1", &observed);
        assert_eq!(concerns.len(), 3, "{concerns:?}");
        assert!(
            concerns.iter().any(|c| c.words.contains("rx-vlan-offload") && c.words.contains("cannot be switched off"))
        );
    }

    #[test]
    fn addresses_are_read_as_ip_prints_them() {
        let text = "4: p1    inet 192.0.2.2/24 brd 192.0.2.255 scope global p1\\       valid_lft forever\n\
            4: p1    inet6 fe80::1/64 scope link \\       valid_lft forever\n";
        assert_eq!(addresses_of(text), ["192.0.2.2/24", "fe80::1/64"]);
        assert_eq!(addresses_of(""), Vec::<String>::new());
    }

    #[test]
    fn steps_say_what_was_and_what_is() {
        let error = || Some(Error::Program { program: "ip", reason: "no".to_owned() });
        let changed = finished(What::Arp, "on".into(), "off".into(), true, None, "ip link set dev p1 arp on".into());
        assert_eq!(changed.to_string(), "ARP: on -> off (undo: ip link set dev p1 arp on)");
        let refused = finished(What::Arp, "on".into(), "on".into(), false, error(), "x".into());
        assert_eq!((refused.to_string().as_str(), &refused.undo), ("ARP: still on: ip: no", &None));
        assert_eq!(already(What::Ipv6, "off").to_string(), "IPv6: off already");
    }

    #[test]
    fn the_loopback_is_never_prepared() {
        let refused = prepare("lo").unwrap_err();
        assert!(matches!(refused, Error::Needed { .. } | Error::Privilege { .. }), "{refused}");
        assert!(matches!(prepare("no-such-port"), Err(Error::Missing { .. })));
        assert!(check("lo").unwrap().iter().any(|finding| finding.words.contains("loopback")));
    }
}
