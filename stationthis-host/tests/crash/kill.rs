//! SIGKILL at each step.

use stationthis_comfydeploy::sim::Misbehaviour;
use stationthis_core::cost::UsageBasis;

use crate::case::{Case, End};
use crate::scene::Machine;

/// Each step of a task's life on which something is written, from both sides of the write.
const STEPS: [(&[&str], End); 14] = [
    (&["before:accepted"], End::Completed),
    (&["after:accepted"], End::Completed),
    (&["before:claimed"], End::Completed),
    (&["after:claimed"], End::Completed),
    (&["before:submitStarted"], End::Completed),
    (&["after:submitStarted"], End::NeverSubmitted),
    (&["before:submitted"], End::Completed),
    (&["after:submitted"], End::Completed),
    (&["before:reported"], End::Completed),
    (&["after:reported"], End::Completed),
    (&["before:settled"], End::Completed),
    (&["after:settled"], End::Completed),
    (&["before:noticeTried"], End::Completed),
    (&["after:noticeTried"], End::Completed),
];

/// Deaths during the recovery from deaths.
const AGAIN: [(&[&str], End); 2] = [
    (
        &[
            "before:submitted",
            "before:submitLost",
            "after:submitLost",
            "before:lookupFound",
            "after:lookupFound",
            "before:reported",
            "after:settled",
            "before:noticeTried",
        ],
        End::Completed,
    ),
    (&["after:submitStarted", "after:submitLost", "before:lookupAbsent", "after:lookupAbsent"], End::NeverSubmitted),
];

/// Plays all, a few at a time, and gives the bases of the costs.
async fn play(cases: impl IntoIterator<Item = Case>) -> Vec<UsageBasis> {
    let playing: Vec<_> = cases.into_iter().map(|case| (case, tokio::spawn(case.play()))).collect();
    let (mut bases, mut failed) = (Vec::new(), Vec::new());
    for (case, played) in playing {
        match played.await {
            Ok(basis) => bases.push(basis),
            Err(_) => failed.push(case),
        }
    }
    assert!(failed.is_empty(), "these failed, for reasons above: {failed:#?}");
    bases
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_loses_and_doubles_nothing_in_the_gpu_cloud() {
    let cases = STEPS.into_iter().chain(AGAIN).map(|(halts, end)| Case::new(halts, Machine::Serverless, end));
    play(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_loses_and_doubles_nothing_on_a_machine_that_tells_no_times() {
    let cases = STEPS.into_iter().chain(AGAIN).map(|(halts, end)| Case::new(halts, Machine::Classic, end));
    let bases = play(cases).await;
    for basis in [UsageBasis::PollReceipt, UsageBasis::Unknown, UsageBasis::NotRun] {
        assert!(bases.contains(&basis), "no case was settled by {basis:?}: {bases:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_on_either_side_of_keeping_a_webhook_changes_no_end() {
    let halts: [&[&str]; 2] = [&["before:inbox"], &["after:inbox"]];
    let cases = [Machine::Serverless, Machine::Classic].into_iter().flat_map(|machine| {
        halts.into_iter().map(move |halts| Case { hooks: true, ..Case::new(halts, machine, End::Completed) })
    });
    play(cases).await;
}

/// The service has the file, and the host does not know it any more, or has said so and was not heard to submit.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_a_file_and_its_submission_submits_once_or_never() {
    let halts: [(&[&str], End); 4] = [
        (&["before:filesSent"], End::Completed),
        (&["after:filesSent"], End::NeverSubmitted),
        (&["before:submitted"], End::Completed),
        (&["before:filesSent", "before:filesSent", "before:submitted", "before:lookupFound"], End::Completed),
    ];
    let cases = halts.map(|(halts, end)| Case { file: true, ..Case::new(halts, Machine::Serverless, end) });
    play(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_fetch_of_an_output_and_its_commit_keeps_it_once() {
    let halts: [&[&str]; 3] =
        [&["before:outputsKept"], &["after:outputsKept"], &["after:reported", "before:outputsKept"]];
    play(halts.map(|halts| Case { custody: true, ..Case::new(halts, Machine::Serverless, End::Completed) })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_to_cancel_outlives_a_kill() {
    let halts: [&[&str]; 4] =
        [&["before:cancelAsked"], &["after:cancelAsked"], &["before:cancelAnswered"], &["after:cancelAnswered"]];
    let gpu = halts.map(|halts| Case { cancel: true, ..Case::new(halts, Machine::Serverless, End::Cancelled) });
    // The service does not cancel there: the run goes on, and is paid.
    let own = ["before:cancelAsked", "after:cancelAsked"];
    let own = halts.into_iter().filter(|halts| own.iter().any(|point| halts.contains(point)));
    let own = own.map(|halts| Case { cancel: true, ..Case::new(halts, Machine::Classic, End::Completed) });
    play(gpu.into_iter().chain(own)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_on_the_way_to_a_bad_end_changes_nothing_of_it() {
    let case = |halts, machine, end, fault| Case { fault, ..Case::new(halts, machine, end) };
    let refused = |well| Misbehaviour { queue_refused: Some(403), ..well };
    let fails = |well| Misbehaviour { run_fails: true, ..well };
    let stuck = |well| Misbehaviour { stuck_running: true, ..well };
    let deaf = |well| Misbehaviour { get_run_500: 3, ..well };
    play([
        case(&["before:submitRefused"], Machine::Serverless, End::Refused, refused),
        case(&["after:submitRefused"], Machine::Serverless, End::Refused, refused),
        case(&["before:diagnosed"], Machine::Serverless, End::RunFailed, fails),
        case(&["after:diagnosed"], Machine::Serverless, End::RunFailed, fails),
        case(&["before:deadlinePassed"], Machine::Serverless, End::TimedOut, stuck),
        case(&["after:deadlinePassed"], Machine::Classic, End::TimedOut, stuck),
        case(&["before:pollFailed"], Machine::Serverless, End::Completed, deaf),
        case(&["after:pollFailed"], Machine::Serverless, End::Completed, deaf),
    ])
    .await;
}
