//! Device dictionaries: YAML with the keys of LAVA's rendered ones.

use crate::context;
use crate::findings::Findings;
use crate::read::{mapping, object, text, texts};
use crate::timeouts::{self, Named};
use mn_console::pacing::Pacing;
use mn_msg::Object;
use mn_msg::role::{Device, Login};
use mn_yaml::{Kind, Mapping, Node};
use std::collections::BTreeMap;

/// The dictionary of one board.
#[derive(Debug)]
pub struct Dictionary {
    /// The whole of it; a boot method is looked up when a job names it.
    pub root: Mapping,
    /// The timeouts of actions by their names.
    pub timeouts: Named,
    /// Whether guests can log in by ssh; the numbers of LAVA's actions depend on it.
    pub has_ssh: bool,
    device: Device,
    results_dir: String,
}

/// Reads a dictionary for a board of the type `device_type`.
pub fn read(document: &mn_yaml::Document, device_type: &str, findings: &mut Findings) -> Option<Dictionary> {
    for warning in &document.warnings {
        findings.warn(warning.position, warning.message.clone());
    }
    let root = findings.ok(document.root.as_map())?;
    let own_type = text(root, "devicetype", findings).unwrap_or_else(|| device_type.to_owned());
    if own_type != device_type {
        findings
            .warn(root.position(), format!("the dictionary is of the device type '{own_type}', not '{device_type}'"));
    }
    let posix = at(root, &["constants", "posix"]);
    let methods = at(root, &["actions", "deploy", "methods"]);
    let target = at(root, &["parameters", "interfaces", "target"]);
    let device = Device {
        hostname: crate::read::require_text(root, "hostname", findings).unwrap_or_default(),
        device_type: own_type,
        connect: connect(root, findings),
        commands: commands(root, findings),
        undo: undo(root, findings),
        character_delays: character_delays(root, findings),
        target_ip: target.and_then(|map| text(map, "ip", findings)),
        target_mac: target.and_then(|map| text(map, "mac", findings)),
        pacing: pacing(root, findings),
        shell: posix.and_then(|map| text(map, "lava_test_sh_cmd", findings)).unwrap_or_else(|| "/bin/sh".to_owned()),
        results_dir: String::new(),
        ssh: login(methods, findings),
        environment: environment(root, findings),
        device_info: root.get("device_info").map(Node::value),
        static_info: root.get("static_info").map(Node::value),
        storage_info: root.get("storage_info").map(Node::value),
    };
    let timeouts = mapping(root, "timeouts", findings);
    Some(Dictionary {
        timeouts: timeouts.map(|map| timeouts::read_named(map, "actions", None, findings)).unwrap_or_default(),
        has_ssh: methods.is_some_and(|map| map.get("ssh").is_some()),
        results_dir: results_dir(posix, findings),
        root: root.clone(),
        device,
    })
}

/// The mapping below a path of keys, if all of them are there.
pub fn at<'a>(map: &'a Mapping, path: &[&str]) -> Option<&'a Mapping> {
    path.iter().try_fold(map, |map, key| map.get(key)?.as_map().ok())
}

impl Dictionary {
    /// The board's name.
    pub fn hostname(&self) -> &str {
        &self.device.hostname
    }

    /// Milliseconds between the characters typed in the section `boot` or `test`.
    pub fn character_delay(&self, section: &str) -> u64 {
        self.device.character_delays.get(section).copied().unwrap_or(0)
    }

    /// The names of its commands.
    pub fn commands(&self) -> impl Iterator<Item = &str> + Clone {
        self.device.commands.keys().map(String::as_str)
    }

    /// Whether the dictionary has this command.
    pub fn has_command(&self, name: &str) -> bool {
        self.device.commands.contains_key(name)
    }

    /// What the member `job_id` on this board gets to know of it; its context has the last word.
    pub fn for_host(&self, job_id: &str, context: Option<&Object>) -> Device {
        let own = context::text(context, "lava_test_results_dir").filter(|pattern| is_results_dir(pattern));
        let pattern = own.as_ref().unwrap_or(&self.results_dir);
        let mut delays = self.device.character_delays.clone();
        for section in ["boot", "test"] {
            if let Some(delay) = context::number(context, &format!("{section}_character_delay")) {
                delays.insert(section.to_owned(), delay.min(60_000));
            }
        }
        Device { results_dir: pattern.replacen("%s", job_id, 1), character_delays: delays, ..self.device.clone() }
    }

    /// What a secondary connection gets to know: nothing of the console, power and addresses.
    pub fn for_guest(&self, job_id: &str, context: Option<&Object>) -> Device {
        Device {
            connect: None,
            commands: BTreeMap::new(),
            undo: BTreeMap::new(),
            character_delays: delays(0, 0),
            target_ip: None,
            target_mac: None,
            pacing: None,
            environment: None,
            device_info: None,
            static_info: None,
            storage_info: None,
            ..self.for_host(job_id, context)
        }
    }
}

