//! Points of TAP.

/// Points as they come.
#[derive(Default)]
pub struct Tap {
    points: usize,
    failed: usize,
}

impl Tap {
    /// So many points will come.
    pub fn plan(&self, points: usize) {
        println!("1..{points}");
    }

    /// A point: right when nothing was wrong.
    pub fn point(&mut self, name: &str, wrong: &[String]) {
        self.points += 1;
        self.failed += usize::from(!wrong.is_empty());
        let word = if wrong.is_empty() { "ok" } else { "not ok" };
        println!("{word} {} - {name}", self.points);
        wrong.iter().flat_map(|text| text.lines()).for_each(|line| println!("# {line}"));
    }

    /// Whether any point failed.
    pub fn any_failed(&self) -> bool {
        self.failed > 0
    }
}
