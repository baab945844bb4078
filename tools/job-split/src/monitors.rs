//! `monitors` of a test block: results in what a board prints by itself.

use crate::findings::Findings;
use crate::read::{Keys, list, list_of_maps, object, pattern, place, require_text};
use crate::tests::check_reserved;
use mn_msg::role;
use mn_yaml::{Mapping, Position};

/// A monitor.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Where it stands.
    pub position: Position,
    /// As the message has it.
    pub message: role::Monitor,
}

/// Reads the monitors.
pub fn read(body: &Mapping, findings: &mut Findings) -> Option<Vec<Monitor>> {
    let items = list_of_maps(body, "monitors", findings)?;
    Some(items.into_iter().filter_map(|map| monitor(map, findings)).collect())
}

fn monitor(map: &Mapping, findings: &mut Findings) -> Option<Monitor> {
    let known = ["end", "expected", "fixupdict", "name", "pattern", "start"];
    Keys { of: "a monitor", known: &known, unsupported: &[] }.check(map, findings);
    let name = require_text(map, "name", findings);
    check_reserved(name.as_deref().unwrap_or_default(), place(map, "name"), findings);
    let mut awaited = |key: &str| require_text(map, key, findings).and_then(|_| pattern(map, key, findings));
    let (start, end) = (awaited("start"), awaited("end"));
    let results = require_text(map, "pattern", findings).filter(|pattern| check(pattern, map, findings));
    let expected = list(map, "expected", findings);
    let message = role::Monitor {
        fixupdict: object(map, "fixupdict", findings),
        name: name?,
        start: start?,
        end: end?,
        pattern: results?,
        expected,
    };
    Some(Monitor { position: map.position(), message })
}

/// Whether results can be looked for by this pattern.
fn check(pattern: &str, map: &Mapping, findings: &mut Findings) -> bool {
    let checked = mn_console::monitor::check(pattern);
    if let Err(reason) = &checked {
        findings.error(place(map, "pattern"), reason.clone());
    }
    checked.is_ok()
}
