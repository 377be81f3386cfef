//! Notices to receivers that are slow, dead, or have wishes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stationthis_core::notify::{Notice, Notifier, NotifyTarget, Receipt};
use stationthis_core::store::{MemoryStore, NoticeQuery, NoticeState, TaskStore};
use stationthis_core::task::event::Event;
use stationthis_core::testkit::{ManualClock, ScriptedProvider};
use stationthis_core::{
    Clock, Effect, Error, ErrorKind, NoticeId, Result, Retry, Station, TaskId, Timestamp, TokioClock,
};

use crate::bench::{caller, request};

/// What an address does; others deliver.
#[derive(Clone, Debug)]
enum Manner {
    Hangs,
    Answers(Receipt),
}

/// Every attempt with its time, and the manners of addresses.
#[derive(Debug)]
struct Pigeons {
    clock: Arc<dyn Clock>,
    manners: Mutex<BTreeMap<String, Manner>>,
    flown: Mutex<Vec<(String, NoticeId, Timestamp)>>,
}

impl Pigeons {
    fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, manners: Mutex::default(), flown: Mutex::default() })
    }

    fn set(&self, address: &str, manner: Manner) {
        self.manners.lock().unwrap().insert(address.to_owned(), manner);
    }

    fn to(&self, address: &str) -> Vec<(NoticeId, Timestamp)> {
        let flown = self.flown.lock().unwrap();
        flown.iter().filter(|(to, ..)| to == address).map(|(_, id, at)| (*id, *at)).collect()
    }
}

#[async_trait]
impl Notifier for Pigeons {
    fn channel(&self) -> &str {
        "pigeon"
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn destination(&self, address: &str) -> String {
        address.to_owned()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        let to = notice.target.address.clone();
        self.flown.lock().unwrap().push((to.clone(), notice.id, self.clock.now()));
        let manner = self.manners.lock().unwrap().get(&to).cloned();
        match manner {
            Some(Manner::Hangs) => std::future::pending().await,
            Some(Manner::Answers(receipt)) => receipt,
            None => Receipt::Delivered,
        }
    }
}

struct Loft {
    pigeons: Arc<Pigeons>,
    provider: ScriptedProvider,
    store: Arc<dyn TaskStore>,
    station: Station,
}

impl Loft {
    async fn new(clock: Arc<dyn Clock>) -> Self {
        let provider = ScriptedProvider::new().unwrap();
        let (pigeons, store) = (Pigeons::new(clock.clone()), Arc::new(MemoryStore::new()));
        let station = Station::builder()
            .provider(Arc::new(provider.clone()))
            .store(store.clone())
            .clock(clock)
            .notifier(pigeons.clone())
            .build()
            .unwrap();
        station.refresh().await.unwrap();
        Self { pigeons, provider, store, station }
    }

    /// Begins a task that ends at its submission.
    async fn run(&self, address: &str) -> TaskId {
        let refusal = Error::new(ErrorKind::InvalidInput, "submit run").with_retry(Retry::Never);
        self.provider.script().submits.push_back(Err(refusal.with_effect(Effect::No)));
        let request = request("x").with_notify(vec![NotifyTarget::new("pigeon", address)]);
        self.station.as_caller(caller("ada")).run(request).await.unwrap().task_id
    }

    async fn receipts(&self, task: TaskId) -> Vec<Receipt> {
        let events = self.station.admin().events_after(Some(task), 0).await.unwrap();
        let tried = events.into_iter().filter_map(|stored| match stored.event.what {
            Event::NoticeTried { receipt, target, .. } if target.channel == "pigeon" => Some(receipt),
            _ => None,
        });
        tried.collect()
    }
}

fn start() -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000)
}

