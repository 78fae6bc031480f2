//! Files of lines that others rename, cut, delete and forbid meanwhile.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::*;
use yagura_outputs::feed::Step;
use yagura_outputs::settings::OutputSettings;
use yagura_outputs::status::State;

fn file(folder: &Folder, more: &str) -> OutputSettings {
    settings(&format!("name='lines'\nkind='file'\npath='{}/out.jsonl'\n{more}", folder.0.display()))
}

fn told(folder: &Folder, name: &str) -> Vec<u64> {
    sequences(&fs::read_to_string(folder.0.join(name)).unwrap_or_default())
}

fn add(memory: &Memory, numbers: std::ops::RangeInclusive<u64>) {
    for sequence in numbers {
        memory.add(Step::Entry(Box::new(entry(sequence, "alert", "\"high\""))));
    }
}

#[test]
fn lines_are_appended_and_the_file_is_not_for_everybody() {
    let folder = Folder::new("append");
    fs::write(folder.0.join("out.jsonl"), "{\"sequence\":0}\n").unwrap();
    let memory = Memory::of(alerts(10));
    let at_work = AtWork::start(&file(&folder, ""), &memory);
    at_work.until("all", |status| status.acknowledged == 10);
    at_work.end();
    assert_eq!(told(&folder, "out.jsonl"), (0..=10).collect::<Vec<_>>());
    let fresh = Folder::new("fresh");
    let at_work = AtWork::start(&file(&fresh, ""), &Memory::of(alerts(1)));
    at_work.until("one", |status| status.acknowledged == 1);
    at_work.end();
    let mode = fs::metadata(fresh.0.join("out.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn a_full_file_is_put_aside_and_the_oldest_goes() {
    let folder = Folder::new("rotate");
    let memory = Memory::of(Vec::new());
    let at_work = AtWork::start(&file(&folder, "rotate_octets=65536\nkeep=2"), &memory);
    for round in 0..5 {
        add(&memory, round * 300 + 1..=round * 300 + 300);
        at_work.until("a round", |status| status.acknowledged == round * 300 + 300);
    }
    at_work.end();
    let mut names: Vec<_> =
        fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["out.jsonl", "out.jsonl.1", "out.jsonl.2"]);
    let all: Vec<u64> =
        ["out.jsonl.2", "out.jsonl.1", "out.jsonl"].iter().flat_map(|name| told(&folder, name)).collect();
    assert_eq!(all.last(), Some(&1_500));
    assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1), "no line is missing between the files that are left");
}

/// renamed by another: no record is lost.
#[test]
fn a_file_that_is_renamed_is_left_to_its_new_name() {
    let folder = Folder::new("rename");
    let memory = Memory::of(Vec::new());
    let at_work = AtWork::start(&file(&folder, "rotate_octets=0"), &memory);
    for round in 0..20 {
        add(&memory, round * 50 + 1..=round * 50 + 50);
        if round % 3 == 2 {
            let _ = fs::rename(folder.0.join("out.jsonl"), folder.0.join(format!("out.jsonl-{round:02}")));
        }
        std::thread::sleep(std::time::Duration::from_millis(7));
    }
    at_work.until("all", |status| status.acknowledged == 1_000);
    at_work.end();
    let mut names: Vec<_> =
        fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() > 3, "{names:?}");
    let mut all: Vec<u64> = names.iter().flat_map(|name| told(&folder, name)).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=1_000).collect::<Vec<_>>());
}

/// cut by another (copytruncate): told, and the next lines begin the file anew.
#[test]
fn a_file_that_is_cut_begins_anew_and_that_is_told() {
    let folder = Folder::new("cut");
    let memory = Memory::of(alerts(10));
    let at_work = AtWork::start(&file(&folder, ""), &memory);
    at_work.until("ten", |status| status.acknowledged == 10);
    fs::File::options().write(true).open(folder.0.join("out.jsonl")).unwrap().set_len(0).unwrap();
    add(&memory, 11..=20);
    at_work.until("twenty", |status| status.acknowledged == 20);
    let remark = at_work.status().last_remark.unwrap();
    assert!(remark.contains("somebody cut the file from"), "{remark}");
    at_work.end();
    assert_eq!(told(&folder, "out.jsonl"), (11..=20).collect::<Vec<_>>());
}

