//! Definitions from repositories and archives.

use crate::packing::{archived, inline, member, overlay_pack, pack, role, steps, stream, tar, with};
use crate::repositories::{assert_killed, fake_git, git, repository, run_git, url};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn a_repository_is_taken_as_the_job_asks() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let root = repository.path();
    let first = run_git(root, &["rev-parse", "HEAD"]);
    run_git(root, &["checkout", "--quiet", "-b", "next"]);
    fs::write(root.join("next.yaml"), "metadata: {}\nrun: {steps: [ls]}\n").unwrap();
    run_git(root, &["add", "--all"]);
    run_git(root, &["commit", "--quiet", "--message=two"]);
    let second = run_git(root, &["rev-parse", "HEAD"]);
    run_git(root, &["checkout", "--quiet", "main"]);
    let of = |field: &str, value: Value, number, path| with(git(number, "d", &url(root), path), field, value);
    let next = with(of("history", json!(true), 2, "next.yaml"), "branch", json!("next"));
    let definitions = json!([
        of("branch", json!("next"), 0, "next.yaml"),
        of("revision", json!(first), 1, "smoke.yaml"),
        with(next.clone(), "shallow", json!(false)),
        with(next, "run", json!("3_d")),
    ]);
    let packed = pack(&stream(&[role(definitions)]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let overlay = packed.overlay(0);
    let commits: Vec<_> =
        overlay["runs"].as_array().unwrap().iter().map(|run| run["commit_id"].as_str().unwrap()).collect();
    assert_eq!(commits, [&second, &first, &second, &second]);
    let unpacked = tempfile::tempdir().unwrap();
    tar(&["--extract", "--gzip", "--directory", unpacked.path().to_str().unwrap()], &overlay);
    let run = |name: &str| unpacked.path().join("lava-4212/0/tests").join(name);
    // One commit is no history, whether the job refuses it or not.
    for name in ["0_d", "1_d", "3_d"] {
        assert!(!run(name).join(".git").exists(), "{name}");
    }
    assert_eq!(run_git(&run("2_d"), &["rev-list", "--count", "HEAD"]), "2");
}

#[test]
fn submodules_come_along_when_asked_for() {
    let (inner, outer, out) = (repository(), repository(), tempfile::tempdir().unwrap());
    run_git(outer.path(), &["submodule", "--quiet", "add", &url(inner.path()), "inner"]);
    run_git(outer.path(), &["commit", "--quiet", "--message=two"]);
    let definition = |name: &str, recursive: bool| {
        with(git(0, name, &url(outer.path()), "smoke.yaml"), "recursive", json!(recursive))
    };
    let input = stream(&[role(json!([definition("with", true), definition("without", false)]))]);
    let allowed = [("GIT_ALLOW_PROTOCOL", "file")];
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &allowed);
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let listing = tar(&["--list", "--gzip"], &packed.overlay(0));
    assert!(listing.contains("/0_with/inner/smoke.yaml\n") && !listing.contains("/0_without/inner/smoke.yaml\n"));
    assert!(!listing.contains(".git\n") && !listing.contains(".git/\n"));
}

/// Serves the files of a directory over HTTP until the process ends; a git server without the
/// smart protocol is no more than that.
pub fn serve(directory: &Path) -> String {
    let (listener, directory) = (TcpListener::bind("127.0.0.1:0").unwrap(), directory.to_owned());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = request.split_whitespace().nth(1).unwrap_or("/").split('?').next().unwrap();
            let (status, body) = match fs::read(directory.join(&path[1..])) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // The client may have gone.
            let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
        }
    });
    format!("http://{address}")
}

