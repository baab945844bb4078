//! What definitions install, those of the guests included.

use crate::packing::{inline, member, overlay_pack, pack, role, steps, stream, tar, with};
use crate::repositories::{assert_killed, fake_git, git, repository_of, url};
use serde_json::{Value, json};

/// A definition that installs something, as a file.
pub fn installing(install: &str) -> String {
    format!("metadata: {{name: x}}\ninstall: {{{install}}}\nrun: {{steps: [ls]}}\n")
}

/// A host with these definitions, whose guests run those.
pub fn host(definitions: Value, guests: Value) -> Value {
    let mut message = role(definitions);
    message["data"]["guest_definitions"] = guests;
    message
}

/// A definition as a host's message names one of its guests.
pub fn of_guest(repository: &str, path: &str) -> Value {
    with(with(git(0, "theirs", repository, path), "run", json!("")), "uuid", json!(""))
}

/// The host's scripts that install, without a word on standard error.
fn installs<const N: usize>(message: Value, runs: [&str; N]) -> [String; N] {
    let out = tempfile::tempdir().unwrap();
    let packed = pack(&stream(&[message]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    runs.map(|run| member(&packed.overlay(0), &format!("lava-4212/0/tests/{run}/install.sh")))
}

#[test]
fn a_definition_installs_the_packages_that_the_message_adds() {
    let texts = [installing("deps: [curl, jq], steps: [make]"), installing("steps: [make]")];
    let repository = repository_of(&[("own.yaml", &texts[0]), ("none.yaml", &texts[1])]);
    let here = url(repository.path());
    let adding = |definition: Value| with(definition, "deps", json!(["socat", "jq", "socat"]));
    let definitions = json!([
        adding(git(0, "own", &here, "own.yaml")),
        adding(git(1, "none", &here, "none.yaml")),
        adding(inline(2, "bare", steps(&["ls"]))),
        git(3, "other", &here, "own.yaml"),
    ]);
    let directory = |run: &str| format!("cd '/lava-4212/0/tests/{run}'\npwd\nmake\n");
    let scripts = installs(role(definitions), ["0_own", "1_none", "2_bare", "3_other"]);
    let expected = [
        format!("lava-install-packages curl jq socat || exit\n{}", directory("0_own")),
        format!("lava-install-packages socat jq || exit\n{}", directory("1_none")),
        "lava-install-packages socat jq || exit\n".to_owned(),
        format!("lava-install-packages curl jq || exit\n{}", directory("3_other")),
    ];
    assert_eq!(scripts, expected);
    for skipped in ["deps", "all"] {
        let skipping = with(adding(inline(0, "bare", steps(&["ls"]))), "skip_install", json!([skipped]));
        let out = tempfile::tempdir().unwrap();
        let packed = pack(&stream(&[role(json!([skipping]))]), out.path());
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        assert!(!tar(&["--list", "--gzip"], &packed.overlay(0)).contains("install.sh"));
    }
}

#[test]
fn the_hosts_first_definition_installs_what_its_guests_definitions_need() {
    let text =
        installing("deps: [iperf3, socat, 'linux-$RELEASE'], deps-debian: [dnsutils], deps-fedora: [bind-utils]");
    let theirs = repository_of(&[("a.yaml", &text), ("b.yaml", &installing("deps: [socat, ethtool]"))]);
    let plain = repository_of(&[("own.yaml", &installing("deps: [curl, socat]"))]);
    let (guests, here) = (url(theirs.path()), url(plain.path()));
    let skipping = with(of_guest(&guests, "b.yaml"), "skip_install", json!(["deps"]));
    let named = json!([of_guest(&guests, "a.yaml"), of_guest(&guests, "b.yaml")]);
    let mut own = steps(&["ls"]);
    own["install"] = json!({"deps": ["socat"], "steps": ["make"]});
    for (first, named, expected) in [
        (inline(0, "d", own.clone()), &named, "socat iperf3 ethtool"),
        (inline(0, "d", steps(&["ls"])), &named, "iperf3 socat ethtool"),
        (git(0, "d", &here, "own.yaml"), &named, "curl socat iperf3 ethtool"),
        (with(git(0, "d", &here, "own.yaml"), "deps", json!(["jq"])), &named, "curl socat jq iperf3 ethtool"),
        (git(0, "d", &here, "own.yaml"), &json!([skipping]), "curl socat"),
    ] {
        let second = git(1, "second", &here, "own.yaml");
        let [first, second] = installs(host(json!([first, second]), named.clone()), ["0_d", "1_second"]);
        assert_eq!(first.lines().next().unwrap(), format!("lava-install-packages {expected} || exit"));
        assert_eq!(second, "lava-install-packages curl socat || exit\n");
    }
    // The guests are on the host's board: its operating system is theirs.
    let mut message = host(json!([inline(0, "d", steps(&["ls"]))]), named);
    message["data"]["actions"][0]["os"] = json!("debian");
    assert_eq!(installs(message, ["0_d"]), ["lava-install-packages iperf3 socat dnsutils ethtool || exit\n"]);
}

#[test]
fn a_guests_definition_that_cannot_be_read_is_a_warning_of_the_host() {
    let theirs = repository_of(&[("a.yaml", &installing("deps: [socat]")), ("list.yaml", "- a\n")]);
    let (here, out) = (url(theirs.path()), tempfile::tempdir().unwrap());
    let named = json!([
        of_guest("file:///no/such.git", "a.yaml"),
        of_guest(&here, "list.yaml"),
        of_guest(&here, "none.yaml"),
        of_guest(&here, "a.yaml"),
    ]);
    let definition = inline(0, "d", steps(&["ls"]));
    let packed = pack(&stream(&[host(json!([definition.clone()]), named.clone())]), out.path());
    let warning = "overlay-pack: warning: packages of a guest are not installed by the role 'server': cannot";
    let expected = format!(
        "\
{warning} fetch the definition 'theirs' ('a.yaml' of 'file:///no/such.git'): '/no/such.git' does not appear to be a git repository
{warning} use the definition 'theirs' ('list.yaml' of '{here}'): it is a list, not a map
{warning} use the definition 'theirs' ('none.yaml' of '{here}'): cannot open it: No such file or directory
"
    );
    assert_eq!((&packed.stderr, packed.status), (&expected, 0));
    let script = member(&packed.overlay(0), "lava-4212/0/tests/0_d/install.sh");
    assert_eq!(script, "lava-install-packages socat || exit\n");
    // Where no packages are to be installed, the repositories are not looked at.
    let skipping = with(definition, "skip_install", json!(["deps"]));
    let packed = pack(&stream(&[host(json!([skipping]), named)]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
}

#[test]
fn a_guests_repository_that_does_not_answer_does_not_hold_the_host_up_for_good() {
    let (fake, path) = fake_git("exec sleep 1000");
    let out = tempfile::tempdir().unwrap();
    let named = json!([of_guest("https://h/r.git", "a.yaml")]);
    let mut message = host(json!([inline(0, "d", steps(&["ls"]))]), named);
    message["data"]["actions"][0]["timeout"] = json!(1);
    let packed = overlay_pack(&stream(&[message]), &["-o", out.path().to_str().unwrap()], &[("PATH", &path)]);
    assert_killed(&fake);
    let reason = "cannot fetch the definition 'theirs' ('a.yaml' of 'https://h/r.git'): out of time";
    let told = format!("overlay-pack: warning: packages of a guest are not installed by the role 'server': {reason}\n");
    assert_eq!((packed.stderr, packed.status, packed.lines.len()), (told, 0, 2));
}
