use super::*;

const PERSON: i64 = 7;
const GROUP: i64 = -7;

async fn after(from: Instant) -> u128 {
    (Instant::now() - from).as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_chat_gets_a_message_a_second() {
    let (pace, from) = (Pace::new(Limits::default()), Instant::now());
    for second in 0..5 {
        pace.turn(PERSON, 1).await;
        assert_eq!(after(from).await, second * 1000);
    }
    pace.turn(PERSON + 1, 1).await;
    assert_eq!(after(from).await, 4000, "another chat waits for none of it");
}

#[tokio::test(start_paused = true)]
async fn a_group_gets_eighteen_a_minute_and_edits_leave_a_third_of_it() {
    let (pace, from) = (Pace::new(Limits::default()), Instant::now());
    for _ in 0..12 {
        pace.turn(GROUP, 1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(pace.edit(GROUP), Err(from + Duration::from_secs(60)), "what is left is for new messages");
    for _ in 12..18 {
        pace.turn(GROUP, 1).await;
    }
    assert_eq!(after(from).await, 17_000);
    pace.turn(GROUP, 1).await;
    assert_eq!(after(from).await, 60_000);
}

#[tokio::test(start_paused = true)]
async fn all_chats_get_twenty_five_a_second() {
    let (pace, from) = (Pace::new(Limits::default()), Instant::now());
    for chat in 1..=60 {
        pace.turn(chat, 1).await;
    }
    assert_eq!(after(from).await, 2000);
}

#[tokio::test(start_paused = true)]
async fn an_album_counts_each_of_its_pictures() {
    let (pace, from) = (Pace::new(Limits::default()), Instant::now());
    pace.turn(GROUP, 10).await;
    pace.turn(GROUP, 1).await;
    assert_eq!(after(from).await, 10_000);
    pace.turn(GROUP, 8).await;
    assert_eq!(after(from).await, 60_000, "only seven are left of the minute");
}

#[tokio::test(start_paused = true)]
async fn what_takes_long_to_arrive_counts_from_then_on() {
    let (pace, from) = (Pace::new(Limits::default()), Instant::now());
    pace.turn(PERSON, 2).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    pace.arrived(PERSON, 2);
    pace.turn(PERSON, 1).await;
    assert_eq!(after(from).await, 7000);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_up_the_whole_chat_and_no_other() {
    let (pace, from) = (Pace::new(Limits::default()), Instant::now());
    pace.pause(PERSON, Duration::from_secs(86_400));
    pace.pause(PERSON, Duration::from_secs(5));
    assert_eq!(pace.edit(PERSON), Err(from + Duration::from_secs(86_400)), "a shorter one takes nothing back");
    pace.turn(PERSON + 1, 1).await;
    assert_eq!(after(from).await, 0);
    pace.turn(PERSON, 1).await;
    assert_eq!(after(from).await, 86_400_000);
}

#[tokio::test(start_paused = true)]
async fn messages_take_turns_and_edits_come_last() {
    let (pace, from) = (Arc::new(Pace::new(Limits::default())), Instant::now());
    pace.turn(PERSON, 1).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..3 {
        let (pace, order) = (Arc::clone(&pace), Arc::clone(&order));
        waiting.spawn(async move {
            pace.turn(PERSON, 1).await;
            order.lock().unwrap().push(n);
        });
        tokio::task::yield_now().await;
    }
    assert!(pace.edit(PERSON).is_err());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(pace.edit(PERSON).is_err(), "somebody still waits");
    waiting.join_all().await;
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
    assert_eq!(after(from).await, 3000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(pace.edit(PERSON), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded() {
    let pace = Pace::new(Limits::default());
    for chat in 1..=3000 {
        pace.turn(chat, 1).await;
    }
    assert!(pace.state().chats.len() <= CHATS_MAX + 2, "{}", pace.state().chats.len());
    assert!(pace.state().all.len() <= 25);
}
