//! The lists: which system calls each role may make, and with which arguments.
//!
//! They were found by knowledge of the C libraries, and by tracing the sensor's threads. Calls that only older
//! processors have (`open` beside `openat`) are there for x86-64 alone, where musl still makes them.

use std::collections::BTreeMap;

use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq, Ne};
use seccompiler::{BackendError, SeccompCondition, SeccompRule};

use crate::Role;

/// The rules by number of call: none means all its arguments, else one of them must hold.
pub(super) type List = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls that no library makes by chance, in a process that starts no program: whoever makes one is not us.
pub(super) const DEADLY: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_open_by_handle_at,
];

/// Memory, time, locks, randomness, the end of a thread: what every thread needs that computes.
const COMPUTING: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// Files: where, is Landlock's matter.
const FILES: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_getcwd,
    libc::SYS_umask,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
];

/// Sockets that exist, and waiting for many of them at once.
const SOCKETS: &[i64] = &[
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_pselect6,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// What the start of a program takes, what starts one and waits for it, and what our processes need before their
/// threads have filters: capture sockets, Landlock, the giving up of privileges.
const PROCESSES: &[i64] = &[
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_execve,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_socketpair,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_delete,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_getpgid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_set_tid_address,
    libc::SYS_get_robust_list,
    libc::SYS_membarrier,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_setaffinity,
    libc::SYS_getpriority,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_faccessat2,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_eventfd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getpgrp,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_alarm,
];

/// `prctl`: the name of a thread, and the C library's names of its own memory.
const PRCTL: &[i32] = &[libc::PR_SET_NAME, libc::PR_SET_VMA];

/// `fcntl`: flags and locks. Duplicating a descriptor is a rule of its own.
const FCNTL: &[i32] = &[
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
];

/// `ioctl` of a thread that captures: what asks about the interface, and nothing that changes it: its flags, name,
/// index and largest frame (`linux/sockios.h`).
const CAPTURE_IOCTL: &[u32] = &[0x8913, 0x8910, 0x8933, 0x8921];

/// `getsockopt` of a thread that captures, as level and name: the counters of the ring, and the last error.
const CAPTURE_OPTIONS: &[(i32, i32)] =
    &[(libc::SOL_PACKET, libc::PACKET_STATISTICS), (libc::SOL_SOCKET, libc::SO_ERROR)];

/// `ioctl` of a thread that sends: to wait or not to wait, and how much has come (`FIONBIO`, `FIONREAD`).
const OUTPUT_IOCTL: &[u32] = &[0x5421, 0x541b];

/// The list of a role. `writable` are descriptors that computing threads may write to; `kept` those that a thread with
/// files must not write to.
pub(super) fn list(role: Role, writable: &[u64], kept: &[u64]) -> Result<List, BackendError> {
    let mut list = Making { list: List::new() };
    list.whole(COMPUTING);
    match role {
        Role::Parse => list.computing(writable)?,
        Role::Capture => {
            list.computing(writable)?;
            // libpcap asks a socket for its own name to tell a link that is down from an interface that is gone.
            list.whole(&[libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_getsockname]);
            // The counters of an interface are files that were opened before and are read again and again.
            list.whole(&[libc::SYS_pread64, libc::SYS_lseek]);
            list.one_of(libc::SYS_fcntl, 1, &[libc::F_GETFL, libc::F_SETFL])?;
            for &request in CAPTURE_IOCTL {
                list.when(libc::SYS_ioctl, &[(1, Eq, u64::from(request))])?;
            }
            for &(level, name) in CAPTURE_OPTIONS {
                list.when(libc::SYS_getsockopt, &[(1, Eq, value(level)), (2, Eq, value(name))])?;
            }
        }
        Role::Journal => {
            list.whole(FILES);
            list.memory_without_code()?;
            list.ending()?;
            list.one_of(libc::SYS_fcntl, 1, FCNTL)?;
            for call in [libc::SYS_write, libc::SYS_writev, libc::SYS_pwrite64, libc::SYS_pwritev] {
                list.not_on(call, kept, &[])?;
            }
            list.not_on(libc::SYS_fcntl, kept, &[(1, Eq, value(libc::F_DUPFD_CLOEXEC))])?;
        }
        Role::Output => {
            list.whole(FILES);
            list.whole(SOCKETS);
            list.whole(&[libc::SYS_write, libc::SYS_writev, libc::SYS_pwrite64, libc::SYS_pwritev]);
            list.memory_with_libraries()?;
            list.ending()?;
            list.one_of(libc::SYS_fcntl, 1, FCNTL)?;
            list.one_of(libc::SYS_fcntl, 1, &[libc::F_DUPFD_CLOEXEC])?;
            for &request in OUTPUT_IOCTL {
                list.when(libc::SYS_ioctl, &[(1, Eq, u64::from(request))])?;
            }
            // Limits may be asked for, not set.
            list.when_long(libc::SYS_prlimit64, &[(2, Eq, 0)])?;
            // A thread, not a process: the two are one call and differ in this bit.
            let thread = value(libc::CLONE_THREAD);
            list.when(libc::SYS_clone, &[(0, MaskedEq(thread), thread)])?;
            list.internet_sockets()?;
        }
        Role::Supervisor => {
            list.whole(FILES);
            list.whole(SOCKETS);
            list.whole(PROCESSES);
            list.internet_sockets()?;
            // The sensor opens its interfaces as a child of this filter, and libpcap asks about them in all these ways.
            list.one_of(libc::SYS_socket, 0, &[libc::AF_PACKET, libc::AF_NETLINK, libc::AF_UNIX])?;
        }
    }
    Ok(list.list)
}

/// A list in the making.
struct Making {
    list: List,
}

impl Making {
    /// Lets through calls with any arguments.
    fn whole(&mut self, calls: &[i64]) {
        for &call in calls {
            self.list.insert(call, Vec::new());
        }
    }

    /// Lets through a call whose arguments (by position, comparison, value; 32 bits) all hold.
    fn when(&mut self, call: i64, holds: &[(u8, SeccompCmpOp, u64)]) -> Result<(), BackendError> {
        self.rule(call, holds, Dword)
    }

    /// The same for arguments of 64 bits, such as pointers.
    fn when_long(&mut self, call: i64, holds: &[(u8, SeccompCmpOp, u64)]) -> Result<(), BackendError> {
        self.rule(call, holds, seccompiler::SeccompCmpArgLen::Qword)
    }

    fn rule(
        &mut self,
        call: i64,
        holds: &[(u8, SeccompCmpOp, u64)],
        length: seccompiler::SeccompCmpArgLen,
    ) -> Result<(), BackendError> {
        let conditions = holds.iter().map(|(position, comparison, value)| {
            SeccompCondition::new(*position, length.clone(), comparison.clone(), *value)
        });
        let rule = SeccompRule::new(conditions.collect::<Result<_, _>>()?)?;
        self.list.entry(call).or_default().push(rule);
        Ok(())
    }

    /// Lets through a call if one of its arguments is one of these.
    fn one_of(&mut self, call: i64, position: u8, values: &[i32]) -> Result<(), BackendError> {
        values.iter().try_for_each(|&allowed| self.when(call, &[(position, Eq, value(allowed))]))
    }

    /// Lets through a call on every descriptor but these, with `more` on top. The descriptor is the first argument.
    fn not_on(&mut self, call: i64, descriptors: &[u64], more: &[(u8, SeccompCmpOp, u64)]) -> Result<(), BackendError> {
        let mut holds: Vec<_> = descriptors.iter().map(|&descriptor| (0, Ne, descriptor)).collect();
        holds.extend_from_slice(more);
        if holds.is_empty() {
            self.whole(&[call]);
            return Ok(());
        }
        self.when(call, &holds)
    }

    /// What a thread without files has beside [`COMPUTING`].
    fn computing(&mut self, writable: &[u64]) -> Result<(), BackendError> {
        self.memory_without_code()?;
        self.ending()?;
        for descriptor in [1, 2].iter().chain(writable) {
            for call in [libc::SYS_write, libc::SYS_writev] {
                self.when(call, &[(0, Eq, *descriptor)])?;
            }
        }
        Ok(())
    }

    /// Memory that holds no code, now or later.
    fn memory_without_code(&mut self) -> Result<(), BackendError> {
        let code = value(libc::PROT_EXEC);
        self.when(libc::SYS_mmap, &[(2, MaskedEq(code), 0)])?;
        self.when(libc::SYS_mprotect, &[(2, MaskedEq(code), 0)])
    }

    /// The same, but files with code may be mapped as they are: the resolver of names loads libraries.
    fn memory_with_libraries(&mut self) -> Result<(), BackendError> {
        self.memory_without_code()?;
        let kinds = value(libc::PROT_EXEC | libc::PROT_WRITE);
        let anonymous = value(libc::MAP_ANONYMOUS);
        let code = value(libc::PROT_EXEC);
        self.when(libc::SYS_mmap, &[(2, MaskedEq(kinds), code), (3, MaskedEq(anonymous), 0)])
    }

    /// `abort`, on this process only, and the few `prctl`.
    fn ending(&mut self) -> Result<(), BackendError> {
        let own = u64::from(std::process::id());
        self.when(libc::SYS_tgkill, &[(0, Eq, own), (2, Eq, value(libc::SIGABRT))])?;
        // musl names the thread alone.
        #[cfg(target_env = "musl")]
        self.when(libc::SYS_tkill, &[(1, Eq, value(libc::SIGABRT))])?;
        self.one_of(libc::SYS_prctl, 0, PRCTL)
    }

    /// Sockets for streams and datagrams over the Internet and to this machine, and the kernel's list of addresses,
    /// which the resolver of names asks for.
    fn internet_sockets(&mut self) -> Result<(), BackendError> {
        // The kind of a socket is in the low four bits; above are flags.
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX] {
            for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
                let holds = [(0, Eq, value(family)), (1, MaskedEq(0xf), value(kind))];
                self.when(libc::SYS_socket, &holds)?;
            }
        }
        self.when(libc::SYS_socket, &[(0, Eq, value(libc::AF_NETLINK)), (2, Eq, value(libc::NETLINK_ROUTE))])
    }
}

/// A constant of the C library as a filter compares it. All of them are positive.
fn value(constant: i32) -> u64 {
    u64::try_from(constant).unwrap_or(u64::MAX)
}
