//! Whose turn it is: so many requests of each group, then the next group's, so that one group's flood is no
//! other group's delay, and one member's no delay for ever of the others in its group.

use std::collections::{BTreeMap, BTreeSet};

/// Requests of one queue that are taken in one turn.
pub const REQUESTS: usize = 8;

/// Connections that share a number of requests in each turn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Those of a group.
    Group(String),
    /// Those that have not joined yet.
    Strangers,
    /// Those on LAVA's wire, which are there for one request each.
    Lava,
}

/// Who may have something to say.
#[derive(Debug, Default)]
pub struct Turns {
    ready: BTreeSet<u64>,
    /// Who was heard last, of each queue that has somebody.
    last: BTreeMap<Queue, u64>,
}

/// One turn.
#[derive(Debug)]
pub struct Turn {
    queues: Vec<(Queue, Vec<u64>)>,
    at: usize,
    /// Whom of the queue's connections comes next.
    next: usize,
    room: usize,
    last: BTreeMap<Queue, u64>,
}

impl Turns {
    /// A connection may have something to say.
    pub fn wake(&mut self, connection: u64) {
        self.ready.insert(connection);
    }

    /// A connection has nothing more to say for now, or is gone.
    pub fn rest(&mut self, connection: u64) {
        self.ready.remove(&connection);
    }

    /// Whether nobody has anything to say.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Begins a turn: in each queue with the one after whom was heard last.
    pub fn begin(&mut self, queue_of: impl Fn(u64) -> Queue) -> Turn {
        let mut queues: BTreeMap<Queue, Vec<u64>> = BTreeMap::new();
        for number in &self.ready {
            queues.entry(queue_of(*number)).or_default().push(*number);
        }
        let mut last = std::mem::take(&mut self.last);
        last.retain(|queue, _| queues.contains_key(queue));
        for (queue, numbers) in &mut queues {
            let heard = last.get(queue).map_or(0, |last| numbers.partition_point(|number| number <= last));
            numbers.rotate_left(heard);
        }
        Turn { queues: queues.into_iter().collect(), at: 0, next: 0, room: REQUESTS, last }
    }

    /// Ends a turn.
    pub fn end(&mut self, turn: Turn) {
        self.last = turn.last;
    }
}

impl Turn {
    /// Who is to be heard, and how many requests of it may be taken.
    pub fn next(&mut self) -> Option<(u64, usize)> {
        loop {
            let (queue, numbers) = self.queues.get(self.at)?;
            if let Some(number) = numbers.get(self.next).filter(|_| self.room > 0) {
                self.last.insert(queue.clone(), *number);
                self.next += 1;
                return Some((*number, self.room));
            }
            (self.at, self.next, self.room) = (self.at + 1, 0, REQUESTS);
        }
    }

    /// So many requests were taken of the one who was heard.
    pub fn took(&mut self, requests: usize) {
        self.room = self.room.saturating_sub(requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections with their group and how many requests they have.
    type Crowd = BTreeMap<u64, (&'static str, usize)>;

    fn turns(crowd: &Crowd) -> Turns {
        let mut turns = Turns::default();
        crowd.keys().for_each(|number| turns.wake(*number));
        turns
    }

    /// Plays one turn; gives whose requests were taken, in order.
    fn play(turns: &mut Turns, crowd: &mut Crowd) -> Vec<u64> {
        let mut taken = Vec::new();
        let mut turn = turns.begin(|number| Queue::Group(crowd[&number].0.to_owned()));
        while let Some((number, room)) = turn.next() {
            let left = &mut crowd.get_mut(&number).expect("it is there").1;
            let count = room.min(*left);
            *left -= count;
            if *left == 0 {
                turns.rest(number);
            }
            taken.extend(std::iter::repeat_n(number, count));
            turn.took(count);
        }
        turns.end(turn);
        taken
    }

    #[test]
    fn a_flood_of_many_connections_is_eight_requests_of_delay_in_another_group() {
        let mut crowd: Crowd = (1..=200).map(|number| (number, ("flood", 1_000_000))).collect();
        crowd.insert(201, ("meek", 1));
        crowd.insert(0, ("meek", 3));
        let taken = play(&mut turns(&crowd), &mut crowd);
        assert_eq!(taken.iter().filter(|number| (1..=200).contains(*number)).count(), REQUESTS);
        assert_eq!(taken.iter().filter(|number| **number == 0).count(), 3);
        assert_eq!(taken.iter().filter(|number| **number == 201).count(), 1, "all in the first turn");
    }

    #[test]
    fn each_of_many_groups_has_its_requests_in_each_turn() {
        let names = ["a", "b", "c", "d"];
        let mut crowd: Crowd =
            (0..4).map(|number| (number, (names[usize::try_from(number).expect("small")], 100))).collect();
        let mut turns = turns(&crowd);
        for _ in 0..5 {
            let taken = play(&mut turns, &mut crowd);
            assert!((0..4).all(|number| taken.iter().filter(|other| **other == number).count() == REQUESTS));
        }
    }

    #[test]
    fn one_members_flood_lets_the_others_of_its_group_have_their_turns() {
        let mut crowd: Crowd = (1..=5).map(|number| (number, ("one", 1_000_000))).collect();
        // Another group's request comes after it in each turn.
        crowd.insert(9, ("other", 1_000_000));
        let mut turns = turns(&crowd);
        let heard: BTreeSet<u64> = (0..5).flat_map(|_| play(&mut turns, &mut crowd)).collect();
        assert_eq!(heard, BTreeSet::from([1, 2, 3, 4, 5, 9]));
    }

    #[test]
    fn who_has_nothing_to_say_is_not_asked() {
        let mut crowd = Crowd::from([(1, ("a", 2))]);
        let mut turns = turns(&crowd);
        assert_eq!(play(&mut turns, &mut crowd), [1, 1]);
        assert!(turns.is_idle() && play(&mut turns, &mut crowd).is_empty());
    }
}