/// deleted by another: the next lines make a new file.
#[test]
fn a_file_that_is_deleted_is_made_anew() {
    let folder = Folder::new("delete");
    let memory = Memory::of(alerts(10));
    let at_work = AtWork::start(&file(&folder, ""), &memory);
    at_work.until("ten", |status| status.acknowledged == 10);
    fs::remove_file(folder.0.join("out.jsonl")).unwrap();
    add(&memory, 11..=20);
    at_work.until("twenty", |status| status.acknowledged == 20);
    at_work.end();
    assert_eq!(told(&folder, "out.jsonl"), (11..=20).collect::<Vec<_>>());
}

/// the folder is gone, or something else has the file's name: told, kept, and written once that is mended.
#[test]
fn a_path_that_cannot_be_written_is_told_and_waited_for() {
    let folder = Folder::new("forbidden");
    let path = folder.0.join("out.jsonl");
    fs::create_dir(&path).unwrap();
    let memory = Memory::of(alerts(10));
    let at_work = AtWork::start(&file(&folder, ""), &memory);
    at_work.until("told", |status| {
        let told = status.last_error.as_deref().unwrap_or_default();
        status.state == State::Failing && told.contains("out.jsonl: it is no regular file")
    });
    assert_eq!(memory.acknowledged(), 0);
    fs::remove_dir_all(&folder.0).unwrap();
    at_work.until("told", |status| status.last_error.as_deref().unwrap_or_default().contains("No such file"));
    fs::create_dir_all(&folder.0).unwrap();
    at_work.until("all", |status| status.acknowledged == 10 && status.state == State::Connected);
    at_work.end();
    assert_eq!(told(&folder, "out.jsonl"), (1..=10).collect::<Vec<_>>());
}

/// A device would take every line and keep none.
#[test]
fn what_is_no_file_is_refused() {
    let settings = settings("name='null'\nkind='file'\npath='/dev/null'\n");
    let at_work = AtWork::start(&settings, &Memory::of(alerts(1)));
    at_work.until("told", |status| status.last_error.as_deref().unwrap_or_default().contains("no regular file"));
    at_work.end();
}

/// a full disk takes half a batch at most, that is taken back, and all is written once there is room.
#[test]
#[ignore = "needs root: mounts a small file system"]
fn a_full_disk_is_told_and_waited_for() {
    let folder = Folder::new("full");
    let mount = |command: &str, arguments: &[&str]| {
        assert!(std::process::Command::new(command).args(arguments).arg(&folder.0).status().unwrap().success());
    };
    mount("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]);
    fs::write(folder.0.join("ballast"), vec![0; 40_000]).unwrap();
    let memory = Memory::of(alerts(200));
    let at_work = AtWork::start(&file(&folder, ""), &memory);
    at_work.until("told", |status| status.last_error.as_deref().unwrap_or_default().contains("No space left"));
    assert_eq!((memory.acknowledged(), told(&folder, "out.jsonl").len()), (0, 0));
    fs::remove_file(folder.0.join("ballast")).unwrap();
    at_work.until("all", |status| status.acknowledged == 200);
    at_work.end();
    let all = told(&folder, "out.jsonl");
    mount("umount", &[]);
    assert_eq!(all, (1..=200).collect::<Vec<_>>());
}

/// A line that was broken off when the sensor died is cut: its record comes again.
#[test]
fn a_torn_line_is_cut_and_written_again() {
    let folder = Folder::new("torn");
    let whole: String = alerts(3).iter().map(|entry| format!("{}\n", entry.line)).collect();
    for cut in 1..40 {
        fs::write(folder.0.join("out.jsonl"), &whole[..whole.len() - cut]).unwrap();
        let memory = Memory::of(alerts(5));
        memory.0.lock().unwrap().acknowledged = 2;
        let at_work = AtWork::start(&file(&folder, ""), &memory);
        at_work.until("all", |status| status.acknowledged == 5);
        assert!(at_work.status().last_remark.unwrap().contains("broken off"));
        at_work.end();
        assert_eq!(told(&folder, "out.jsonl"), [1, 2, 3, 4, 5], "{cut}");
    }
}
