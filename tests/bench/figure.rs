//! One measured number, its goal, and what a user would use instead.

use serde_json::json;

/// What other tool was measured in the same run.
pub struct Peer {
    pub name: &'static str,
    /// Its value in the figure's unit; none when it was not run.
    pub value: Option<f64>,
}

/// What the number is to be.
#[derive(Clone, Copy)]
pub enum Goal {
    /// At most so many of the unit.
    AtMost(f64),
    /// At least so many.
    AtLeast(f64),
    /// No number was set; it is there to be compared.
    Open,
}

/// A number with its spread over the runs.
pub struct Figure {
    pub tool: &'static str,
    pub name: &'static str,
    pub unit: &'static str,
    pub peer: Peer,
    pub goal: Goal,
    /// One value a run.
    pub values: Vec<f64>,
}

impl Figure {
    /// The median.
    pub fn ours(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn spread(&self) -> [f64; 2] {
        let sorted = self.sorted();
        [sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN)]
    }

    fn met(&self) -> bool {
        match self.goal {
            Goal::AtMost(limit) => self.ours() <= limit,
            Goal::AtLeast(limit) => self.ours() >= limit,
            Goal::Open => true,
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::AtMost(limit) => format!("<= {limit}"),
            Goal::AtLeast(limit) => format!(">= {limit}"),
            Goal::Open => "-".into(),
        }
    }

    /// The first line of the table.
    pub fn heading() -> String {
        format!(
            "{:<14} {:<14} {:>8} {:<4} {:>17} {:>8} {:<4} peer",
            "tool", "name", "ours", "unit", "min..max", "goal", "met"
        )
    }

    /// The figure's line of the table.
    pub fn row(&self) -> String {
        let [min, max] = self.spread();
        let met = if self.met() { "yes" } else { "NO" };
        let peer = match self.peer.value {
            Some(value) => format!("{} {value:.2}", self.peer.name),
            None => format!("{} not run", self.peer.name),
        };
        let spread = format!("{min:.2}..{max:.2}");
        let (ours, goal) = (self.ours(), self.goal_text());
        format!(
            "{:<14} {:<14} {ours:>8.2} {:<4} {spread:>17} {goal:>8} {met:<4} {peer}",
            self.tool, self.name, self.unit
        )
    }

    /// The figure's line of bench.json.
    pub fn json(&self) -> String {
        json!({
            "tool": self.tool, "name": self.name, "unit": self.unit, "ours": round(self.ours()),
            "peer": self.peer.name, "peer_value": self.peer.value.map(round), "goal": self.goal_text(), "met": self.met(),
            "runs": self.values.len(), "spread": self.spread().map(round),
        })
        .to_string()
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
