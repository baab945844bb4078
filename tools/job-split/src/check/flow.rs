//! The roles side by side, and where they meet: as text, as an SVG picture, and for Mermaid.

use super::program::Doings;
use super::run::{Kind, Program, START, View, trace};
use super::stuck::program;
use std::fmt::Write;

/// How it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drawing {
    /// For a terminal.
    Text,
    /// A picture.
    Svg,
    /// A diagram for documents.
    Mermaid,
}

/// Something that happens, in the order in which it can.
#[derive(Debug, PartialEq)]
enum Event {
    /// A role says something to whom it may concern.
    Send(usize, String),
    /// A message of one role reaches another, or of several; a start is one too.
    Reach(Vec<usize>, usize, String),
    /// All meet.
    Meet(String),
    /// Something that cannot be followed.
    Open(usize, String),
    /// A role goes no further.
    Stop(usize, String),
}

/// Draws what the roles do.
pub fn draw(doings: &[Doings], drawing: Drawing) -> String {
    let programs: Vec<Program> = doings.iter().map(program).collect();
    let names: Vec<String> = doings.iter().map(|doings| title(&doings.role.name, doings.role.count)).collect();
    let events = events(&programs);
    match drawing {
        Drawing::Text => text(&names, &events),
        Drawing::Svg => svg(&names, &events),
        Drawing::Mermaid => mermaid(&names, &events),
    }
}

fn title(name: &str, count: u32) -> String {
    if count == 1 { name.to_owned() } else { format!("{name} ({count})") }
}

fn events(programs: &[Program]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut sent: Vec<(usize, String)> = Vec::new();
    let at = trace(programs, View::Plain, &mut |role, act| match &act.kind {
        Kind::Send => {
            sent.push((role, act.id.clone()));
            events.push(Event::Send(role, act.id.clone()));
        }
        Kind::Sync if events.last() == Some(&Event::Meet(act.id.clone())) => {}
        Kind::Sync => events.push(Event::Meet(act.id.clone())),
        Kind::Anything => events.push(Event::Open(role, act.id.clone())),
        Kind::Wait | Kind::WaitAll(_) | Kind::Start(_) => {
            let of = |sender: usize| match &act.kind {
                Kind::WaitAll(Some(of)) | Kind::Start(of) => programs[sender].role == *of,
                _ => true,
            };
            let mut from: Vec<usize> =
                sent.iter().filter(|(sender, id)| *id == act.id && of(*sender)).map(|(sender, _)| *sender).collect();
            from.dedup();
            events.push(Event::Reach(from, role, act.id.clone()));
        }
    });
    for (role, program) in programs.iter().enumerate() {
        events.extend(program.acts.get(at[role]).map(|act| Event::Stop(role, words(&act.kind, &act.id))));
    }
    events
}

fn words(kind: &Kind, id: &str) -> String {
    match kind {
        Kind::Send => format!("send {id}"),
        Kind::Wait => format!("wait {id}"),
        Kind::WaitAll(None) => format!("wait-all {id}"),
        Kind::WaitAll(Some(role)) => format!("wait-all {id} {role}"),
        Kind::Sync => format!("sync {id}"),
        Kind::Start(role) => format!("start by {role}"),
        Kind::Anything => "...".to_owned(),
    }
}

/// The cell of one role.
fn cell(names: &[String], event: &Event) -> (usize, String) {
    match event {
        Event::Send(role, id) => (*role, format!("send {id}")),
        Event::Reach(from, role, id) => {
            let from: Vec<&str> = from.iter().map(|from| names[*from].split(' ').next().unwrap_or_default()).collect();
            let what = if id == START { "start".to_owned() } else { format!("wait {id}") };
            (*role, format!("{what} <- {}", from.join(", ")))
        }
        Event::Meet(id) => (0, format!("== sync {id} ")),
        Event::Open(role, what) => (*role, format!("... {what}")),
        Event::Stop(role, what) => (*role, format!("STOPS: {what}")),
    }
}

