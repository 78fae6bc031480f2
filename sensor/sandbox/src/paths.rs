//! Where a process may read and write, and that it opens no TCP port: Landlock, as far as the kernel has it.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::Error;

/// The version of Landlock that everything asked for here needs; older kernels enforce less.
const NEEDED: ABI = ABI::V6;

/// What a process may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files and folders to read, with all beneath. They must exist.
    pub read: Vec<PathBuf>,
    /// Folders to read, write, make and remove files in, with all beneath; or single files to read and write. They must
    /// exist.
    pub write: Vec<PathBuf>,
    /// Whether TCP connections may be made and taken.
    pub network: bool,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InForce {
    /// All that was asked for.
    Enforced {
        /// The version of Landlock.
        abi: u8,
    },
    /// What this kernel's Landlock can do.
    Partly {
        /// The version of Landlock.
        abi: u8,
        /// What it cannot do, in words.
        without: Vec<&'static str>,
    },
    /// Nothing: the kernel is older than 5.13, or has Landlock turned off.
    NotSupported,
}

impl fmt::Display for InForce {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced { abi } => write!(out, "Landlock {abi}"),
            Self::Partly { abi, without } => write!(out, "Landlock {abi}, without {}", without.join(", ")),
            Self::NotSupported => write!(out, "no Landlock in this kernel: only file permissions hold"),
        }
    }
}

/// The answer of [`confine`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What is in force.
    pub in_force: InForce,
    /// Paths that were asked for and do not exist, or may not be opened: they are out of reach from now on.
    pub missing: Vec<PathBuf>,
}

/// Confines the calling thread, and those that it starts from now on, to `reach`, for good. What is open stays open.
/// Without network it can also signal no process outside, and reach no abstract Unix socket there. Sets `no_new_privs`.
///
/// # Errors
/// Landlock is there but refuses; a kernel without it is no error, see [`InForce::NotSupported`].
pub fn confine(reach: &Reach) -> Result<Confinement, Error> {
    let fault = |error: landlock::RulesetError| Error::Landlock(error.to_string());
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEEDED))
        .map_err(fault)?
        .scope(Scope::Signal)
        .map_err(fault)?;
    if !reach.network {
        ruleset = ruleset
            .handle_access(AccessNet::from_all(NEEDED))
            .and_then(|ruleset| ruleset.scope(Scope::AbstractUnixSocket))
            .map_err(fault)?;
    }
    let mut ruleset = ruleset.create().map_err(fault)?;
    let mut missing = Vec::new();
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = reading
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let wanted = reach.read.iter().map(|path| (path, reading)).chain(reach.write.iter().map(|path| (path, writing)));
    for (path, access) in wanted {
        match PathFd::new(path) {
            Ok(opened) => {
                ruleset = ruleset.add_rule(PathBeneath::new(opened, fitting(path, access))).map_err(fault)?;
            }
            Err(_) => missing.push(path.clone()),
        }
    }
    let status = ruleset.restrict_self().map_err(fault)?;
    Ok(Confinement { in_force: in_force(status.ruleset, &status.landlock, reach.network), missing })
}

/// The part of the rights that make sense for a file, if it is one.
fn fitting(path: &Path, access: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    if path.is_dir() { access } else { access & AccessFs::from_file(NEEDED) }
}

fn in_force(ruleset: RulesetStatus, landlock: &LandlockStatus, network: bool) -> InForce {
    let LandlockStatus::Available { effective_abi, .. } = *landlock else { return InForce::NotSupported };
    let abi = version(effective_abi);
    match ruleset {
        RulesetStatus::FullyEnforced => InForce::Enforced { abi },
        RulesetStatus::PartiallyEnforced => {
            let mut without = Vec::new();
            let parts = [
                (2, true, "moving files between folders"),
                (3, true, "truncation"),
                (4, !network, "TCP ports"),
                (5, true, "device control"),
                (6, true, "signals"),
            ];
            without.extend(parts.into_iter().filter(|&(since, asked, _)| asked && abi < since).map(|part| part.2));
            InForce::Partly { abi, without }
        }
        RulesetStatus::NotEnforced => InForce::NotSupported,
    }
}

/// The number of a version. Versions after [`NEEDED`] add nothing that is asked for.
fn version(abi: ABI) -> u8 {
    match abi {
        ABI::Unsupported => 0,
        ABI::V1 => 1,
        ABI::V2 => 2,
        ABI::V3 => 3,
        ABI::V4 => 4,
        ABI::V5 => 5,
        ABI::V6 => 6,
        ABI::V7 => 7,
        ABI::V8 => 8,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn only_what_was_named_is_within_reach() {
        let folder = std::env::temp_dir().join(format!("yagura-paths-{}", std::process::id()));
        let state = folder.join("state");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(folder.join("config"), "x").unwrap();
        std::fs::write(folder.join("other"), "x").unwrap();
        let reach = Reach {
            read: vec![folder.join("config"), folder.join("absent")],
            write: vec![state.clone()],
            network: false,
        };
        let inside = folder.clone();
        let answers = std::thread::spawn(move || {
            let confinement = confine(&reach).unwrap();
            let config = std::fs::read(inside.join("config")).map(drop);
            let write_config = std::fs::write(inside.join("config"), "y").map_err(|error| error.kind());
            let other = std::fs::read(inside.join("other")).map(drop).map_err(|error| error.kind());
            let own = std::fs::write(state.join("a"), "x")
                .and_then(|()| std::fs::rename(state.join("a"), state.join("b")))
                .and_then(|()| std::fs::remove_file(state.join("b")));
            let bind = TcpListener::bind("127.0.0.1:0").map(drop).map_err(|error| error.kind());
            let connect = TcpStream::connect("127.0.0.1:9").map(drop).map_err(|error| error.kind());
            (confinement, config, write_config, other, own, bind, connect)
        })
        .join()
        .unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let (confinement, config, write_config, other, own, bind, connect) = answers;
        assert!(config.is_ok() && own.is_ok());
        let (InForce::Enforced { abi } | InForce::Partly { abi, .. }) = confinement.in_force else {
            assert!(other.is_ok());
            eprintln!("skipped: {}", confinement.in_force);
            return;
        };
        assert_eq!(confinement.missing, [folder.join("absent")]);
        assert_eq!(write_config, Err(ErrorKind::PermissionDenied));
        assert_eq!(other, Err(ErrorKind::PermissionDenied));
        if abi >= 4 {
            assert_eq!(bind, Err(ErrorKind::PermissionDenied));
            assert_eq!(connect, Err(ErrorKind::PermissionDenied));
        }
    }

    #[test]
    fn what_an_old_kernel_lacks_is_said() {
        let old = LandlockStatus::Available { effective_abi: ABI::V3, kernel_abi: None };
        let partly = in_force(RulesetStatus::PartiallyEnforced, &old, false);
        assert_eq!(partly.to_string(), "Landlock 3, without TCP ports, device control, signals");
        let with_network = in_force(RulesetStatus::PartiallyEnforced, &old, true);
        assert_eq!(with_network.to_string(), "Landlock 3, without device control, signals");
        let none = in_force(RulesetStatus::NotEnforced, &LandlockStatus::NotImplemented, false);
        assert_eq!(none, InForce::NotSupported);
    }
}
