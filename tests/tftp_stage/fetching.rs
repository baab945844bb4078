//! Where files come from.

use crate::archives::{self, Tar};
use crate::http::{Answer, Http};
use crate::stage::{Lab, assert_refused, in_namespace, resource, staged_root};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_digest_that_differs_is_the_jobs_fault() {
    in_namespace("fetching::a_digest_that_differs_is_the_jobs_fault", || {
        let root = archives::root().gzip();
        let http = Http::serve(&[("/root.tar.gz", Answer::File(root.clone()))]);
        let lab = Lab::new();
        let (url, found, wanted) = (http.url("/root.tar.gz"), sha256(&root), sha256(b"another"));
        let with = |sum: &str| json!({ "name": "nfsrootfs", "url": url, "compression": "gz", "sha256sum": sum });
        let reason = format!("cannot use '{url}': its sha256sum is {found}, not {wanted} as the job says");
        assert_refused(&lab, &lab.message(&[with(&wanted)]), 2, &reason);
        let mut stage = lab.start(&lab.message(&[with(&found)]));
        stage.staged();
        assert_eq!(stage.end(), (0, String::new()));
    });
}

#[test]
fn a_server_that_does_not_give_the_file_is_the_labs_fault() {
    in_namespace("fetching::a_server_that_does_not_give_the_file_is_the_labs_fault", || {
        let http = Http::serve(&[
            ("/broken", Answer::Status("500 Internal Server Error")),
            ("/cut", Answer::Cut(vec![0; 1000])),
        ]);
        let lab = Lab::new();
        let refused = |url: &str, reason: &str| {
            assert_refused(
                &lab,
                &lab.message(&[resource("nfsrootfs", url)]),
                3,
                &format!("cannot fetch '{url}': {reason}"),
            );
        };
        refused(&http.url("/missing"), "the server answers 404 Not Found");
        refused(&http.url("/broken"), "the server answers 500 Internal Server Error");
        refused("http://127.0.0.1:9/root", "Connection refused");
        refused("file:///no/such/root", "No such file or directory");
        refused("file:///dev/null", "not a regular file");
        let url = http.url("/cut");
        let outcome = lab.run(&lab.message(&[resource("nfsrootfs", &url)]));
        assert!(outcome.stderr.starts_with(&format!("tftp-stage: cannot fetch '{url}': ")), "{}", outcome.stderr);
        assert_eq!(outcome.status, 3);
        lab.assert_released();
    });
}

#[test]
fn an_address_that_cannot_be_used_is_the_jobs_fault() {
    in_namespace("fetching::an_address_that_cannot_be_used_is_the_jobs_fault", || {
        let lab = Lab::new();
        let refused = |url: &str, reason: &str| {
            assert_refused(
                &lab,
                &lab.message(&[resource("nfsrootfs", url)]),
                2,
                &format!("cannot fetch '{url}': {reason}"),
            );
        };
        refused("scp://h/root.tar", "this version does not support scheme 'scp'");
        refused("root.tar", "the address has no scheme");
        refused("http://h/", "the address names no file");
        refused("http://[/root.tar", "not an address, or not a header");
    });
}

#[test]
fn redirects_are_followed_and_files_need_no_server() {
    in_namespace("fetching::redirects_are_followed_and_files_need_no_server", || {
        let http = Http::serve(&[("/a", Answer::Elsewhere("/b")), ("/b", Answer::File(b"a kernel".to_vec()))]);
        let lab = Lab::new();
        fs::write(lab.path("root.tar"), archives::root().plain()).unwrap();
        let file = format!("file://{}", lab.path("root.tar").display());
        let mut stage = lab.start(&lab.message(&[resource("kernel", &http.url("/a")), resource("nfsrootfs", &file)]));
        stage.staged();
        assert_eq!(fs::read(lab.path("74588/tftp/74588/kernel/a")).unwrap(), b"a kernel");
        assert_eq!(fs::read(staged_root(&lab).join("etc/hostname")).unwrap(), b"mustang\n");
        drop(stage);
        // It was the job's file: it stays.
        assert!(lab.path("root.tar").exists());
    });
}

#[test]
fn a_file_that_is_unchanged_is_not_transferred_again() {
    in_namespace("fetching::a_file_that_is_unchanged_is_not_transferred_again", || {
        let root = archives::root().gzip();
        let http = Http::serve(&[("/root.tar.gz", Answer::Marked("\"1\"", root))]);
        let lab = Lab::new();
        let cache = lab.path("cache");
        let lab = lab.with(&["--cache", cache.to_str().unwrap()]);
        let message = lab.message(&[resource("nfsrootfs", &http.url("/root.tar.gz"))]);
        for _ in 0..2 {
            let mut stage = lab.start(&message);
            stage.staged();
            assert_eq!(fs::read(staged_root(&lab).join("etc/hostname")).unwrap(), b"mustang\n");
            assert_eq!(stage.end(), (0, String::new()));
        }
        assert_eq!(http.requests(), ["/root.tar.gz 200", "/root.tar.gz 304"]);
    });
}

#[test]
fn a_kept_copy_with_the_jobs_digest_needs_no_server() {
    in_namespace("fetching::a_kept_copy_with_the_jobs_digest_needs_no_server", || {
        let root = archives::root().gzip();
        let http = Http::serve(&[("/root.tar.gz", Answer::File(root.clone()))]);
        let lab = Lab::new();
        let cache = lab.path("cache");
        let lab = lab.with(&["--cache", cache.to_str().unwrap()]);
        let wanted = json!({ "name": "nfsrootfs", "url": http.url("/root.tar.gz"), "sha256sum": sha256(&root) });
        for _ in 0..2 {
            let mut stage = lab.start(&lab.message(std::slice::from_ref(&wanted)));
            stage.staged();
            assert_eq!(stage.end(), (0, String::new()));
        }
        assert_eq!(http.requests(), ["/root.tar.gz 200"]);
        // A copy that rots is not used.
        for entry in fs::read_dir(&cache).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none() {
                fs::write(path, "rotten").unwrap();
            }
        }
        let mut stage = lab.start(&lab.message(&[wanted]));
        stage.staged();
        assert_eq!(stage.end(), (0, String::new()));
        assert_eq!(http.requests(), ["/root.tar.gz 200", "/root.tar.gz 200"]);
    });
}

#[test]
fn memory_stays_small_whatever_is_staged() {
    in_namespace("fetching::memory_stays_small_whatever_is_staged", || {
        let data: Vec<u8> = (0..10_u32 << 20).flat_map(u32::to_be_bytes).collect();
        let http = Http::serve(&[("/root.tar.gz", Answer::File(Tar::new().file("data", &data).gzip()))]);
        let lab = Lab::new().with(&["--serve"]);
        let mut stage = lab.start(&lab.message(&[resource("nfsrootfs", &http.url("/root.tar.gz"))]));
        stage.staged();
        let status = fs::read_to_string(format!("/proc/{}/status", stage.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 30 * 1024, "{peak} KiB");
    });
}
