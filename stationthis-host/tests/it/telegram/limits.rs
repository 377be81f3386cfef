//! What Telegram's limits and refusals make of it.

use std::time::{Duration, Instant};

use stationthis_comfydeploy::sim::{Misbehaviour, SimTiming};
use stationthis_core::store::{NoticeQuery, NoticeState};

use super::fake::Manner;
use super::rules::Refusal;
use super::{ANA, BEN, GROUP, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_of_a_group_stay_within_its_limits() {
    let timing = SimTiming { per_node: Duration::from_millis(20), ..SimTiming::instant() };
    let scene = Scene::new(timing).await;
    let runs: Vec<i64> = (0..12).map(|n| scene.write(GROUP, ANA, &format!("/sdxl_portrait fox {n}"))).collect();
    for run in runs {
        assert_eq!(scene.said(GROUP, run, 1).await.shows.len(), 1);
    }
    // The status messages follow, last of all.
    let ended = |state: &super::fake::State| {
        let open = state.world.of_bot(GROUP).filter(|said| said.buttons.is_some()).count();
        (open == 0).then_some(())
    };
    scene.fake.until("all status messages to say the end", ended).await;
    assert_eq!(scene.fake.state().floods, 0);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_telegram_asks_for_is_kept_by_the_whole_chat() {
    let scene = Scene::new(SimTiming::instant()).await;
    scene.ask(ANA.0, ANA, "/status").await;
    let heard = |who: i64| scene.fake.state().world.of_bot(who).count();
    let before = heard(ANA.0);
    scene.fake.manner("", Manner::Refuse(Refusal::flood(3)));
    let asked = Instant::now();
    let (first, second) = (scene.write(ANA.0, ANA, "/start"), scene.write(ANA.0, ANA, "/cost"));
    // The refusal is hers before he asks.
    scene.fake.until("the refusal", |state| state.manners.is_empty().then_some(())).await;
    let other = scene.write(BEN.0, BEN, "/status");
    scene.said(BEN.0, other, 0).await;
    assert_eq!(heard(ANA.0), before, "another chat does not wait");
    scene.said(ANA.0, first, 0).await;
    scene.said(ANA.0, second, 0).await;
    assert!(asked.elapsed() >= Duration::from_secs(3), "it waits as long as it was asked to");
    let refused = scene.fake.calls("sendMessage").iter().filter(|call| call.answer["ok"] == false).count();
    assert_eq!(refused, 1, "nothing was tried in between");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_refused_for_now_comes_later_from_where_the_output_is_then() {
    let scene = Scene::new(SimTiming::instant()).await;
    // By then the signature in the URL has ended.
    let presigned_urls = Some(Duration::from_secs(1));
    scene.sim.sim.set_misbehaviour(Misbehaviour { presigned_urls, ..Misbehaviour::default() });
    scene.fake.manner("sendPhoto", Manner::Refuse(Refusal::flood(2)));
    let run = scene.write(ANA.0, ANA, "/sdxl_portrait a fox");
    assert_eq!(scene.said(ANA.0, run, 1).await.shows.len(), 1);
    assert_eq!(scene.fake.calls("sendPhoto").len(), 2);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_where_the_bot_was_thrown_out() {
    let scene = Scene::new(SimTiming::instant()).await;
    scene
        .fake
        .manner("sendMessage", Manner::Refuse(Refusal::new(403, "Forbidden: bot was kicked from the group chat")));
    scene.fake.manner("sendPhoto", Manner::Refuse(Refusal::new(403, "Forbidden: bot was kicked from the group chat")));
    scene.write(GROUP, ANA, "/sdxl_portrait a fox");
    let dead = NoticeQuery { state: Some(NoticeState::Dead), ..NoticeQuery::default() };
    let found = async {
        loop {
            let page = scene.caller(ANA).notices(dead.clone()).await.unwrap();
            if let Some(notice) = page.notices.into_iter().next() {
                return notice;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let notice = tokio::time::timeout(Duration::from_secs(20), found).await.expect("a dead notice");
    assert_eq!(notice.reason.as_deref(), Some("There is nobody at this address."));
    assert_eq!(scene.fake.calls("sendPhoto").len(), 1);
    scene.end().await;
}