#[tokio::test(start_paused = true)]
async fn a_burst_to_a_receiver_that_hangs_does_not_hold_up_another() {
    let clock = Arc::new(TokioClock::starting_at(start()));
    let loft = Loft::new(clock.clone()).await;
    loft.pigeons.set("hangs", Manner::Hangs);
    for _ in 0..300 {
        loft.run("hangs").await;
    }
    let handle = loft.station.start().await.unwrap();
    let under_way = async {
        while loft.pigeons.to("hangs").len() < 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), under_way).await.unwrap();
    let ended = loft.station.admin();
    let task = loft.run("other").await;
    let ended_at = ended.wait(task, Duration::from_secs(60)).await.unwrap().state.times.ended_at.unwrap();
    let delivered = async {
        while loft.pigeons.to("other").is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), delivered).await.unwrap();
    let waited = loft.pigeons.to("other")[0].1.since(ended_at);
    assert!(waited < Duration::from_secs(5), "{waited:?}: far less than one attempt, which takes 30 s");
    handle.shutdown(Duration::from_secs(60)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_is_not_hammered_and_is_served_again_when_it_is_well() {
    let clock = Arc::new(TokioClock::starting_at(start()));
    let loft = Loft::new(clock.clone()).await;
    let refusal = Receipt::Retry { after: None, reason: "It cannot be reached.".to_owned() };
    loft.pigeons.set("dead", Manner::Answers(refusal));
    let mut tasks = Vec::new();
    for _ in 0..200 {
        tasks.push(loft.run("dead").await);
    }
    let handle = loft.station.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let attempts = loft.pigeons.to("dead").len();
    // Eight that begin before it opens at most, then a probe after 30, 60, 120, 240 and each further 300 s.
    assert!((10..=24).contains(&attempts), "{attempts} attempts in an hour for 200 notices");
    let mut untouched = 0;
    for task in &tasks {
        untouched += usize::from(loft.receipts(*task).await.is_empty());
    }
    assert!(untouched > 170, "{untouched}: what was put off has no attempt counted");

    loft.pigeons.manners.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(4 * 3600)).await;
    for task in &tasks {
        assert_eq!(loft.receipts(*task).await.last(), Some(&Receipt::Delivered));
    }
    handle.shutdown(Duration::from_secs(60)).await.unwrap();
}

async fn pass(loft: &Loft, clock: &ManualClock, by: Duration) {
    clock.advance(by);
    while loft.station.tick().await.unwrap() > 0 {}
}

#[tokio::test]
async fn the_receivers_wish_is_honoured_up_to_a_day_and_never_shortens_a_pause() {
    for (wish_s, not_before_s, by_s) in [(0, 5, 6), (3, 5, 6), (120, 120, 121), (u64::MAX, 86_400, 86_401)] {
        let clock = Arc::new(ManualClock::starting_at(start()));
        let loft = Loft::new(clock.clone()).await;
        let after = Some(Duration::from_secs(wish_s));
        loft.pigeons.set("busy", Manner::Answers(Receipt::Retry { after, reason: "It answered 429.".to_owned() }));
        loft.run("busy").await;
        while loft.pigeons.to("busy").is_empty() {
            pass(&loft, &clock, Duration::from_secs(1)).await;
        }
        loft.pigeons.manners.lock().unwrap().clear();
        pass(&loft, &clock, Duration::from_micros(not_before_s * 1_000_000 - 1)).await;
        assert_eq!(loft.pigeons.to("busy").len(), 1, "a wish for {wish_s} s");
        pass(&loft, &clock, Duration::from_secs(by_s - not_before_s)).await;
        assert_eq!(loft.pigeons.to("busy").len(), 2, "a wish for {wish_s} s");
    }
}