#[test]
fn a_definition_that_cannot_be_fetched_or_used_is_named_and_nothing_is_written() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let root = repository.path();
    fs::write(root.join("broken.yaml"), "metadata:\n  name: x\n\trun: y\n").unwrap();
    fs::write(root.join("list.yaml"), "- a\n").unwrap();
    run_git(root, &["add", "--all"]);
    run_git(root, &["commit", "--quiet", "--message=two"]);
    let here = url(root);
    let of = |path: &str| git(0, "d", &here, path);
    let using = |path: &str| format!("cannot use the definition 'd' ('{path}' of '{here}'): ");
    let fetching = format!("cannot fetch the definition 'd' ('smoke.yaml' of '{here}'): ");
    let cases = [
        (git(0, "d", "file:///no/such.git", "a.yaml"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'file:///no/such.git'): '/no/such.git' does not appear to be a git repository".to_owned()),
        (git(0, "d", "http://user:secret@127.0.0.1:1/x", "a.yaml"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://127.0.0.1:1/x'): unable to access 'http://127.0.0.1:1/x/': ".to_owned()),
        (with(of("smoke.yaml"), "branch", json!("none")), 2, format!("{fetching}Remote branch none not found in upstream origin")),
        (with(of("smoke.yaml"), "revision", json!("none")), 2, format!("{fetching}invalid reference: none")),
        (with(of("smoke.yaml"), "revision", json!("--force")), 2,
            using("smoke.yaml") + "its revision is '--force', which git would misunderstand"),
        (git(0, "d", "--upload-pack=touch x", "a"), 2,
            "cannot use the definition 'd' ('a' of '--upload-pack=touch x'): its repository is '--upload-pack=touch x', which git would misunderstand".to_owned()),
        (of("none.yaml"), 2, using("none.yaml") + "cannot open it: No such file or directory"),
        (of("../x.yaml"), 2, using("../x.yaml") + "its path does not stay in the repository"),
        (of("passwd.yaml"), 2, using("passwd.yaml") + "its path leads out of the repository"),
        (of("broken.yaml"), 2, using("broken.yaml") + "2:9: "),
        (of("list.yaml"), 2, using("list.yaml") + "it is a list, not a map"),
        (archived("ftp://h/x.tar"), 2,
            "cannot fetch the definition 'd' ('a.yaml' of 'ftp://h/x.tar'): its address is not http, https or file".to_owned()),
        (archived("http://u:p@127.0.0.1:1/x.tar"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://127.0.0.1:1/x.tar'): Connection refused".to_owned()),
        (with(archived("http://h/x.zip"), "compression", json!("zip")), 2,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://h/x.zip'): its compression 'zip' is none of gz, bz2, xz, zstd".to_owned()),
        (with(archived("http://h/x"), "sha256sum", json!("abc")), 2,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://h/x'): its sha256sum 'abc' is none".to_owned()),
        (archived("file:///no/such.tar"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'file:///no/such.tar'): cannot open it: No such file or directory".to_owned()),
        (with(inline(0, "d", steps(&[])), "from", json!("bzr")), 2,
            "cannot use the definition 'd': 'from: bzr' is not supported by this version".to_owned()),
        (inline(0, "d", json!({"metadata": {}, "run": {"steps": [{"a": "b"}]}})), 2,
            "cannot use the definition 'd': item 1 of its 'run: steps' is a map, not text: put it in quotes".to_owned()),
        (with(inline(0, "d", steps(&[])), "path", json!("../../x")), 2,
            "cannot use the definition 'd': 'lava-4212/0/tests/0_d/../../x' does not stay in its directory".to_owned()),
        (with(inline(0, "d", steps(&[])), "run", json!("a/b")), 2,
            "cannot use the definition 'd': the run's name 'a/b' is not letters, digits, '_', '-' and '.'".to_owned()),
        (with(inline(0, "d", steps(&[])), "signal", json!("mail")), 2,
            "cannot use the definition 'd': its 'lava-signal' is 'mail', not stdout or kmsg".to_owned()),
    ];
    for (definition, status, reason) in cases {
        // The broken one comes second: what was done for the first is undone.
        let packed = pack(&stream(&[role(json!([inline(1, "good", steps(&["ls"])), definition]))]), out.path());
        let first = packed.stderr.lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with(&format!("overlay-pack: {reason}")), "{first}\nis not\n{reason}");
        packed.assert_refused(status, first.strip_prefix("overlay-pack: ").unwrap());
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "{reason}");
    }
}

#[test]
fn a_repository_without_a_commit_has_no_definition() {
    let (empty, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run_git(empty.path(), &["init", "--quiet"]);
    let here = url(empty.path());
    let packed = pack(&stream(&[role(json!([git(0, "d", &here, "a.yaml")]))]), out.path());
    packed.assert_refused(
        2,
        &format!("cannot fetch the definition 'd' ('a.yaml' of '{here}'): the repository has no commit"),
    );
}

/// An archive of a directory with a definition, in a directory of its own.
fn archive(name: &str, arguments: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path().join("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("a.yaml"), "metadata: {name: a}\nrun: {steps: [./go.sh]}\n").unwrap();
    fs::write(top.join("go.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(top.join("go.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::hard_link(top.join("go.sh"), top.join("same.sh")).unwrap();
    symlink("go.sh", top.join("link")).unwrap();
    let status =
        Command::new("tar").args(arguments).arg("-cf").arg(name).arg("top").current_dir(directory.path()).status();
    assert!(status.unwrap().success());
    directory
}

#[test]
fn a_definition_comes_from_an_archive_on_a_server() {
    for (name, arguments, compression) in [
        ("x.tar", &[][..], Value::Null),
        ("x.tar.gz", &["--gzip"], json!("gz")),
        ("x.tar.xz", &["--xz"], json!("xz")),
        ("x.tar.bz2", &["--bzip2"], json!("bz2")),
    ] {
        let (served, out) = (archive(name, arguments), tempfile::tempdir().unwrap());
        let digest = Command::new("sha256sum").arg(served.path().join(name)).output().unwrap().stdout;
        let mut definition = archived(&format!("{}/{name}", serve(served.path())));
        definition["compression"] = compression;
        definition["strip_components"] = json!(1);
        definition["sha256sum"] = json!(String::from_utf8(digest).unwrap()[..64]);
        let packed = pack(&stream(&[role(json!([definition]))]), out.path());
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0), "{name}");
        let overlay = packed.overlay(0);
        let run = "lava-4212/0/tests/0_d";
        assert_eq!(member(&overlay, &format!("{run}/go.sh")), "#!/bin/sh\n");
        assert!(member(&overlay, &format!("{run}/testdef_metadata")).contains("branch_vcs: url\nproject_name: a\n"));
        let listing = tar(&["--list", "--verbose", "--gzip"], &overlay);
        assert!(listing.contains(&format!("{run}/link -> go.sh\n")), "{listing}");
        assert!(listing.contains(&format!("{run}/same.sh link to {run}/go.sh\n")), "{listing}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_archive_that_is_not_the_one_is_refused() {
    let (served, out) = (archive("x.tar", &[]), tempfile::tempdir().unwrap());
    let address = format!("{}/x.tar", serve(served.path()));
    let refused = |definition: Value, status: i32, reason: &str| {
        let what =
            format!("cannot fetch the definition 'd' ('a.yaml' of '{}'): ", definition["repository"].as_str().unwrap());
        pack(&stream(&[role(json!([definition]))]), out.path()).assert_refused(status, &format!("{what}{reason}"));
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    };
    let found = Command::new("md5sum").arg(served.path().join("x.tar")).output().unwrap().stdout;
    let found = String::from_utf8(found).unwrap()[..32].to_owned();
    let wrong = "0".repeat(32);
    let reason = format!("its md5sum is {found}, not {wrong} as the job says");
    refused(with(archived(&address), "md5sum", json!(wrong)), 2, &reason);
    refused(archived(&address.replace("x.tar", "none")), 3, "the server answers 404 Not Found");
    refused(with(archived(&address), "compression", json!("gz")), 2, "it is no archive: invalid gzip header");
    let packed = pack(&stream(&[role(json!([archived(&address)]))]), out.path());
    let what = format!("cannot use the definition 'd' ('a.yaml' of '{address}'): ");
    packed.assert_refused(2, &format!("{what}there is no such file in the archive"));
}

#[test]
fn four_members_clone_a_repository_once() {
    let (repository, run_dir, bin) = (repository(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = url(repository.path());
    // A git that keeps account of what is asked of the repository itself.
    let git_path =
        String::from_utf8(Command::new("sh").args(["-c", "command -v git"]).output().unwrap().stdout).unwrap();
    let git_path = git_path.trim_end();
    let fake = bin.path().join("git");
    let account = bin.path().join("account");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'{here}'*) echo \"$1\" >>'{}' ;; esac\nexec {git_path} \"$@\"\n",
        account.display()
    );
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let root = run_dir.path().to_str().unwrap().to_owned();
    let members: Vec<_> = (4212..4216)
        .map(|id| {
            let mut message = role(json!([git(0, "smoke", &here, "smoke.yaml")]));
            message["data"]["job_id"] = json!(id.to_string());
            let (path, root) = (path.clone(), root.clone());
            std::thread::spawn(move || overlay_pack(&stream(&[message]), &["--run-dir", &root], &[("PATH", &path)]))
        })
        .collect();
    let commit = run_git(repository.path(), &["rev-parse", "HEAD"]);
    for member in members {
        let packed = member.join().unwrap();
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        assert_eq!(packed.overlay(0)["runs"][0]["commit_id"], json!(commit));
    }
    let asked = fs::read_to_string(account).unwrap();
    assert_eq!(asked.lines().filter(|&word| word == "clone").count(), 1, "{asked}");
}

#[test]
fn a_cache_is_brought_up_to_date_and_follows_the_default_branch() {
    let (repository, cache, out) = (repository(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = repository.path();
    let definition = git(0, "d", &url(root), "smoke.yaml");
    let commit = |definition: &Value| {
        let arguments = ["-o", out.path().to_str().unwrap(), "--cache", cache.path().to_str().unwrap()];
        let packed = overlay_pack(&stream(&[role(json!([definition]))]), &arguments, &[]);
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        packed.overlay(0)["runs"][0]["commit_id"].as_str().unwrap().to_owned()
    };
    let first = commit(&definition);
    run_git(root, &["checkout", "--quiet", "-b", "next"]);
    run_git(root, &["branch", "--quiet", "-D", "main"]);
    run_git(root, &["commit", "--quiet", "--allow-empty", "--message=two"]);
    let second = run_git(root, &["rev-parse", "HEAD"]);
    assert_ne!(first, second);
    assert_eq!(commit(&definition), second);
    assert_eq!(commit(&with(definition, "revision", json!(first))), first);
}

#[test]
fn repositories_that_an_install_lists_are_in_the_definitions_directory() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let here = url(repository.path());
    let mut definition = steps(&["ls"]);
    definition["install"] = json!({"git-repos": [{"url": "WHERE", "branch": "main", "destination": "tools"}]});
    let order = with(inline(0, "d", definition.clone()), "parameters", json!({"WHERE": here}));
    let packed = pack(&stream(&[role(json!([order.clone()]))]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let listing = tar(&["--list", "--gzip"], &packed.overlay(0));
    assert!(listing.contains("/tests/0_d/tools/dir/scripts/go.sh\n") && !listing.contains("/tools/.git"), "{listing}");
    let skipping = with(order.clone(), "skip_install", json!(["git-repos"]));
    let listing = tar(&["--list", "--gzip"], &pack(&stream(&[role(json!([skipping]))]), out.path()).overlay(0));
    assert!(!listing.contains("/tools"), "{listing}");
    let missing = with(order, "parameters", json!({"WHERE": "file:///no/such.git"}));
    let missing = stream(&[role(json!([missing]))]);
    let reason = "cannot fetch 'file:///no/such.git' for the definition 'd': '/no/such.git' does not appear to be a git repository";
    pack(&missing, out.path()).assert_refused(3, reason);
}

#[test]
fn a_clone_that_takes_too_long_is_killed() {
    let (fake, path) = fake_git("exec sleep 1000");
    let out = tempfile::tempdir().unwrap();
    let mut message = role(json!([git(0, "d", "https://h/r.git", "a.yaml")]));
    message["data"]["actions"][0]["timeout"] = json!(1);
    let packed = overlay_pack(&stream(&[message]), &["-o", out.path().to_str().unwrap()], &[("PATH", &path)]);
    packed.assert_refused(124, "cannot fetch the definition 'd' ('a.yaml' of 'https://h/r.git'): out of time");
    assert_killed(&fake);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn git_asks_nobody_and_serves_no_other_repository() {
    let script = "printf '%s ' \"$GIT_TERMINAL_PROMPT\" \"$LC_ALL\" \"$GIT_SSH_COMMAND\" \"[$GIT_DIR]\" >&2; exit 1";
    let (_fake, path) = fake_git(script);
    let out = tempfile::tempdir().unwrap();
    let input = stream(&[role(json!([git(0, "d", "git@h:r.git", "a.yaml")]))]);
    let environment = [("PATH", path.as_str()), ("GIT_DIR", "/nowhere")];
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &environment);
    packed.assert_refused(3, "cannot fetch the definition 'd' ('a.yaml' of 'git@h:r.git'): 0 C ssh -oBatchMode=yes []");
}

#[test]
fn a_machine_without_git_is_told() {
    let out = tempfile::tempdir().unwrap();
    let input = stream(&[role(json!([git(0, "d", "https://h/r.git", "a.yaml")]))]);
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &[("PATH", "/nowhere")]);
    let reason =
        "cannot fetch the definition 'd' ('a.yaml' of 'https://h/r.git'): cannot run 'git': No such file or directory";
    packed.assert_refused(3, reason);
}
