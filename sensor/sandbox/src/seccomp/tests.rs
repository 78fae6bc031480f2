//! What the filters let through still works, and what they do not is refused, or ends the process.

use std::io::{ErrorKind, Read, Seek, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use rustix::fd::AsFd;

use super::*;

/// Runs `work` on a fresh thread in a role. `None` if this kernel takes no filter.
fn within<T: Send + 'static>(role: Role, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let filter = Filter::new(role, &Descriptors::default()).unwrap();
    under(filter, work)
}

fn under<T: Send + 'static>(filter: Filter, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let thread = std::thread::spawn(move || {
        if let Err(error) = filter.apply() {
            eprintln!("skipped: {error}");
            return None;
        }
        Some(work())
    });
    thread.join().expect("the filter lets a thread end")
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("yagura-seccomp-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What every thread does that computes. Answers the octets of a file that was opened before.
fn compute(mut file: std::fs::File) -> Vec<u8> {
    let mut large = vec![1_u8; 64 << 20];
    large.resize(96 << 20, 2);
    assert_eq!(large.iter().map(|&octet| u64::from(octet)).sum::<u64>(), (64 << 20) + 2 * (32 << 20));
    drop(large);
    let many: Vec<Box<[u8]>> = (0..2_000).map(|size| vec![0; size * 37].into_boxed_slice()).collect();
    drop(many);
    let (there, here) = channel();
    there.send(7).unwrap();
    assert_eq!(here.recv(), Ok(7));
    assert!(here.recv_timeout(Duration::from_millis(2)).is_err());
    let before = Instant::now();
    std::thread::sleep(Duration::from_millis(2));
    std::thread::yield_now();
    assert!(before.elapsed() >= Duration::from_millis(2));
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    let seeded = std::collections::HashMap::from([(1, 2)]);
    assert_eq!(seeded.get(&1), Some(&2));
    let caught = std::panic::catch_unwind(|| panic!("a panic is caught, and its word reaches standard error"));
    assert!(caught.is_err());
    std::io::stdout().write_all(b"").unwrap();
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).unwrap();
    octets
}

