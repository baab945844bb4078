//! The board's root by NFS, as a kernel asks for it.

use crate::nfs_client::{
    ACCES, EXIST, NOENT, NOT_SYNC, NOTDIR, NOTEMPTY, OK, PERM, STALE, Set, mount, optional_attributes, place,
    with_client,
};
use crate::rpc::{Rpc, Xdr};
use crate::served::serve;
use crate::stage::{in_namespace, is_real_root, staged_root};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn the_root_and_what_is_below_it_can_be_mounted_and_nothing_else() {
    in_namespace("nfs::the_root_and_what_is_below_it_can_be_mounted_and_nothing_else", || {
        let (lab, _http, _stage) = serve();
        let mut rpc = Rpc::connect(2049);
        let root = staged_root(&lab);
        let mut at = |path: &str| mount(&mut rpc, root.join(path).to_str().unwrap());
        assert!(at("").is_ok() && at("usr/lib").is_ok());
        assert_eq!(at("no/such"), Err(NOENT));
        assert_eq!(at("etc/hostname"), Err(NOTDIR));
        // A link is the client's to resolve.
        assert_eq!(at("lib"), Err(NOTDIR));
        assert_eq!(mount(&mut rpc, "/etc"), Err(ACCES));
        let climbing = format!("{}/../..", root.display());
        assert!(
            mount(&mut rpc, &climbing).is_ok_and(|handle| handle == mount(&mut rpc, root.to_str().unwrap()).unwrap())
        );
    });
}

#[test]
fn files_are_written_and_read_back() {
    in_namespace("nfs::files_are_written_and_read_back", || {
        with_client(|client, root| {
            let file = client.create("file", 0).unwrap();
            let data: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
            assert_eq!(client.write(&file, 0, &data[..100_000]), Ok(100_000));
            assert_eq!(client.write(&file, 100_000, &data[100_000..]), Ok(100_000));
            assert_eq!(client.status(21, Xdr::default().opaque(&file).u64(0).u32(0)), OK, "COMMIT");
            assert_eq!(fs::read(root.join("file")).unwrap(), data);
            assert_eq!(client.read(&file, 0, 131_072).unwrap(), (data[..131_072].to_vec(), false));
            assert_eq!(client.read(&file, 199_990, 100).unwrap(), (data[199_990..].to_vec(), true));
            assert_eq!(client.read(&file, 300_000, 100).unwrap(), (vec![], true));
            assert_eq!(client.write(&file, 1 << 20, b"x"), Ok(1));
            assert_eq!(client.attributes(&file).unwrap().size, (1 << 20) + 1);
            assert!(fs::metadata(root.join("file")).unwrap().blocks() * 512 < 1 << 20, "the hole stays one");
            assert_eq!(client.attributes(&file).unwrap().mode, 0o640);
        });
    });
}

#[test]
fn the_ways_to_create_a_file_differ() {
    in_namespace("nfs::the_ways_to_create_a_file_differ", || {
        with_client(|client, root| {
            let file = client.create("file", 1).unwrap();
            client.write(&file, 0, b"data").unwrap();
            assert_eq!(client.create("file", 1), Err(EXIST), "guarded");
            assert_eq!(client.create("file", 0), Ok(file.clone()), "unchecked");
            assert_eq!(fs::read(root.join("file")).unwrap(), b"data");
            assert_eq!(client.create("file", 2), Err(EXIST), "exclusive, of another");
            let exclusive = client.create("exclusive", 2).unwrap();
            assert_eq!(client.create("exclusive", 2), Ok(exclusive), "the same request, sent twice");
        });
    });
}

#[test]
fn attributes_are_set() {
    in_namespace("nfs::attributes_are_set", || {
        with_client(|client, root| {
            let (file, before) = client.lookup_path("etc/hostname");
            let set = Set { mode: Some(0o4755), size: Some(3), modified: Some(77), ..Set::default() };
            assert_eq!(client.set(&file, set, Some((1, 1))), NOT_SYNC, "a guard that does not hold");
            assert_eq!(client.set(&file, set, Some(before.changed)), OK);
            let after = client.attributes(&file).unwrap();
            assert_eq!((after.mode, after.size, after.modified), (0o4755, 3, 77));
            assert_eq!(fs::read(root.join("etc/hostname")).unwrap(), b"mus");
            let status = client.set(&file, Set { uid: Some(1000), ..Set::default() }, None);
            if is_real_root() {
                assert_eq!((status, client.attributes(&file).unwrap().uid), (OK, 1000));
            } else {
                // Said as it is, where a user namespace has no such user.
                assert_eq!(status, 22);
            }
        });
    });
}

