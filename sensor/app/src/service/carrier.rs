//! The outputs process: gives up what it does not need, and carries records out until it is told to end.

use super::config::Configuration;
use super::sensor::give_up;
use super::supervisor::Signals;
use crate::commands::{DONE, Failure, Outcome, say};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use yagura_outputs::driver::Pace;
use yagura_outputs::feed::Feed;
use yagura_outputs::journal_feed::JournalFeed;
use yagura_outputs::settings::{Kind, OutputSettings, TlsSettings};
use yagura_outputs::status::Board;
use yagura_outputs::{Outputs, metrics};
use yagura_sandbox::Role;
use yagura_sandbox::paths::{Reach, confine};
use yagura_sandbox::seccomp::{Descriptors, Filter};

/// What names of machines are looked up in.
const RESOLVING: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/run/systemd/resolve"];

/// Runs the process.
///
/// # Errors
/// Where what it needs cannot be had, or what it does not need cannot be given up.
pub fn run(configuration: &Configuration) -> Outcome {
    let signals = Signals::register()?;
    let cursors = configuration.cursors_folder();
    std::fs::create_dir_all(&cursors).map_err(|error| Failure::of_file(&cursors, "cannot be made", &error))?;
    give_up(configuration)?;
    let world = |error: yagura_sandbox::Error| Failure::World(error.to_string());
    let confined = confine(&reach(configuration, &cursors)).map_err(world)?;
    say(&format!("yagura: outputs: {}\n", confined.in_force));
    Filter::new(Role::Output, &Descriptors::default()).and_then(|filter| filter.apply()).map_err(world)?;
    let board = Board::new();
    let folder = configuration.journal_folder();
    let what = Outputs {
        outputs: configuration.output.clone(),
        metrics: configuration.metrics.clone().map(|settings| (settings, metrics::registry(&board))),
        open: Arc::new(move |settings: &OutputSettings| {
            let cursor = cursors.join(format!("{}.json", settings.name));
            let feed: Box<dyn Feed> = Box::new(JournalFeed::open(&folder, &cursor)?);
            Ok(feed)
        }),
        pace: Pace::default(),
        board,
    };
    yagura_outputs::run(what, &signals.ends).map_err(|error| Failure::World(error.to_string()))?;
    Ok(DONE)
}

/// What the process may read and write.
fn reach(configuration: &Configuration, cursors: &Path) -> Reach {
    // What receivers have acknowledged stands in /proc/net.
    let own = ["/proc/sys/kernel/hostname", "/proc/self"].map(PathBuf::from);
    let mut read: Vec<PathBuf> = own.into_iter().chain([configuration.journal_folder()]).collect();
    read.extend(RESOLVING.iter().map(PathBuf::from).filter(|path| path.exists()));
    let mut write = vec![cursors.to_owned()];
    for output in &configuration.output {
        let mut of_tls = |tls: &TlsSettings| {
            read.extend(tls.authority.clone());
            read.extend(tls.client.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
        };
        match &output.kind {
            Kind::File(file) => write.extend(file.path.parent().map(Path::to_owned)),
            Kind::Syslog(syslog) => {
                if let Some(tls) = &syslog.tls {
                    of_tls(tls);
                }
            }
            Kind::Webhook(http, _) | Kind::Bulk(http, _) => {
                of_tls(&http.tls);
                read.extend(http.headers_file.clone());
                read.extend(http.api_key_file.clone());
            }
        }
    }
    Reach { read, write, network: true }
}
