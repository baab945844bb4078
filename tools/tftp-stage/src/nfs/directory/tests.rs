use super::*;
use nix::unistd;

const ROOT: Caller = Caller { uid: 0, gid: 0, groups: Vec::new() };

fn export() -> (tempfile::TempDir, Directory) {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    (place, directory)
}

/// The caller is whoever runs the test: nobody else's file can be made.
fn me() -> Caller {
    Caller { uid: unistd::geteuid().as_raw(), gid: unistd::getegid().as_raw(), groups: Vec::new() }
}

#[test]
fn a_path_longer_than_the_system_takes_is_walked_in_pieces() {
    let (_place, directory) = export();
    let (name, mut at) = ("d".repeat(200), directory.root());
    for _ in 0..30 {
        at = directory.make(&me(), at, &name, &Special::Directory, &Changes::default()).unwrap().0.id;
    }
    let (file, _) = directory.create(&me(), at, "file", Creation::Guarded(Changes::default())).unwrap();
    directory.write(&me(), file.id, 0, [&b"deep"[..]].into_iter()).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(directory.read(&me(), file.id, 0, &mut buffer).unwrap().0, 4);
    assert_eq!(buffer[..4], *b"deep");
}

#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let (place, directory) = export();
    std::fs::create_dir(place.path().join("way")).unwrap();
    let way = directory.lookup(&ROOT, directory.root(), "way").unwrap().id;
    std::fs::remove_dir(place.path().join("way")).unwrap();
    std::os::unix::fs::symlink("/etc", place.path().join("way")).unwrap();
    assert_eq!(directory.lookup(&ROOT, way, "passwd").unwrap_err(), Errno::ESTALE);
    let link = directory.lookup(&ROOT, directory.root(), "way").unwrap();
    assert_eq!(directory.lookup(&ROOT, link.id, "passwd").unwrap_err(), Errno::ESTALE);
    assert_eq!(directory.read_link(link.id).unwrap().0, "/etc");
}

#[test]
fn a_directory_moved_behind_the_servers_back_is_found_again() {
    let (place, directory) = export();
    std::fs::create_dir_all(place.path().join("old/below")).unwrap();
    let old = directory.lookup(&ROOT, directory.root(), "old").unwrap().id;
    let below = directory.lookup(&ROOT, old, "below").unwrap().id;
    std::fs::rename(place.path().join("old"), place.path().join("new")).unwrap();
    assert_eq!(directory.attributes(below).unwrap_err(), Errno::ESTALE);
    assert_eq!(directory.lookup(&ROOT, directory.root(), "new").unwrap().id, old);
    assert_eq!(directory.attributes(below).unwrap().file_type, FileType::Directory);
}

#[test]
fn a_name_is_one_component() {
    let (_place, directory) = export();
    for name in ["", ".", "..", "a/b", "a\0"] {
        let made = directory.make(&me(), directory.root(), name, &Special::Directory, &Changes::default());
        assert_eq!(made.unwrap_err(), Errno::EINVAL, "{name:?}");
    }
}