#[test]
fn all_kinds_of_files_are_made() {
    in_namespace("nfs::all_kinds_of_files_are_made", || {
        with_client(|client, root| {
            let (base, set) = (client.root.clone(), Set { mode: Some(0o750), ..Set::default() });
            let directory = client.make(9, set.xdr(place(&base, "directory"))).unwrap();
            assert_eq!(client.attributes(&directory).unwrap().mode, 0o750);
            assert_eq!(client.make(9, set.xdr(place(&base, "directory"))), Err(EXIST));
            let link = client.make(10, set.xdr(place(&directory, "link")).opaque(b"../etc/hostname")).unwrap();
            let mut reply = client.call(5, Xdr::default().opaque(&link));
            assert_eq!(reply.u32(), OK);
            optional_attributes(&mut reply);
            assert_eq!(reply.opaque(), b"../etc/hostname");
            client.make(11, set.xdr(place(&base, "fifo").u32(7))).unwrap();
            assert!(fs::metadata(root.join("fifo")).unwrap().file_type().is_fifo());
            client.make(11, set.xdr(place(&base, "socket").u32(6))).unwrap();
            assert!(fs::metadata(root.join("socket")).unwrap().file_type().is_socket());
            let null = client.make(11, set.xdr(place(&base, "null").u32(4)).u32(1).u32(3));
            if is_real_root() {
                assert_eq!(client.attributes(&null.unwrap()).unwrap().kind, 4);
                assert_eq!(fs::metadata(root.join("null")).unwrap().rdev(), 0x103);
            } else {
                assert_eq!(null, Err(PERM));
            }
        });
    });
}

#[test]
fn names_are_linked_renamed_and_removed() {
    in_namespace("nfs::names_are_linked_renamed_and_removed", || {
        with_client(|client, root| {
            let base = client.root.clone();
            let file = client.create("a", 0).unwrap();
            client.write(&file, 0, b"data").unwrap();
            assert_eq!(client.status(15, Xdr::default().opaque(&file).opaque(&base).opaque(b"b")), OK, "LINK");
            assert_eq!(client.attributes(&file).unwrap().links, 2);
            assert_eq!(client.status(12, place(&base, "a")), OK, "REMOVE");
            assert_eq!(client.read(&file, 0, 10).unwrap(), (b"data".to_vec(), true), "by its other name");
            let other = client.create("c", 0).unwrap();
            let rename = place(&base, "b").opaque(&base).opaque(b"c");
            assert_eq!(client.status(14, rename), OK, "RENAME over a file");
            assert_eq!(fs::read(root.join("c")).unwrap(), b"data");
            assert_eq!(client.attributes(&other).err(), Some(STALE), "what was there is gone");
            assert_eq!(client.lookup(&base, "c").unwrap().0, file);
            // A renamed directory takes along what is below it.
            let (hostname, _) = client.lookup_path("etc/hostname");
            assert_eq!(client.status(14, place(&base, "etc").opaque(&base).opaque(b"usr")), NOTEMPTY);
            assert_eq!(client.status(14, place(&base, "etc").opaque(&base).opaque(b"moved")), OK);
            assert_eq!(client.read(&hostname, 0, 10).unwrap().0, b"mustang\n");
            assert_eq!(client.status(13, place(&base, "moved")), NOTEMPTY, "RMDIR");
            assert_eq!(client.status(12, place(&base, "none")), NOENT);
            // A removed file's handle never comes to mean another.
            client.status(12, place(&base, "c"));
            client.create("d", 0).unwrap();
            assert_eq!(client.attributes(&file).err(), Some(STALE));
            assert_eq!(client.attributes(&vec![0, 1, 2, 3, 4, 5, 6, 7, 8]).err(), Some(STALE), "a made-up handle");
        });
    });
}

