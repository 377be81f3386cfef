//! The whole way: station, provider, and the scripted service over real HTTP.

use std::time::Duration;

use serde_json::json;
use stationthis_core::cost::UsageBasis;
use stationthis_core::provider::{RunRef, ServiceProvider};
use stationthis_core::task::event::{Event, Witness};
use stationthis_core::{TaskStatus, Timestamp};
use stationthis_tripo::sim::{Capacity, Faults, Refusal, SimConfig};

use crate::rig::Rig;

const H: &str = "text-to-model-v3.1-20260211";

/// 16.625 credits at 0.01 USD.
#[tokio::test]
async fn polls_alone_bring_the_end_and_its_exact_cost() {
    let discount = "0.83125".parse().unwrap();
    let rig = Rig::new(SimConfig { discount, ..SimConfig::instant() }, false).await;
    for as_text in [false, true] {
        rig.sim.sim.set_faults(Faults { credits_as_text: as_text, ..Faults::default() });
        let done = rig.end_of(&rig.run(H, json!({ "prompt": "a brass diving helmet" })).await).await;
        assert_eq!(done.state.status, TaskStatus::Completed);
        let settlement = done.state.settlement.unwrap();
        assert_eq!(done.quote.expected_usd.unwrap().to_string(), "0.200000000");
        assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.166250000");
        assert_eq!((settlement.basis, settlement.amount), (UsageBasis::Reported, "16.625".parse().ok()));
        let kinds: Vec<_> = done.state.outputs.iter().filter_map(|output| output.output_id.as_deref()).collect();
        assert_eq!(kinds, ["model_url", "rendered_image_url"]);
    }
    rig.close().await;
}

#[tokio::test]
async fn without_a_count_of_the_service_the_price_list_settles() {
    let rig = Rig::new(SimConfig::instant(), false).await;
    rig.sim.sim.set_faults(Faults { no_credits: true, ..Faults::default() });
    let inputs = json!({ "prompt": "a", "texture_quality": "detailed", "quad": true });
    let done = rig.end_of(&rig.run(H, inputs).await).await;
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.350000000");
    assert_eq!(done.state.settlement.unwrap().basis, UsageBasis::Estimated);
    // What failed is given back, whether or not its count says so.
    for no_credits in [false, true] {
        rig.sim.sim.set_faults(Faults { runs_fail: true, no_credits, ..Faults::default() });
        let done = rig.end_of(&rig.run(H, json!({ "prompt": "a" })).await).await;
        let reason = done.state.status_reason.unwrap();
        assert_eq!((done.state.status, reason.code.as_str()), (TaskStatus::Failed, "runFailed"));
        assert!(reason.message.contains("2008") && reason.message.contains("input rejected"), "{}", reason.message);
        assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.000000000");
    }
    rig.close().await;
}

/// Every end, in the words of both versions.
#[tokio::test]
async fn each_word_for_an_end_is_an_end() {
    let rig = Rig::new(SimConfig::instant(), false).await;
    for (word, status, code) in [
        ("failed", TaskStatus::Failed, "runFailed"),
        ("banned", TaskStatus::Failed, "runFailed"),
        ("expired", TaskStatus::TimedOut, "providerTimeout"),
        ("cancelled", TaskStatus::Cancelled, "cancelled"),
    ] {
        rig.sim.sim.set_faults(Faults { runs_fail: true, word: Some(word.to_owned()), ..Faults::default() });
        let done = rig.end_of(&rig.run(H, json!({ "prompt": "a" })).await).await;
        assert_eq!((done.state.status, done.state.status_reason.unwrap().code.as_str()), (status, code), "{word}");
    }
    // A word that nobody knows is asked about until it is one that somebody does.
    rig.sim.sim.set_faults(Faults { word: Some("unknown".to_owned()), ..Faults::default() });
    let task = rig.run(H, json!({ "prompt": "a" })).await;
    let admin = rig.station.admin();
    let mut updates = admin.events_of(task.task_id);
    while admin.task(task.task_id).await.unwrap().state.counters.unknown_statuses < 2 {
        updates.next().await.unwrap().unwrap();
    }
    rig.sim.sim.set_faults(Faults::default());
    assert_eq!(rig.end_of(&task).await.state.status, TaskStatus::Completed);
    rig.close().await;
}