/// `commands.connect`, or of `commands.connections` the primary or only one; as a console's specification.
fn connect(root: &Mapping, findings: &mut Findings) -> Option<String> {
    let commands = mapping(root, "commands", findings)?;
    let (single, several) = (commands.entry("connect"), mapping(commands, "connections", findings));
    let command = match (single, several) {
        (Some(entry), Some(_)) => {
            findings.error(entry.key_position, "'connect' and 'connections' exclude each other: remove one");
            return None;
        }
        (Some(entry), None) => findings.ok(entry.value.as_str())?.to_owned(),
        (None, Some(map)) => primary(map, findings)?,
        (None, None) => return None,
    };
    let kinds = ["exec:", "unix:", "tcp:", "telnet:", "rfc2217:", "pty:", "share:", "/dev/"];
    let is_specification = kinds.iter().any(|start| command.starts_with(start));
    Some(if is_specification { command } else { format!("exec:{command}") })
}

fn primary(connections: &Mapping, findings: &mut Findings) -> Option<String> {
    let entries = connections.entries();
    let is_primary = |map: &Mapping| match map.get("tags").map(Node::kind) {
        Some(Kind::Sequence(tags)) => tags.iter().any(|tag| tag.as_str() == Ok("primary")),
        _ => false,
    };
    let mut tagged = entries.iter().filter_map(|entry| entry.value.as_map().ok()).filter(|map| is_primary(map));
    let chosen = match (tagged.next(), tagged.next(), entries) {
        (Some(map), None, _) => map,
        (None, _, [only]) => findings.ok(only.value.as_map())?,
        _ => {
            findings.error(connections.position(), "one of several connections must be tagged 'primary'");
            return None;
        }
    };
    crate::read::require_text(chosen, "connect", findings)
}

fn commands(root: &Mapping, findings: &mut Findings) -> BTreeMap<String, Vec<String>> {
    let mut commands = BTreeMap::new();
    let Some(map) = mapping(root, "commands", findings) else { return commands };
    for entry in at(root, &["commands", "users"]).map(Mapping::entries).unwrap_or_default() {
        let Some(user) = findings.ok(entry.value.as_map()) else { continue };
        if findings.ok(user.require("do")).is_some() {
            commands.extend(lines(user, "do", findings).map(|lines| (entry.key.clone(), lines)));
        }
    }
    // These come last: a command of the users does not replace one of them.
    for name in ["hard_reset", "power_off", "power_on", "pre_os_command", "pre_power_command"] {
        commands.extend(lines(map, name, findings).map(|lines| (name.to_owned(), lines)));
    }
    commands
}

/// What undoes the commands of the users, which LAVA calls at a job's end.
fn undo(root: &Mapping, findings: &mut Findings) -> BTreeMap<String, Vec<String>> {
    let users = at(root, &["commands", "users"]).map(Mapping::entries).unwrap_or_default();
    let of = |entry: &mn_yaml::Entry| Some((entry.key.clone(), lines(entry.value.as_map().ok()?, "undo", findings)?));
    users.iter().filter_map(of).collect()
}

/// The command lines of a key; none where there is no command.
fn lines(map: &Mapping, key: &str, findings: &mut Findings) -> Option<Vec<String>> {
    let node = map.get(key).filter(|node| !node.is_null())?;
    let mut lines = texts(node, findings);
    lines.retain(|line| !line.is_empty());
    Some(lines).filter(|lines| !lines.is_empty())
}

fn character_delays(root: &Mapping, findings: &mut Findings) -> BTreeMap<String, u64> {
    let map = mapping(root, "character_delays", findings);
    let mut delay = |section: &str| {
        let node = map?.get(section)?;
        let delay = findings.ok(node.as_int())?;
        if !(0..=60_000).contains(&delay) {
            findings.error(node.position(), format!("character delay {delay} is not 0 to 60000 milliseconds"));
        }
        u64::try_from(delay).ok()
    };
    delays(delay("boot").unwrap_or(0), delay("test").unwrap_or(0))
}

/// How the console is typed on, a key of ours.
fn pacing(root: &Mapping, findings: &mut Findings) -> Option<String> {
    let node = root.get("pacing").filter(|node| !node.is_null())?;
    let text = findings.ok(node.as_str())?;
    if let Err(why) = text.parse::<Pacing>() {
        findings.error(node.position(), format!("cannot use the pacing '{text}': {why}"));
    }
    Some(text.to_owned())
}

fn delays(boot: u64, test: u64) -> BTreeMap<String, u64> {
    [("boot".to_owned(), boot), ("test".to_owned(), test)].into()
}

