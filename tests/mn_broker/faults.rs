//! The broker and its clients are killed at any point of a run of sixteen members.

use super::*;
use mn_ipc::{Call, Client, Failure, Object};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};

const MEMBERS: usize = 16;
/// Calls of a member, join and leave among them.
const STEPS: usize = 8;

/// What a call gave: what was returned, in an order of no chance, or the class of its error.
type Gave = Result<Value, String>;

/// Numbers that look like chance and are the same each time (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("small")
    }
}

/// What befalls a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The broker is killed when so many calls have begun, and started again.
    Broker {
        calls: usize,
    },
    /// A client dies before or after this call of it is sent, and another takes its place.
    Client {
        member: usize,
        step: usize,
        sent: bool,
    },
    /// A client dies before this call, and stays dead.
    Death {
        member: usize,
        step: usize,
    },
}

fn id(member: usize) -> String {
    (100 + member).to_string()
}

fn call(member: usize, step: usize) -> Call {
    let data = |value: String| Object::from_iter([("k".to_owned(), Value::from(value))]);
    let timeout = 25.0;
    match step {
        0 => Call::Join { member: id(member) },
        1 => Call::Send { message: "ready".into(), data: data(id(member)) },
        2 => Call::WaitAll { message: "ready".into(), role: None, timeout },
        3 | 6 => Call::Sync { message: "meet".into(), timeout },
        4 => Call::Send { message: format!("own-{member}"), data: data(format!("of {member}")) },
        5 => Call::Wait { message: format!("own-{}", (member + 1) % MEMBERS), timeout },
        _ => Call::Leave { member: None },
    }
}

fn plain(result: Result<Value, Failure>) -> Gave {
    match result {
        Ok(mut value) => {
            if let Some(list) = value.get_mut("messages").and_then(Value::as_array_mut) {
                list.sort_by_key(|sent| sent["from"].as_str().map(str::to_owned));
            }
            let secret = value.get("session").is_some();
            Ok(if secret { json!("joined") } else { value })
        }
        Err(Failure::Refused(class, _)) => Err(format!("{class:?}")),
        Err(Failure::Lost(text)) => Err(text),
    }
}

/// Plays one member to its end, or its death.
fn play(socket: &Path, member: usize, fault: Fault, connected: &Barrier, begun: &AtomicUsize) -> Vec<Gave> {
    let mut client = Client::connect(socket).expect("a broker");
    connected.wait();
    let mut gave = Vec::new();
    for step in 0..STEPS {
        begun.fetch_add(1, Ordering::SeqCst);
        if fault == (Fault::Death { member, step }) {
            return gave;
        }
        if let Fault::Client { member: victim, step: at, sent } = fault
            && (victim, at) == (member, step)
        {
            let session = client.session().expect("it has joined").to_owned();
            if sent {
                client.submit(call(member, step)).expect("submitted");
            }
            drop(client);
            let next_id = i64::try_from(step).expect("small") + 1;
            client = Client::resume(socket, &session, next_id).expect("another takes its place");
        }
        gave.push(plain(client.call(call(member, step))));
    }
    gave
}

/// A whole run: what each call of each member gave.
fn run(fault: Fault, delay: usize) -> Vec<Vec<Gave>> {
    let ids: Vec<String> = (0..MEMBERS).map(id).collect();
    let members: Vec<_> = ids.iter().map(|id| (id.as_str(), "node", None)).collect();
    let grace = if matches!(fault, Fault::Client { .. }) { "20" } else { "0" };
    let broker = Mutex::new(Broker::with_journal(&members, &["--grace", grace]));
    let socket = broker.lock().expect("ours").socket().to_owned();
    let (connected, begun) = (Barrier::new(MEMBERS), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (connected, begun, socket) = (&connected, &begun, &socket);
        let members: Vec<_> =
            (0..MEMBERS).map(|n| scope.spawn(move || play(socket, n, fault, connected, begun))).collect();
        if let Fault::Broker { calls } = fault {
            while begun.load(Ordering::SeqCst) < calls {
                std::thread::yield_now();
            }
            // A little later, so that it is in the midst of something.
            (0..delay).for_each(|_| std::hint::spin_loop());
            let mut broker = broker.lock().expect("ours");
            broker.crash();
            broker.start_again();
        }
        members.into_iter().map(|member| member.join().expect("it plays to its end")).collect()
    })
}

/// Runs with a fault end as this one does.
fn undisturbed() -> Vec<Vec<Gave>> {
    let gave = run(Fault::None, 0);
    assert!(gave.iter().all(|gave| gave.len() == STEPS && gave.iter().all(Result::is_ok)), "{gave:?}");
    gave
}

#[test]
fn a_hundred_crashes_of_the_broker_change_nothing() {
    let (expected, mut chance) = (undisturbed(), Chance(5));
    for _ in 0..100 {
        // Not the last leaves, after which nobody asks.
        let calls = 1 + chance.below(MEMBERS * (STEPS - 1));
        let (fault, delay) = (Fault::Broker { calls }, chance.below(60_000));
        assert_eq!(run(fault, delay), expected, "{fault:?}, {delay}");
    }
}

#[test]
fn sixty_clients_die_and_another_takes_their_place() {
    let (expected, mut chance) = (undisturbed(), Chance(7));
    for nth in 0..60 {
        let (member, step) = (chance.below(MEMBERS), 1 + chance.below(STEPS - 1));
        let fault = Fault::Client { member, step, sent: nth % 3 > 0 };
        assert_eq!(run(fault, 0), expected, "{fault:?}");
    }
}

#[test]
fn forty_clients_die_for_good_and_who_needed_them_is_told() {
    let mut chance = Chance(9);
    for _ in 0..40 {
        let (dead, at) = (chance.below(MEMBERS), 1 + chance.below(STEPS - 1));
        let fault = Fault::Death { member: dead, step: at };
        for (member, gave) in run(fault, 0).into_iter().enumerate().filter(|(member, _)| *member != dead) {
            let classes: Vec<&str> =
                gave.iter().map(|gave| gave.as_ref().map_or_else(|e| e.as_str(), |_| "")).collect();
            let needs = |step: usize| match step {
                2 => at <= 1,
                3 => at <= 3,
                5 => at <= 4 && (member + 1) % MEMBERS == dead,
                6 => at <= 6,
                _ => false,
            };
            let expected: Vec<&str> = (0..STEPS).map(|step| if needs(step) { "Left" } else { "" }).collect();
            assert_eq!(classes, expected, "member {member}: {fault:?}");
        }
    }
}
