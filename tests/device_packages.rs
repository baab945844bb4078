//! lava-install-packages and its kin, with package managers that only say what they are asked.

#![allow(clippy::unwrap_used)]

#[path = "device/board.rs"]
mod board;

use board::{Board, SHELLS, answer, inline, role, warning};
use pumice_tests::Outcome;
use serde_json::json;

/// A board of a job that names an os, or none, on which nothing but BusyBox and the fakes is found.
fn board(shell: usize, os: Option<&str>) -> Board {
    let shell = &SHELLS[shell];
    let mut message = role(shell.interpreter, "/tmp/lava-7", json!([inline("x", &["true"])]));
    if let Some(os) = os {
        message["data"]["actions"][0]["os"] = json!(os);
    }
    Board::with(shell, tempfile::tempdir().unwrap(), message)
}

fn alone(board: &Board, script: &str) -> Outcome {
    board.run_with("typed", &format!("PATH=/tmp/lava-7/bin:/mnt/fakes:/mnt/applets; {script}"))
}

/// The fakes of a manager: its command, and what says whether a package is installed.
struct Manager {
    name: &'static str,
    query: (&'static str, &'static str),
    asked: &'static str,
    listed: (&'static str, &'static str),
}

const MANAGERS: [Manager; 6] = [
    Manager {
        name: "apt-get",
        query: (
            "dpkg-query",
            "case $4 in there*) echo 'install ok installed' ;; gone) echo 'deinstall ok config-files' ;; *) exit 1 ;; esac",
        ),
        asked: "apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 update\napt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install -y -- new gone\n",
        listed: ("dpkg-query", "printf 'package: %s : %s\\n' a 1-2"),
    },
    Manager {
        name: "dnf",
        query: ("rpm", "case $2 in there*) echo $2-1 ;; *) exit 1 ;; esac"),
        asked: "dnf -y install new gone\n",
        listed: ("rpm", "printf 'package: %s : %s\\n' a 1-2"),
    },
    Manager {
        name: "apk",
        query: ("apk", ""),
        asked: "apk update\napk add new gone\n",
        listed: ("apk", "echo a-1-r2; echo b-c-2.0-r11"),
    },
    Manager {
        name: "opkg",
        query: ("opkg", ""),
        asked: "opkg update\nopkg install new gone\n",
        listed: ("opkg", "echo 'a - 1-2'"),
    },
    Manager {
        name: "pacman",
        query: ("pacman", ""),
        asked: "pacman -Syu --noconfirm --needed new gone\n",
        listed: ("pacman", "echo 'a 1-2'"),
    },
    Manager {
        name: "zypper",
        query: ("rpm", "case $2 in there*) echo $2-1 ;; *) exit 1 ;; esac"),
        asked: "zypper --non-interactive refresh\nzypper --non-interactive install new gone\n",
        listed: ("rpm", "printf 'package: %s : %s\\n' a 1-2"),
    },
];

/// Says what it is asked to change, and whether anything could be read from the terminal.
const SAYS: &str = "case \"$*\" in
'info -e there'* | '-Q there'*) exit 0 ;;
'info -e '* | '-Q '*) exit 1 ;;
'status there'*) printf 'Package: there\\nStatus: install ok installed\\n'; exit 0 ;;
'status gone') printf 'Package: gone\\nStatus: deinstall ok not-installed\\n'; exit 0 ;;
'status '*) exit 0 ;;
esac
echo \"${0##*/} $*\"; cat";

fn install(board: &Board, manager: &Manager) {
    let (query, answers) = manager.query;
    if query != manager.name {
        board.fake(query, answers);
    }
    board.fake(manager.name, SAYS);
}

#[test]
fn each_manager_is_asked_for_what_is_missing_and_for_nothing_else() {
    for (index, manager) in MANAGERS.iter().enumerate() {
        let board = board(index % SHELLS.len(), None);
        install(&board, manager);
        assert_eq!(alone(&board, "lava-install-packages there there2"), answer("", "", 0), "{}", manager.name);
        let asked = alone(&board, "lava-install-packages there new gone");
        assert_eq!(asked, answer(manager.asked, "", 0), "{}", manager.name);
        let (command, answers) = manager.listed;
        board.fake(command, answers);
        let listed =
            if manager.name == "apk" { "package: a : 1-r2\npackage: b-c : 2.0-r11\n" } else { "package: a : 1-2\n" };
        assert_eq!(alone(&board, "lava-installed-packages"), answer(listed, "", 0), "{}", manager.name);
    }
}

#[test]
fn what_cannot_be_installed_is_an_error_where_the_job_names_an_os() {
    for (shell, os) in [(0, None), (1, Some("debian")), (2, None), (3, Some("debian"))] {
        let board = board(shell, os);
        // Without an os they are warnings of the job.
        let given_up = |before: &str, reason: &str| {
            let text = format!("lava-install-packages: cannot install 'new': {reason}");
            match os {
                Some(_) => answer(before, &format!("{text}\n"), 1),
                None => answer(
                    &(before.to_owned() + &warning(&format!("{text}; going on without, as the job names no os"))),
                    "",
                    0,
                ),
            }
        };
        let none = "no package manager on this system (apt-get, dnf, yum, apk, opkg, pacman, zypper)";
        assert_eq!(alone(&board, "lava-install-packages new"), given_up("", none));
        board.fake("dpkg-query", "exit 1");
        board.fake("apt-get", "exit 100");
        let refresh = warning("lava-install-packages: cannot refresh the package index, trying without");
        let failed = given_up(&refresh, "apt-get ended with status 100");
        assert_eq!(alone(&board, "lava-install-packages new"), failed);
        let named = "lava-install-packages: '--force' is no name of a package\n";
        assert_eq!(alone(&board, "lava-install-packages --force"), answer("", named, 1));
    }
}

#[test]
fn keys_and_sources_are_added_where_the_job_names_an_os() {
    let board = board(0, Some("debian"));
    let no_apt = "lava-add-sources: cannot add 'ppa:x/y': no apt-get on this system\n";
    assert_eq!(alone(&board, "lava-add-sources ppa:x/y"), answer("", no_apt, 1));
    board.fake("apt-get", "");
    board.fake("dpkg-query", "echo 'install ok installed'");
    board.fake("add-apt-repository", "echo \"added $*\"");
    assert_eq!(alone(&board, "lava-add-sources ppa:x/y"), answer("added -y ppa:x/y\n", "", 0));
    let etc = "mkdir -p /tmp/apt/sources.list.d /tmp/apt/trusted.gpg.d; mount --bind /tmp/apt /etc/apt";
    let script = format!("{etc}; lava-add-sources deb http://h/d stable main; cat /etc/apt/sources.list.d/lava.list");
    assert_eq!(alone(&board, &script), answer("deb http://h/d stable main\n", "", 0));
    let script = format!("{etc}; echo '-----BEGIN' >/tmp/k.key; lava-add-keys /tmp/k.key; ls /etc/apt/trusted.gpg.d");
    assert_eq!(alone(&board, &script), answer("lava-k_key.asc\n", "", 0));
    assert_eq!(alone(&board, "lava-add-keys some-keyring"), answer("", "", 0));
}