/// The overlay's directory, with `%s` for the job id.
fn results_dir(posix: Option<&Mapping>, findings: &mut Findings) -> String {
    let pattern = posix.and_then(|map| text(map, "lava_test_results_dir", findings));
    let Some(pattern) = pattern else { return "/lava-%s".to_owned() };
    if !is_results_dir(&pattern) {
        let at = posix.and_then(|map| map.get("lava_test_results_dir")).map(Node::position);
        let text = format!("results directory '{pattern}' is not an absolute path with one %s for the job id");
        findings.error(at.unwrap_or(mn_yaml::Position::START), text);
    }
    pattern
}

/// An absolute path with one place for the job id.
fn is_results_dir(pattern: &str) -> bool {
    pattern.starts_with('/') && pattern.matches('%').count() == 1 && pattern.contains("%s")
}

/// The keys of `actions.deploy.methods.ssh`; a port may be written as text.
fn login(methods: Option<&Mapping>, findings: &mut Findings) -> Login {
    let mut login = Login { user: "root".to_owned(), port: 22 };
    let Some(ssh) = methods.and_then(|methods| at(methods, &["ssh"])) else { return login };
    if let Some(user) = text(ssh, "user", findings).filter(|user| !user.is_empty()) {
        login.user = user;
    }
    if let Some(node) = ssh.get("port").filter(|node| !node.is_null()) {
        let value = node.value();
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        match number.and_then(|number| u16::try_from(number).ok()).filter(|port| *port != 0) {
            Some(port) => login.port = port,
            None => findings.error(node.position(), "'port' is not 1 to 65535"),
        }
    }
    login
}

/// LAVA's templates leave mappings without content: absent, then.
fn environment(root: &Mapping, findings: &mut Findings) -> Option<Object> {
    object(root, "environment", findings).filter(|map| !map.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(text: &str) -> (Dictionary, Findings) {
        let mut findings = Findings::new("board");
        let document = mn_yaml::parse(text.as_bytes()).unwrap();
        let dictionary = read(&document, "x", &mut findings).unwrap();
        (dictionary, findings)
    }

    #[test]
    fn a_dictionary_without_more_than_a_name_has_lavas_defaults() {
        let (dictionary, findings) = dictionary("hostname: a\ndevicetype: x\nactions: {deploy: {methods: {ssh: }}}\n");
        assert!(findings.error_lines().is_empty() && findings.warning_lines().is_empty());
        assert!(dictionary.has_ssh);
        let device = dictionary.for_host("42", None);
        assert_eq!((device.shell.as_str(), device.results_dir.as_str()), ("/bin/sh", "/lava-42"));
        assert_eq!((device.ssh.user.as_str(), device.ssh.port), ("root", 22));
        assert_eq!((device.connect, device.target_ip, device.environment), (None, None, None));
    }

    #[test]
    fn the_only_connection_needs_no_tag() {
        let text = "hostname: a\ncommands:\n  connections: {uart0: {connect: cu -l a}}\n  power_off: [pdu off, '']\n";
        let device = dictionary(text).0.for_host("1", None);
        assert_eq!(device.connect.as_deref(), Some("exec:cu -l a"));
        assert_eq!(device.commands["power_off"], ["pdu off"]);
    }

    #[test]
    fn a_pacing_is_the_consoles_and_is_checked() {
        let (dictionary, _) = dictionary("hostname: a\npacing: quiet:100,echo\n");
        assert_eq!(dictionary.for_host("1", None).pacing.as_deref(), Some("quiet:100,echo"));
        assert_eq!(dictionary.for_guest("2", None).pacing, None);
        let (_, findings) = self::dictionary("hostname: a\npacing: slow\n");
        let why = "cannot use the pacing 'slow': 'slow' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'";
        assert_eq!(findings.error_lines(), [format!("board:2:9: {why}")]);
    }

    #[test]
    fn a_console_is_a_specification_or_a_command() {
        for (text, console) in [
            ("telnet conserver 7012", "exec:telnet conserver 7012"),
            ("telnet:conserver:7012", "telnet:conserver:7012"),
            ("rfc2217:con:7012,9600n8", "rfc2217:con:7012,9600n8"),
            ("/dev/serial/by-id/usb-x,115200n8,rtscts", "/dev/serial/by-id/usb-x,115200n8,rtscts"),
            ("/usr/bin/console -f board", "exec:/usr/bin/console -f board"),
            ("share:host", "share:host"),
        ] {
            let several =
                "hostname: a\ncommands:\n  connections:\n    uart0: {connect: 'TEXT', tags: [primary, telnet]}\n";
            let text = format!("{several}    uart1: {{connect: x, tags: [ssh]}}\n").replace("TEXT", text);
            assert_eq!(dictionary(&text).0.for_host("1", None).connect.as_deref(), Some(console));
        }
    }

    #[test]
    fn a_dictionary_of_another_type_is_a_warning() {
        let (dictionary, findings) = dictionary("hostname: a\ndevicetype: y\n");
        assert_eq!(findings.warning_lines(), ["board:1:1: the dictionary is of the device type 'y', not 'x'"]);
        assert_eq!(dictionary.for_host("1", None).device_type, "y");
    }
}