/// the other way: what a role is there for is not denied to it.
#[test]
fn what_computes_still_works_in_every_role() {
    let folder = folder("compute");
    std::fs::write(folder.join("file"), "opened before").unwrap();
    for role in Role::ALL {
        let file = std::fs::File::open(folder.join("file")).unwrap();
        let Some(octets) = within(role, move || compute(file)) else { return };
        assert_eq!(octets, b"opened before", "{role}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// the list of what parses is short.
#[test]
fn the_list_of_what_parses_is_short_and_the_lists_grow_with_the_task() {
    let calls = Role::ALL.map(|role| Filter::new(role, &Descriptors::default()).unwrap().calls());
    eprintln!("calls let through: {calls:?}");
    let [capture, parse, journal, output, supervisor] = calls;
    assert!(parse <= 60, "{parse}");
    assert!(capture <= 60, "{capture}");
    assert!(parse < capture && capture < journal && journal < output && output < supervisor, "{calls:?}");
}

/// a frame is sent by writing to a packet socket as well as by sending on it.
#[test]
fn nothing_that_is_near_a_capture_socket_writes_to_it() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let number = u64::try_from(socket.as_fd().as_raw_fd()).unwrap();
    let descriptors = Descriptors { writable: &[], capture_sockets: &[socket.as_fd()] };
    for role in [Role::Capture, Role::Parse, Role::Journal] {
        let filter = Filter::new(role, &descriptors).unwrap();
        for call in [libc::SYS_write, libc::SYS_writev] {
            assert_eq!(filter.answer(call, [number, 0, 0, 0, 0, 0]), Answer::Refused(libc::EPERM), "{role}");
            assert_eq!(filter.answer(call, [2, 0, 0, 0, 0, 0]), Answer::Allowed, "{role}: standard error");
            // The kernel takes the low half of the register for the descriptor, and so must the filter.
            let dressed = number | 1 << 32;
            assert_eq!(filter.answer(call, [dressed, 0, 0, 0, 0, 0]), Answer::Refused(libc::EPERM), "{role}");
        }
        let duplicate = u64::try_from(libc::F_DUPFD_CLOEXEC).unwrap();
        assert_eq!(filter.answer(libc::SYS_fcntl, [number, duplicate, 0, 0, 0, 0]), Answer::Refused(libc::EPERM));
        for call in [libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_dup, libc::SYS_dup3] {
            assert_eq!(filter.answer(call, [number, 0, 0, 0, 0, 0]), Answer::Refused(libc::EPERM), "{role}");
        }
        for call in [libc::SYS_sendfile, libc::SYS_splice, libc::SYS_tee, libc::SYS_vmsplice] {
            assert_eq!(filter.answer(call, [number; 6]), Answer::Refused(libc::EPERM), "{role}");
        }
    }
    let journal = Filter::new(Role::Journal, &descriptors).unwrap();
    assert_eq!(journal.answer(libc::SYS_write, [number + 1, 0, 0, 0, 0, 0]), Answer::Allowed);
    let pipe = Descriptors { writable: &[socket.as_fd()], capture_sockets: &[] };
    let parse = Filter::new(Role::Parse, &pipe).unwrap();
    assert_eq!(parse.answer(libc::SYS_write, [number, 0, 0, 0, 0, 0]), Answer::Allowed, "named as writable");
}

#[test]
fn a_capture_thread_asks_but_does_not_change() {
    let filter = Filter::new(Role::Capture, &Descriptors::default()).unwrap();
    let option = |level: i32, name: i32| {
        let arguments = [9, u64::try_from(level).unwrap(), u64::try_from(name).unwrap(), 0, 0, 0];
        filter.answer(libc::SYS_getsockopt, arguments)
    };
    assert_eq!(option(libc::SOL_PACKET, libc::PACKET_STATISTICS), Answer::Allowed);
    assert_eq!(option(libc::SOL_SOCKET, libc::SO_ERROR), Answer::Allowed);
    assert_eq!(option(libc::SOL_SOCKET, libc::PACKET_STATISTICS), Answer::Refused(libc::EPERM));
    for call in [libc::SYS_getsockname, libc::SYS_recvfrom, libc::SYS_pread64, libc::SYS_lseek] {
        assert_eq!(filter.answer(call, [9; 6]), Answer::Allowed, "call {call}");
    }
    let control = |request: u64| filter.answer(libc::SYS_ioctl, [9, request, 0, 0, 0, 0]);
    assert_eq!(control(0x8913), Answer::Allowed, "SIOCGIFFLAGS");
    assert_eq!(control(0x8914), Answer::Refused(libc::EPERM), "SIOCSIFFLAGS");
    assert_eq!(control(0x8946), Answer::Refused(libc::EPERM), "SIOCETHTOOL");
    assert_eq!(filter.answer(libc::SYS_setsockopt, [9; 6]), Answer::Refused(libc::EPERM));
    assert_eq!(filter.answer(libc::SYS_ppoll, [9; 6]), Answer::Allowed);
}

#[test]
fn memory_is_written_or_executed_never_both() {
    let bits = |bits: i32| u64::try_from(bits).unwrap();
    let (write, code) = (bits(libc::PROT_READ | libc::PROT_WRITE), bits(libc::PROT_READ | libc::PROT_EXEC));
    for role in [Role::Capture, Role::Parse, Role::Journal, Role::Output] {
        let filter = Filter::new(role, &Descriptors::default()).unwrap();
        let map = |access: u64, kind: i32| filter.answer(libc::SYS_mmap, [0, 4_096, access, bits(kind), 3, 0]);
        assert_eq!(map(write, libc::MAP_ANONYMOUS), Answer::Allowed);
        assert_eq!(map(write | code, libc::MAP_PRIVATE), Answer::Refused(libc::EPERM), "{role}");
        assert_eq!(map(code, libc::MAP_ANONYMOUS), Answer::Refused(libc::EPERM), "{role}");
        let library = if role == Role::Output { Answer::Allowed } else { Answer::Refused(libc::EPERM) };
        assert_eq!(map(code, libc::MAP_PRIVATE), library, "{role}");
        assert_eq!(filter.answer(libc::SYS_mprotect, [0, 1, write, 0, 0, 0]), Answer::Allowed);
        assert_eq!(filter.answer(libc::SYS_mprotect, [0, 1, code, 0, 0, 0]), Answer::Refused(libc::EPERM));
    }
}

#[test]
fn only_the_own_process_is_aborted() {
    let filter = Filter::new(Role::Parse, &Descriptors::default()).unwrap();
    let (own, abort) = (u64::from(std::process::id()), u64::try_from(libc::SIGABRT).unwrap());
    assert_eq!(filter.answer(libc::SYS_tgkill, [own, 1, abort, 0, 0, 0]), Answer::Allowed);
    assert_eq!(filter.answer(libc::SYS_tgkill, [own + 1, 1, abort, 0, 0, 0]), Answer::Refused(libc::EPERM));
    assert_eq!(filter.answer(libc::SYS_tgkill, [own, 1, 9, 0, 0, 0]), Answer::Refused(libc::EPERM));
}

#[test]
fn a_call_that_is_newer_than_the_list_does_not_exist() {
    let parse = Filter::new(Role::Parse, &Descriptors::default()).unwrap();
    assert_eq!(parse.answer(libc::SYS_clone3, [0; 6]), Answer::Refused(libc::ENOSYS));
    assert_eq!(parse.answer(libc::SYS_openat2, [0; 6]), Answer::Refused(libc::ENOSYS));
    assert_eq!(parse.answer(9_999, [0; 6]), Answer::Refused(libc::ENOSYS));
    // Calls of the x32 variety, which number from bit 30 on.
    assert_eq!(parse.answer(1 << 30, [0; 6]), Answer::Refused(libc::ENOSYS));
    assert_eq!(parse.answer(libc::SYS_pidfd_open, [0; 6]), Answer::Refused(libc::EPERM));
    let supervisor = Filter::new(Role::Supervisor, &Descriptors::default()).unwrap();
    assert_eq!(supervisor.answer(libc::SYS_clone3, [0; 6]), Answer::Allowed);
    assert_eq!(supervisor.answer(libc::SYS_landlock_restrict_self, [0; 6]), Answer::Allowed);
    assert_eq!(supervisor.answer(9_999, [0; 6]), Answer::Refused(libc::ENOSYS));
}

#[test]
fn what_only_an_intruder_calls_is_deadly_to_all_but_the_supervisor() {
    for role in Role::ALL {
        let filter = Filter::new(role, &Descriptors::default()).unwrap();
        for &call in calls::DEADLY {
            let expected = match role {
                Role::Supervisor if call == libc::SYS_execve => Answer::Allowed,
                Role::Supervisor => Answer::Refused(libc::EPERM),
                _ => Answer::Killed,
            };
            assert_eq!(filter.answer(call, [0; 6]), expected, "{role}, call {call}");
        }
    }
}

#[test]
fn a_journal_is_written_synced_renamed_locked_and_removed() {
    let folder = folder("journal");
    let inside = folder.clone();
    let done = within(Role::Journal, move || {
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        let path = inside.join("a/b/segment");
        let mut file = std::fs::File::options().create(true).read(true).append(true).open(&path).unwrap();
        file.try_lock().unwrap();
        writeln!(file, "line").unwrap();
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        file.set_len(2).unwrap();
        let mut second = file.try_clone().unwrap();
        second.rewind().unwrap();
        let mut text = String::new();
        second.read_to_string(&mut text).unwrap();
        assert_eq!(text, "li");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2);
        std::fs::rename(&path, inside.join("renamed")).unwrap();
        std::fs::File::open(&inside).unwrap().sync_all().unwrap();
        std::fs::copy(inside.join("renamed"), inside.join("copy")).unwrap();
        assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 3);
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(inside.join("copy"), std::fs::Permissions::from_mode(0o600)).unwrap();
        rustix::fs::statvfs(&inside).unwrap();
        std::fs::remove_dir_all(&inside).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").map(drop).map_err(|error| error.kind());
        assert_eq!(socket, Err(ErrorKind::PermissionDenied));
    });
    if done.is_none() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn an_output_connects_resolves_and_starts_threads_but_no_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let Some(()) = within(Role::Output, move || {
        let accepting = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"hello").unwrap();
        });
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.set_nonblocking(false).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        accepting.join().unwrap();
        use std::net::ToSocketAddrs;
        assert!(("localhost", 80).to_socket_addrs().unwrap().count() > 0);
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(metrics.local_addr().unwrap().port() > 0);
        // The C library forks before it executes, so that this is refused and not deadly.
        let spawned = Command::new("/bin/true").spawn().map(drop).map_err(|error| error.kind());
        assert_eq!(spawned, Err(ErrorKind::PermissionDenied));
    }) else {
        return;
    };
}