#[test]
fn a_long_directory_is_listed_while_it_is_emptied() {
    in_namespace("nfs::a_long_directory_is_listed_while_it_is_emptied", || {
        with_client(|client, root| {
            let base = client.root.clone();
            fs::create_dir(root.join("long")).unwrap();
            for number in 0..500 {
                fs::write(root.join(format!("long/file-{number:03}")), "").unwrap();
            }
            let (long, _) = client.lookup(&base, "long").unwrap();
            let mut expected: Vec<_> = (0..500).map(|number| format!("file-{number:03}")).collect();
            expected.extend([".".to_owned(), "..".to_owned()]);
            expected.sort();
            for plus in [false, true] {
                for count in [1024, 8192, 1 << 20] {
                    assert_eq!(client.list(&long, plus, count), expected);
                }
            }
            // rm -r: each answer's files go before the next question.
            let mut cookie = 0;
            loop {
                let mut reply = client.call(16, Xdr::default().opaque(&long).u64(cookie).u64(0).u32(2048));
                assert_eq!(reply.u32(), OK);
                optional_attributes(&mut reply);
                reply.skip(8);
                while reply.u32() == 1 {
                    reply.u64();
                    let name = String::from_utf8(reply.opaque()).unwrap();
                    cookie = reply.u64();
                    if !name.starts_with('.') {
                        assert_eq!(client.status(12, place(&long, &name)), OK, "{name}");
                    }
                }
                if reply.u32() == 1 {
                    break;
                }
            }
            assert_eq!(client.status(13, place(&base, "long")), OK);
        });
    });
}

#[test]
fn others_than_root_are_held_to_the_modes() {
    in_namespace("nfs::others_than_root_are_held_to_the_modes", || {
        with_client(|client, root| {
            let (base, (etc, _)) = (client.root.clone(), client.lookup_path("etc"));
            let (hostname, _) = client.lookup_path("etc/hostname");
            fs::write(root.join("secret"), "x").unwrap();
            fs::set_permissions(root.join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let (secret, _) = client.lookup(&base, "secret").unwrap();
            client.rpc.uid = 1000;
            assert_eq!(client.read(&hostname, 0, 3).unwrap().0, b"mus");
            assert_eq!(client.read(&secret, 0, 3), Err(ACCES));
            assert_eq!(client.write(&hostname, 0, b"x"), Err(ACCES));
            assert_eq!(client.set(&hostname, Set { mode: Some(0o777), ..Set::default() }, None), PERM);
            assert_eq!(client.status(12, place(&etc, "hostname")), ACCES);
            assert_eq!(client.create("theirs", 0), Err(ACCES));
            let (home, _) = client.lookup(&base, "root").unwrap();
            assert_eq!(client.lookup(&home, ".ssh").err(), Some(ACCES), "a directory that is closed");
            let mut reply = client.call(4, Xdr::default().opaque(&hostname).u32(0x3f));
            assert_eq!(reply.u32(), OK);
            optional_attributes(&mut reply);
            assert_eq!(reply.u32(), 1, "ACCESS: to read and nothing else");
            if is_real_root() {
                fs::create_dir(root.join("tmp")).unwrap();
                fs::set_permissions(root.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
                let (tmp, _) = client.lookup(&base, "tmp").unwrap();
                let set = Set { mode: Some(0o644), ..Set::default() };
                let mine = client.make(8, set.xdr(place(&tmp, "mine").u32(0))).unwrap();
                let found = client.attributes(&mine).unwrap();
                assert_eq!((found.uid, found.gid), (1000, 1000), "what a user makes is the user's");
                client.rpc.uid = 1001;
                assert_eq!(client.status(12, place(&tmp, "mine")), ACCES, "the sticky bit");
            }
        });
    });
}

#[test]
fn the_file_system_describes_itself() {
    in_namespace("nfs::the_file_system_describes_itself", || {
        with_client(|client, root| {
            let base = Xdr::default().opaque(&client.root.clone());
            let mut reply = client.call(19, base.clone());
            assert_eq!(reply.u32(), OK);
            assert_eq!(optional_attributes(&mut reply).unwrap().inode, fs::metadata(root).unwrap().ino());
            assert_eq!((reply.u32(), reply.u32()), (131_072, 131_072), "FSINFO: the largest READ");
            let mut reply = client.call(18, base.clone());
            assert_eq!((reply.u32(), reply.u32()), (OK, 0), "FSSTAT");
            assert!(reply.u64() > 0);
            let mut reply = client.call(20, base.clone());
            assert_eq!(reply.u32(), OK, "PATHCONF");
            optional_attributes(&mut reply);
            assert_eq!((reply.u32(), reply.u32()), (32_000, 255));
            assert!(client.call(0, Xdr::default()).is_at_end(), "NULL");
            let (root_directory, _) = client.lookup(&client.root.clone(), "..").unwrap();
            assert_eq!(root_directory, client.root, "nothing is above the root");
        });
    });
}
