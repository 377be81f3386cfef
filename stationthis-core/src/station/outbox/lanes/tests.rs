use super::*;
use crate::id::{NoticeId, TaskId};
use crate::notify::{NoticeKind, NotifyTarget};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn receiver(name: &str) -> Receiver {
    ("test".to_owned(), name.to_owned())
}

fn item(name: &str) -> OutboxItem {
    let task_id = TaskId::generate();
    let target = NotifyTarget::new("test", name);
    let id = NoticeId::derive(task_id, "finished", name);
    OutboxItem { id, task_id, kind: NoticeKind::Finished, target, attempts: 0, created_at: at(0) }
}

fn offered(lanes: &mut Lanes, name: &str, count: usize, now: Timestamp) -> usize {
    (0..count).filter(|_| lanes.take(receiver(name), item(name), now).is_none()).count()
}

fn started(work: &Work, name: &str) -> usize {
    work.start.iter().filter(|(receiver, _)| receiver.1 == name).count()
}

#[test]
fn a_receiver_has_four_at_a_time_and_others_are_not_held_up() {
    let mut lanes = Lanes::default();
    offered(&mut lanes, "slow", 100, at(0));
    let work = lanes.next(at(0));
    assert_eq!((work.start.len(), work.put_off.len()), (4, 0));
    offered(&mut lanes, "other", 1, at(1));
    assert_eq!(started(&lanes.next(at(1)), "other"), 1);
    lanes.end(&receiver("slow"), true, at(2));
    let work = lanes.next(at(2));
    assert_eq!((work.start.len(), started(&work, "slow")), (1, 1), "one in for one out");
}

#[test]
fn when_slots_are_short_those_with_the_least_under_way_come_first() {
    let mut lanes = Lanes::default();
    let names: Vec<String> = (0..IN_FLIGHT_MAX / 2).map(|n| format!("r{n:02}")).collect();
    for name in &names {
        offered(&mut lanes, name, 4, at(0));
    }
    let work = lanes.next(at(0));
    assert_eq!(work.start.len(), IN_FLIGHT_MAX);
    assert!(names.iter().all(|name| started(&work, name) == 2));
    offered(&mut lanes, "zz", 1, at(1));
    assert!(lanes.next(at(1)).start.is_empty());
    lanes.end(&receiver("r00"), true, at(1));
    assert_eq!(started(&lanes.next(at(1)), "zz"), 1);
}

#[test]
fn what_waits_is_bounded_for_each_and_for_all() {
    let mut lanes = Lanes::default();
    assert_eq!(offered(&mut lanes, "a", 1100, at(0)), WAITING_PER_RECEIVER);
    assert_eq!(lanes.take(receiver("a"), item("a"), at(0)).unwrap().until, at(10));
    for name in ["b", "c", "d"] {
        assert_eq!(offered(&mut lanes, name, 1024, at(0)), 1024);
    }
    assert_eq!(offered(&mut lanes, "e", 1, at(0)), 0);
    assert_eq!(lanes.next(at(0)).start.len(), 16);
    assert_eq!(offered(&mut lanes, "e", 17, at(0)), 16, "what began makes room");
}

#[test]
fn a_notice_goes_back_before_its_lease_is_too_short_for_an_attempt() {
    let mut lanes = Lanes::default();
    offered(&mut lanes, "slow", 6, at(0));
    assert_eq!(lanes.next(at(0)).start.len(), 4);
    assert_eq!(lanes.next(at(25)), Work::default());
    let work = lanes.next(at(26));
    assert_eq!((work.start.len(), work.put_off.len()), (0, 2));
    assert!(work.put_off.iter().all(|put_off| put_off.until == at(26) && !put_off.spared));
}

#[test]
fn a_receiver_that_does_not_answer_is_spared_then_probed_then_served_again() {
    let mut lanes = Lanes::default();
    offered(&mut lanes, "dead", 5, at(0));
    for _ in 0..5 {
        lanes.next(at(0));
        lanes.end(&receiver("dead"), false, at(0));
    }
    offered(&mut lanes, "dead", 3, at(1));
    let work = lanes.next(at(1));
    assert!(work.start.is_empty());
    assert!(work.put_off.iter().all(|put_off| put_off.until == at(30) && put_off.spared));
    assert_eq!(work.put_off.len(), 3);
    offered(&mut lanes, "dead", 3, at(30));
    assert_eq!(lanes.next(at(30)).start.len(), 1, "a probe");
    assert_eq!(lanes.next(at(31)), Work::default(), "the rest waits for what comes of it");
    lanes.end(&receiver("dead"), true, at(32));
    assert_eq!(lanes.next(at(32)).start.len(), 2);
}

#[test]
fn somebody_may_say_that_a_receiver_is_well_again() {
    let mut lanes = Lanes::default();
    offered(&mut lanes, "dead", 5, at(0));
    for _ in 0..5 {
        lanes.next(at(0));
        lanes.end(&receiver("dead"), false, at(0));
    }
    lanes.forgive(&receiver("dead"));
    offered(&mut lanes, "dead", 1, at(1));
    assert_eq!(lanes.next(at(1)).start.len(), 1);
}

#[test]
fn only_receivers_in_trouble_are_remembered_and_not_too_many() {
    let mut lanes = Lanes::default();
    let mut attempt = |name: &str, answered: bool| {
        offered(&mut lanes, name, 1, at(0));
        lanes.next(at(0));
        lanes.end(&receiver(name), answered, at(0));
        lanes.lanes.len()
    };
    assert_eq!(attempt("well", true), 0);
    for n in 0..REMEMBERED_MAX {
        attempt(&format!("r{n}"), false);
    }
    assert_eq!(attempt("one more", false), 0);
}
