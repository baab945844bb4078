//! What is to be played, and the playing.

use crate::account::Account;
use crate::case::{Case, Row};
use crate::judge::{Outcome, judge};
use crate::lab::Lab;
use crate::tap::Tap;
use crate::{faults, guests, strikes, table};
use pumice_tests::random::Random;
use std::io::{Error, Result};
use std::process::Command;

/// The command line.
pub struct Plan {
    seed: u64,
    only: String,
    full: bool,
    table: bool,
    /// Runs with random delays.
    delays: Option<u64>,
}

/// Runs with random delays in a sample.
const DELAYS: u64 = 4;

impl Plan {
    /// Reads the arguments.
    pub fn of(arguments: &[String]) -> Self {
        let value = |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1);
        let number = |name: &str| value(name).and_then(|text| text.parse().ok());
        let has = |name: &str| arguments.iter().any(|word| word == name);
        let only = value("--only").map_or("", String::as_str).to_owned();
        let seed = number("--seed").unwrap_or(3);
        Self { seed, only, full: has("--full"), table: has("--table"), delays: number("--delays") }
    }

    /// Plays it.
    ///
    /// # Errors
    /// When the lab fails; a run that does not end as it has to is a point that failed.
    pub fn play(&self) -> Result<()> {
        // What others do in /tmp is none of the runs'.
        Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/tmp"]).status()?;
        let mut lab = Lab::new(self.seed)?;
        lab.measure()?;
        let usual = lab.measure()?;
        if usual.status != Some(0) {
            return Err(Error::other(format!("an undisturbed run ends with {:?}: {}", usual.status, usual.said)));
        }
        println!("# seed {}; an undisturbed run takes {:.1} s", self.seed, usual.took().as_secs_f64());
        let mut tap = Tap::default();
        match (self.table, self.delays) {
            (true, _) => self.make_table(&mut lab, &usual, &mut tap),
            (false, Some(count)) => {
                tap.plan(count as usize + 1);
                self.play_delays(count, &mut lab, &usual, &mut tap)
            }
            (false, None) => self.play_endings(&mut lab, &usual, &mut tap),
        }
    }

    fn cases(&self, signals: usize, kills: usize) -> Vec<Case> {
        let mut cases = strikes::all(signals, kills, &mut Random::new(self.seed));
        cases.extend(faults::all());
        cases.retain(|case| case.row.cause.contains(&self.only));
        cases
    }

    fn play_endings(&self, lab: &mut Lab, usual: &Account, tap: &mut Tap) -> Result<()> {
        let cases = if self.full { self.cases(20, 10) } else { self.cases(1, 1) };
        let delays = if self.full || !self.only.is_empty() { 0 } else { DELAYS };
        tap.plan(cases.len() + if delays > 0 { delays as usize + 1 } else { 0 } + 1);
        tap.point("the page has these endings", &self.page()?);
        for case in &cases {
            play_ending(case, lab, usual, tap)?;
        }
        if delays > 0 { self.play_delays(delays, lab, usual, tap) } else { Ok(()) }
    }

    /// What differs between mn-exit(7) and the cases.
    fn page(&self) -> Result<Vec<String>> {
        let all = Self { only: String::new(), ..*self };
        let rows = rows(&table::one_of_each(all.cases(1, 1)));
        let differs = table::of_page()? != table::render(&rows);
        Ok(differs.then(|| "mn-exit(7) is another: make endings-table".to_owned()).into_iter().collect())
    }

    /// Plays one of each, and makes the table of what was seen.
    fn make_table(&self, lab: &mut Lab, usual: &Account, tap: &mut Tap) -> Result<()> {
        let cases = table::one_of_each(self.cases(1, 1));
        tap.plan(cases.len());
        for case in &cases {
            // A moment at which the cause is one.
            while play_ending(case, lab, usual, tap)? != Outcome::Caused {}
        }
        if tap.any_failed() {
            return Err(Error::other("not all endings were as they have to be: the table stays as it was"));
        }
        table::into_page(&rows(&cases))
    }

    fn play_delays(&self, count: u64, lab: &mut Lab, usual: &Account, tap: &mut Tap) -> Result<()> {
        let (case, order) = guests::cut_off();
        let account = lab.play(&case, Some(order))?;
        let seen = guests::judge(&account, &usual.records, guests::Sync::None);
        let unseen = !seen.iter().any(|line| line.starts_with(guests::CUT_OFF));
        let unseen = unseen.then(|| "nobody has noticed".to_owned());
        tap.point(&format!("{} is seen", case.name()), &unseen.into_iter().collect::<Vec<_>>());
        seen.iter().for_each(|line| println!("# seen: {line}"));
        for seed in (self.seed * 1000..).take(count as usize) {
            let case = guests::case(seed);
            let account = lab.play(&case, Some(guests::order(seed)))?;
            let wrong = guests::judge(&account, &usual.records, guests::sync(seed));
            report(&case.name(), "", wrong, &account, lab, tap);
        }
        Ok(())
    }
}

fn rows(cases: &[Case]) -> Vec<Row> {
    cases.iter().map(|case| case.row.clone()).collect()
}

fn play_ending(case: &Case, lab: &mut Lab, usual: &Account, tap: &mut Tap) -> Result<Outcome> {
    let account = lab.play_until_hit(case)?;
    let (outcome, wrong) = judge(case, &account, &usual.records);
    let how = match outcome {
        Outcome::Caused => "",
        Outcome::Early => ", before there were members",
        Outcome::Decided => ", after all was done",
    };
    report(&case.name(), how, wrong, &account, lab, tap);
    Ok(outcome)
}

fn report(name: &str, how: &str, mut wrong: Vec<String>, account: &Account, lab: &Lab, tap: &mut Tap) {
    if !wrong.is_empty() {
        wrong.extend(account.said.lines().map(|line| format!("| {line}")));
        lab.keep(&name.replace(['/', ' ', '\''], "-"));
    }
    let struck = account.struck.and_then(|at| at.duration_since(account.began).ok());
    let struck = struck.map(|after| format!(", struck after {:.3} s", after.as_secs_f64())).unwrap_or_default();
    let status = account.status.map_or("none".to_owned(), |status| status.to_string());
    let took = account.took().as_secs_f64();
    tap.point(&format!("{name} (status {status}, {took:.1} s{struck}{how})"), &wrong);
}
