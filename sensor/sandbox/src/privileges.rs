//! What a process gives up for good before it starts its threads: user, capabilities, and what it could be made to
//! leak.

use std::io;

use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, no_new_privs, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::Error;

fn failed(step: &'static str) -> impl Fn(rustix::io::Errno) -> Error {
    move |error| Error::Privilege { step, source: io::Error::from(error) }
}

/// Whether the thread has the rights of root, so that [`become_user`] is due.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// User and group numbers of an account of this machine, from `/etc/passwd` alone: accounts of a directory service are
/// not for a sensor. `None` if there is none of that name.
///
/// # Errors
/// The file cannot be read.
pub fn account(name: &str) -> io::Result<Option<(u32, u32)>> {
    Ok(find_account(&std::fs::read_to_string("/etc/passwd")?, name))
}

fn find_account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some((user, group))
    })
}

/// Becomes another user with one group and no other, for good. Capabilities go with it.
///
/// Holds for the calling thread and for those that it starts from now on, so it must come before all others. Nothing
/// happens if the process is that user already.
///
/// # Errors
/// The kernel refuses, for want of rights; or the user is root, which nobody becomes by giving something up.
pub fn become_user(user: u32, group: u32) -> Result<(), Error> {
    if user == 0 || group == 0 {
        return Err(failed("become root")(rustix::io::Errno::INVAL));
    }
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    let settled = rustix::process::getuid() == user
        && rustix::process::geteuid() == user
        && rustix::process::getgid() == group
        && rustix::process::getegid() == group;
    if settled {
        return Ok(());
    }
    set_thread_groups(&[group]).map_err(failed("give up the groups"))?;
    set_thread_res_gid(group, group, group).map_err(failed("change the group"))?;
    set_thread_res_uid(user, user, user).map_err(failed("change the user"))?;
    // Were the change not for good, this would work.
    if set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
        return Err(failed("give up root for good")(rustix::io::Errno::PERM));
    }
    Ok(())
}

/// What was left to give up in [`keep_none`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Whether the bounding set is empty too. It takes `CAP_SETPCAP` to empty it; without, it is as the service manager
    /// set it, and harmless, since `no_new_privs` keeps any program from drawing on it.
    pub bounding: bool,
}

/// Gives up all capabilities: effective, permitted, inheritable, ambient, and bounding where that is allowed; and sets
/// `no_new_privs`, so that no program started later has more. To be called once the interfaces are open, and at the
/// start of a process that opens none. For the calling thread and those that it starts.
///
/// # Errors
/// The kernel refuses, or a capability is still there afterwards.
pub fn keep_none() -> Result<Given, Error> {
    set_no_new_privs(true).map_err(failed("set no_new_privs"))?;
    let held = capabilities(None).map_err(failed("read the capabilities"))?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            // Capabilities that this kernel does not know are in no set.
            if capability_is_in_bounding_set(capability) == Ok(true) {
                remove_capability_from_bounding_set(capability).map_err(failed("empty the bounding set"))?;
            }
        }
        let bits = CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
        set_capabilities_secure_bits(bits).map_err(failed("lock the capabilities of root"))?;
    }
    clear_ambient_capability_set().map_err(failed("empty the ambient set"))?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).map_err(failed("give up the capabilities"))?;
    let left = capabilities(None).map_err(failed("read the capabilities"))?;
    if left != sets || !no_new_privs().map_err(failed("read no_new_privs"))? {
        return Err(Error::Left(format!("{left:?}")));
    }
    let bounding = !CapabilitySet::all().iter().any(|one| capability_is_in_bounding_set(one) == Ok(true));
    Ok(Given { bounding })
}

/// What a process may use up; `None` leaves a limit as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Open files and sockets at once.
    pub descriptors: Option<u64>,
    /// Processes and threads of the user at once. 0 keeps the process from starting any; to be set once its threads
    /// run.
    pub processes: Option<u64>,
    /// Octets of address space. Allocation fails beyond it, and a failed allocation ends the process: leave it to the
    /// service manager's memory limit unless there is none.
    pub address_space: Option<u64>,
}

/// Sets limits for the whole process, and sees to it that its memory leaves it in no core dump and is read by no other
/// process of the same user. Limits are only ever made narrower.
///
/// # Errors
/// The kernel refuses.
pub fn limit(bounds: &Bounds) -> Result<(), Error> {
    lower(Resource::Core, 0).map_err(failed("forbid core dumps"))?;
    if let Some(descriptors) = bounds.descriptors {
        lower(Resource::Nofile, descriptors).map_err(failed("limit the open files"))?;
    }
    if let Some(processes) = bounds.processes {
        lower(Resource::Nproc, processes).map_err(failed("limit the processes"))?;
    }
    if let Some(octets) = bounds.address_space {
        lower(Resource::As, octets).map_err(failed("limit the address space"))?;
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("hide the memory"))
}

fn lower(resource: Resource, to: u64) -> rustix::io::Result<()> {
    let limit = getrlimit(resource).maximum.map_or(to, |maximum| maximum.min(to));
    setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own: it dies with what it gave up.
    fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().unwrap()
    }

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nyagura-x:x:7:8::/:\nyagura:x:990:991::/var/lib/yagura:/bin/false\n";
        assert_eq!(find_account(accounts, "yagura"), Some((990, 991)));
        assert_eq!(find_account(accounts, "yagur"), None);
        assert_eq!(find_account("yagura:x:nine:1\n", "yagura"), None);
        assert_eq!(find_account("yagura\n", "yagura"), None);
    }

    #[test]
    fn nothing_is_left_of_the_capabilities() {
        let status = apart(|| {
            keep_none().unwrap();
            std::fs::read_to_string("/proc/thread-self/status").unwrap()
        });
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let line = status.lines().find(|line| line.starts_with(set)).unwrap();
            assert!(line.ends_with("0000000000000000"), "{line}");
        }
        assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
    }

    #[test]
    fn root_is_left_for_good_and_never_entered() {
        assert!(apart(|| become_user(0, 0)).is_err());
        assert!(apart(|| become_user(65_534, 0)).is_err());
        if !is_root() {
            eprintln!("skipped: only root can become somebody else");
            return;
        }
        let (user, back, groups) = apart(|| {
            become_user(65_534, 65_534).unwrap();
            let back = set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT);
            (rustix::process::geteuid().as_raw(), back, rustix::process::getgroups().unwrap())
        });
        assert_eq!(user, 65_534);
        assert!(back.is_err());
        assert_eq!(groups, [Gid::from_raw(65_534)]);
        assert!(is_root(), "other threads are as they were");
    }

    #[test]
    fn limits_only_become_narrower() {
        let before = getrlimit(Resource::Nofile);
        let wanted = before.current.unwrap_or(1_024).min(512);
        limit(&Bounds { descriptors: Some(wanted), ..Bounds::default() }).unwrap();
        limit(&Bounds { descriptors: Some(u64::MAX >> 1), ..Bounds::default() }).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(wanted));
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }
}