#[tokio::test]
async fn a_notice_has_eight_attempts_over_28_hours_with_one_id_and_is_then_dead() {
    let clock = Arc::new(ManualClock::starting_at(start()));
    let loft = Loft::new(clock.clone()).await;
    let refusal = Receipt::Retry { after: None, reason: "It answered 500.".to_owned() };
    loft.pigeons.set("broken", Manner::Answers(refusal));
    let task = loft.run("broken").await;
    for _ in 0..40 * 60 {
        pass(&loft, &clock, Duration::from_secs(60)).await;
    }
    let flown = loft.pigeons.to("broken");
    assert_eq!((flown.len(), loft.receipts(task).await.len()), (8, 8));
    assert!(flown.iter().all(|(id, _)| *id == flown[0].0));
    let took = flown[7].1.since(flown[0].1).as_secs();
    // The pauses add up to 99,305 s, each up to a tenth longer, and a look each minute.
    assert!((99_305..110_000).contains(&took), "{took} s");
    let claim = stationthis_core::store::Claim {
        owner: "nobody".to_owned(),
        now: clock.now().plus(Duration::from_secs(1_000_000)),
        lease: Duration::ZERO,
        limit: 10,
    };
    assert!(loft.store.claim_notices(&claim).await.unwrap().items.is_empty(), "nothing is left to deliver");
}

#[tokio::test]
async fn an_end_that_is_final_is_not_tried_again() {
    for receipt in [Receipt::NoRecipient, Receipt::Permanent { reason: "This address is private.".to_owned() }] {
        let clock = Arc::new(ManualClock::starting_at(start()));
        let loft = Loft::new(clock.clone()).await;
        loft.pigeons.set("gone", Manner::Answers(receipt.clone()));
        let task = loft.run("gone").await;
        for _ in 0..100 {
            pass(&loft, &clock, Duration::from_secs(600)).await;
        }
        assert_eq!(loft.receipts(task).await, [receipt]);
    }
}

#[tokio::test]
async fn what_a_dead_receiver_is_owed_is_given_up_after_days_and_requeued_at_once_when_it_is_well() {
    let clock = Arc::new(ManualClock::starting_at(start()));
    let loft = Loft::new(clock.clone()).await;
    let refusal = Receipt::Retry { after: None, reason: "It cannot be reached.".to_owned() };
    loft.pigeons.set("dead", Manner::Answers(refusal));
    for _ in 0..300 {
        loft.run("dead").await;
    }
    let (admin, eve) = (loft.station.admin(), loft.station.as_caller(caller("eve")));
    let of = |state| NoticeQuery { state: Some(state), limit: 500, ..NoticeQuery::default() };
    let dead = async || {
        let page = admin.notices(of(NoticeState::Dead)).await.unwrap();
        page.notices.iter().filter(|notice| notice.target.channel == "pigeon").cloned().collect::<Vec<_>>()
    };
    for _ in 0..3 * 24 * 20 {
        pass(&loft, &clock, Duration::from_secs(180)).await;
    }
    let attempts = loft.pigeons.to("dead").len();
    assert!((700..900).contains(&attempts), "{attempts}: one each five minutes or so");
    assert!(dead().await.len() < 150, "not yet");
    // Those that were tried come back when their own pause is over, the last ones of them as probes.
    for _ in 0..36 * 20 {
        pass(&loft, &clock, Duration::from_secs(180)).await;
    }
    let given_up = dead().await;
    assert_eq!(given_up.len(), 300);
    let tried = loft.pigeons.to("dead").len();
    assert!(given_up.iter().any(|notice| notice.reason.as_deref().is_some_and(|reason| reason.contains("for days"))));

    // One more that fails, and the receiver is spared again.
    loft.run("dead").await;
    pass(&loft, &clock, Duration::from_secs(1)).await;
    assert_eq!(loft.pigeons.to("dead").len(), tried + 1);
    loft.pigeons.manners.lock().unwrap().clear();
    let (id, task) = (given_up[0].id, given_up[0].task_id);
    assert!(eve.notices(NoticeQuery::default()).await.unwrap().notices.is_empty());
    assert_eq!(eve.requeue_notice(task, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(admin.requeue_notice(given_up[1].task_id, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    let ada = loft.station.as_caller(caller("ada"));
    assert!(ada.requeue_notice(task, id).await.unwrap());
    assert_eq!(loft.station.tick().await.unwrap(), 1, "though its receiver was spared");
    assert_eq!(loft.receipts(task).await.last(), Some(&Receipt::Delivered));
    assert!(!ada.requeue_notice(task, id).await.unwrap(), "what was delivered is not sent again");
}