fn text(names: &[String], events: &[Event]) -> String {
    let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
    let cells: Vec<(usize, String)> = events.iter().map(|event| cell(names, event)).collect();
    for ((role, cell), event) in cells.iter().zip(events) {
        if !matches!(event, Event::Meet(_)) {
            widths[*role] = widths[*role].max(cell.chars().count());
        }
    }
    let starts: Vec<usize> = widths.iter().scan(0, |at, width| Some(std::mem::replace(at, *at + width + 3))).collect();
    let whole = starts.last().copied().unwrap_or(0) + widths.last().copied().unwrap_or(0);
    let mut out = String::new();
    for (name, start) in names.iter().zip(&starts) {
        let pad = start - out.chars().count();
        out.push_str(&" ".repeat(pad));
        out.push_str(name);
    }
    out.push('\n');
    for ((role, cell), event) in cells.iter().zip(events) {
        let line = match event {
            Event::Meet(_) => format!("{cell:=<whole$}"),
            _ => format!("{:1$}{cell}", "", starts[*role]),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn mermaid(names: &[String], events: &[Event]) -> String {
    let mut out = "sequenceDiagram\n".to_owned();
    // A semicolon ends a statement, a number sign begins an entity.
    let safe = |text: &str| text.replace(';', ",").replace('#', "No. ").replace(['<', '>'], "");
    for (nth, name) in names.iter().enumerate() {
        let _ = writeln!(out, "    participant r{nth} as {}", safe(name));
    }
    let last = names.len().saturating_sub(1);
    for event in events {
        let line = match event {
            Event::Send(role, id) => format!("r{role}-)r{role}: send {}", safe(id)),
            Event::Reach(from, role, id) => {
                let arrow = |from: &usize| format!("r{from}->>r{role}: {}", safe(id));
                from.iter().map(arrow).collect::<Vec<_>>().join("\n    ")
            }
            Event::Meet(id) => format!("Note over r0,r{last}: sync {}", safe(id)),
            Event::Open(role, what) => format!("Note over r{role}: {}, not followed", safe(what)),
            Event::Stop(role, what) => format!("Note over r{role}: stops at {}", safe(what)),
        };
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// Pixels between roles, and between events.
const COLUMN: usize = 240;
const ROW: usize = 34;

fn svg(names: &[String], events: &[Event]) -> String {
    let x = |role: usize| COLUMN / 2 + role * COLUMN;
    let y = |row: usize| 60 + row * ROW;
    let (width, height) = (names.len() * COLUMN, y(events.len()) + 10);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"14\" text-anchor=\"middle\">\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
         markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
    );
    for (nth, name) in names.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x=\"{0}\" y=\"24\" font-weight=\"bold\">{1}</text><path d=\"M{0} 34V{height}\" stroke=\"#999\"/>",
            x(nth),
            xml(name)
        );
    }
    let label = |role: usize, row: usize, text: &str, colour: &str| {
        let (x, y) = (x(role), y(row) - 5);
        format!("<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{}</text>", xml(text))
    };
    for (row, event) in events.iter().enumerate() {
        let line = match event {
            Event::Send(role, id) => {
                let dot = format!("<circle cx=\"{}\" cy=\"{}\" r=\"4\"/>", x(*role), y(row));
                dot + &label(*role, row, &format!("send {id}"), "black")
            }
            Event::Reach(from, role, id) => {
                let arrow = |from: &usize| {
                    let (from, y, to) = (x(*from), y(row), x(*role));
                    format!("<path d=\"M{from} {y}H{to}\" stroke=\"black\" marker-end=\"url(#a)\"/>")
                };
                let arrows: String = from.iter().map(arrow).collect();
                arrows + &label(*role, row, id, "black")
            }
            Event::Meet(id) => {
                let (y, width) = (y(row), width - COLUMN);
                let bar =
                    format!("<rect x=\"{}\" y=\"{}\" width=\"{width}\" height=\"6\" fill=\"#36c\"/>", x(0), y - 3);
                format!("{bar}<text x=\"{}\" y=\"{}\">sync {}</text>", x(0) + width / 2, y - 7, xml(id))
            }
            Event::Open(role, what) => label(*role, row, &format!("{what}, not followed"), "#777"),
            Event::Stop(role, what) => label(*role, row, &format!("stops at {what}"), "#c00"),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out + "</svg>\n"
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