#[tokio::test]
async fn a_refusal_for_want_of_room_waits_and_charges_once() {
    let capacity = Capacity { h_models: 1, ..Capacity::default() };
    let run = Duration::from_millis(400);
    let rig = Rig::new(SimConfig { capacity, run, ..SimConfig::instant() }, false).await;
    let mut tasks = Vec::new();
    for n in 0..3 {
        tasks.push(rig.run(H, json!({ "prompt": format!("helmet {n}") })).await);
    }
    let mut refused = 0;
    for task in &tasks {
        let done = rig.end_of(task).await;
        assert_eq!(done.state.status, TaskStatus::Completed, "{:?}", done.state.status_reason);
        assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.200000000");
        refused += done.state.capacity_refusals;
    }
    let books = rig.sim.sim.books();
    assert_eq!(books.tasks.len(), 3, "one run for each task");
    assert!(refused > 0 && books.refused_full > 0, "{refused} {}", books.refused_full);
    rig.close().await;
}

#[tokio::test]
async fn no_credits_and_a_lost_answer_are_told_apart() {
    let rig = Rig::new(SimConfig::instant(), false).await;
    let refuse = Some(Refusal { status: 403, code: 2010, retry_after_s: None });
    rig.sim.sim.set_faults(Faults { refuse, ..Faults::default() });
    let done = rig.end_of(&rig.run(H, json!({ "prompt": "a" })).await).await;
    let reason = done.state.status_reason.unwrap();
    assert_eq!((done.state.status, reason.code.as_str()), (TaskStatus::Failed, "refused"));
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.000000000");
    // Nothing of ours is with the run: it is not looked for, and never made a second time.
    rig.sim.sim.set_faults(Faults { lose_answers: true, ..Faults::default() });
    let task = rig.run(H, json!({ "prompt": "a" })).await;
    let admin = rig.station.admin();
    let mut updates = admin.events_of(task.task_id);
    while admin.task(task.task_id).await.unwrap().state.status != TaskStatus::InDoubt {
        updates.next().await.unwrap().unwrap();
    }
    assert_eq!(rig.sim.sim.books().tasks.len(), 1);
    rig.close().await;
}

#[tokio::test]
async fn a_signed_webhook_finds_its_task_and_a_poll_confirms_it() {
    let run = Duration::from_millis(300);
    let rig = Rig::new(SimConfig { run, ..SimConfig::instant() }, true).await;
    for (fails, nested) in [(false, false), (true, false), (true, true)] {
        rig.sim.sim.set_faults(Faults { runs_fail: fails, nested_error: nested, ..Faults::default() });
        let task = rig.run(H, json!({ "prompt": "a" })).await;
        let done = rig.end_of(&task).await;
        let status = if fails { TaskStatus::Failed } else { TaskStatus::Completed };
        assert_eq!(done.state.status, status, "{:?}", done.state.status_reason);
        let reported = |events: &[Event], by: Witness| {
            events.iter().any(|e| matches!(e, Event::Reported { witness, .. } if *witness == by))
        };
        // A poll at the usual time of the end may come before it.
        let mut events = rig.events_of(&task).await;
        while !reported(&events, Witness::Webhook) {
            tokio::task::yield_now().await;
            events = rig.events_of(&task).await;
        }
        assert!(reported(&events, Witness::Poll), "{events:?}");
        assert_eq!(done.state.cost_usd.unwrap().to_string(), if fails { "0.000000000" } else { "0.200000000" });
    }
    rig.close().await;
}

/// A URL that has died is fresh in the next answer about the same run, and it is the same output.
#[tokio::test]
async fn a_dead_url_is_renewed_by_a_poll() {
    let url_life = Duration::from_millis(50);
    let rig = Rig::new(SimConfig { url_life, ..SimConfig::instant() }, false).await;
    let done = rig.end_of(&rig.run(H, json!({ "prompt": "a" })).await).await;
    let output = done.state.outputs[0].clone();
    let until = output.expires_at.unwrap();
    assert!(until > Timestamp::now() && until <= Timestamp::now().plus(Duration::from_secs(60)), "{until}");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = |url: String| {
        let http = http.clone();
        async move { http.get(url).send().await.unwrap().status().as_u16() }
    };
    while status(output.url.clone().unwrap()).await == 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(output.url.clone().unwrap()).await, 403);
    let run = RunRef::new(done.task_id, done.state.run_id.clone().unwrap(), done.endpoint_details.clone());
    let fresh = rig.provider.poll(&run).await.unwrap().outputs[0].clone();
    assert!(fresh.same_as(&output) && fresh.url != output.url, "{fresh:?}");
    assert_eq!(status(fresh.url.unwrap()).await, 200);
    rig.close().await;
}