#[test]
fn a_supervisor_starts_a_program_talks_to_it_and_ends_it() {
    let Some(()) = within(Role::Supervisor, || {
        let output = Command::new("/bin/sh").args(["-c", "echo $((6 * 7)); exec cat /dev/null"]).output().unwrap();
        assert_eq!(output.stdout, b"42\n");
        assert!(output.status.success());
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }) else {
        return;
    };
}

/// The part of the next test that dies. By itself it does nothing.
#[test]
fn dies_if_it_is_told_to() {
    if std::env::var_os("YAGURA_TEST_DIES").is_none() {
        return;
    }
    privileges_free();
    let _ended = within(Role::Parse, || Command::new("/bin/true").exec());
    std::process::exit(3);
}

/// No core dump is left behind by the test.
fn privileges_free() {
    crate::privileges::limit(&crate::privileges::Bounds::default()).unwrap();
}

#[test]
fn who_runs_a_program_where_none_is_run_ends_with_his_process() {
    if within(Role::Parse, || ()).is_none() {
        return;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "seccomp::tests::dies_if_it_is_told_to"])
        .env("YAGURA_TEST_DIES", "1")
        .output()
        .unwrap()
        .status;
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status:?}");
}

#[test]
fn what_is_in_force_is_seen_from_outside() {
    assert_eq!(in_force(), Some(false));
    if let Some(seen) = within(Role::Journal, in_force) {
        assert_eq!(seen, Some(true));
    }
}
