//! An event in a sentence.

use stationthis_core::FailureRecord;
use stationthis_core::cost::{Settlement, Unit};
use stationthis_core::custody::{KeepOutlook, Kept, KeptOutput};
use stationthis_core::notify::Receipt;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::{Event, Resolution, Witness};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::task::terms::Terms;

use crate::face::summary::{estimate, rate_text};
use crate::output::exactly_once_text;

/// How much of a webhook's body stands in its sentence: one line; the rest is in the raw event.
const BODY_CHARS: usize = 120;

/// What happened, in a sentence.
pub(super) fn of(event: &Event, task: &TaskRecord) -> String {
    match event {
        Event::Accepted { terms, .. } => accepted(task, terms),
        Event::FilesSent { files } => format!(
            "The service was given {}.",
            files
                .iter()
                .map(|file| format!("{} ({}, {} bytes)", file.pointer, file.mime, file.bytes))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Event::SubmitStarted => "The submission began: from here on there may be a run.".to_owned(),
        Event::Submitted { run_id } => format!("The service made run {run_id}."),
        Event::SubmitRefused { failure } => format!("The service made no run and never will: {}", why(failure)),
        Event::SubmitDeferred { failure, retry_at, .. } => {
            format!("The service made no run: {} Tried again at {retry_at}.", why(failure))
        }
        Event::SubmitLost { failure, answered: true } => {
            format!("The answer to the submission does not say whether there is a run: {}", why(failure))
        }
        Event::SubmitLost { failure, answered: false } => {
            format!("The answer to the submission was lost; there may be a run: {}", why(failure))
        }
        Event::LookupFound { run_id } => format!("A search at the service found run {run_id}."),
        Event::LookupAbsent => "A search at the service found no run of this task.".to_owned(),
        Event::LookupFailed { failure } => format!("A search at the service could not be done: {}", why(failure)),
        Event::Reported { witness, report } => reported(*witness, report),
        Event::WebhookReceived { method, body, bytes, key_id, copies } => {
            let by = key_id.as_ref().map_or_else(|| "its provider's signature".to_owned(), |id| format!("key {id}"));
            let times = if *copies > 1 { format!(", {copies} times by now") } else { String::new() };
            format!("A webhook came in ({method}, {bytes} bytes, authenticated by {by}{times}): {}", excerpt(body))
        }
        Event::WebhookUnreadable { failure } => format!("The webhook cannot be read: {}", why(failure)),
        Event::PollFailed { failure } => format!("The service was polled and did not answer: {}", why(failure)),
        Event::Diagnosed { failure: Some(failure), .. } => {
            format!("The reason of the failure was found: {}", why(failure))
        }
        Event::Diagnosed { failure: None, .. } => "A search for the reason of the failure found nothing.".to_owned(),
        Event::OutputsKept { outputs } => kept(outputs),
        Event::KeepFailed { failure, outlook } => {
            let then = match outlook {
                KeepOutlook::TryAgain => "",
                KeepOutlook::NewUrl => " A new URL is needed.",
                KeepOutlook::GiveUp => " It is not tried again.",
            };
            format!("Not all outputs could be kept: {}{then}", why(failure))
        }
        Event::CancelAsked => "Somebody asked to cancel it.".to_owned(),
        Event::CancelAnswered { accepted: true, .. } => "The service took the wish to cancel.".to_owned(),
        Event::CancelAnswered { accepted: false, reason } => {
            let reason = reason.as_deref().unwrap_or("it gave no reason.");
            format!("The service refused to cancel, and the run goes on: {reason}")
        }
        Event::CancelFailed { failure } => format!("The wish to cancel could not be delivered: {}", why(failure)),
        Event::DeadlinePassed => "A deadline passed.".to_owned(),
        Event::Settled { settlement, over_ceiling, .. } => {
            let over = if *over_ceiling { " That is above the quoted most." } else { "" };
            format!("Settled: {}{over}", cost(settlement))
        }
        Event::NoticeTried { target, attempt, receipt, .. } => {
            let to = format!("{} {}", target.channel, target.address);
            format!("Notice to {}, attempt {attempt}: {}", to.trim_end(), delivered(receipt))
        }
        Event::NoticeRequeued { notice_id } => format!("Somebody asked to deliver notice {notice_id} again."),
        Event::Resolved { by, resolution } => format!("{by} said {}", resolved(resolution)),
        Event::Reconciled { report, settlement, .. } => {
            let seen = report.as_ref().map_or_else(
                || "there was no run".to_owned(),
                |report| format!("the service now says {}", said(report)),
            );
            format!("Reviewed: {seen}. {}", cost(settlement))
        }
        Event::Amended { by, fields } => {
            let fields = fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ");
            format!("{by} changed what is the caller's: {fields}.")
        }
        Event::Restored { backup_at } => {
            format!("The store was restored from a backup of {backup_at}; what waited may have been submitted since.")
        }
        _ => "Something happened that this program does not know.".to_owned(),
    }
}

fn accepted(task: &TaskRecord, terms: &Terms) -> String {
    let rate = task.cost_rate.as_ref().map_or_else(
        || "without a known price".to_owned(),
        |rate| format!("at {} ({}, card {})", rate_text(rate), rate.source, rate.card_hash),
    );
    format!(
        "Accepted from {}: {} {rate}, quoted {} ({}). {} It ends by {}.",
        task.caller,
        task.tool_name,
        estimate(&task.quote),
        task.quote.basis,
        exactly_once_text(terms.exactly_once),
        terms.deadline_at
    )
}

fn kept(outputs: &[KeptOutput]) -> String {
    let one = |output: &KeptOutput| {
        let Kept { key, bytes, mime, .. } = &output.kept;
        format!("output {} as {key} ({mime}, {bytes} bytes)", output.order)
    };
    format!("Kept {}.", outputs.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn reported(witness: Witness, report: &RunReport) -> String {
    let from = match witness {
        Witness::Webhook => "The webhook says",
        Witness::Poll => "The service was polled and says",
    };
    format!("{from} {}.", said(report))
}

/// The status in our terms and the service's, and what comes with it.
fn said(report: &RunReport) -> String {
    let status = match report.status {
        RunStatus::Queued => "queued",
        RunStatus::Running => "running",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::TimedOut => "timed out",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Unknown => "something that we do not know",
    };
    let mut text = format!("{status} ({:?}", report.raw_status);
    if let Some(progress) = report.progress {
        text.push_str(&format!(", {:.0} %", progress.fraction() * 100.0));
    }
    match report.outputs.len() {
        0 => {}
        1 => text.push_str(", 1 output"),
        count => text.push_str(&format!(", {count} outputs")),
    }
    if let Some(failure) = &report.failure {
        text.push_str(&format!(", {}", why(failure).trim_end_matches('.')));
    }
    text.push(')');
    text
}

fn cost(settlement: &Settlement) -> String {
    let Some(usd) = settlement.cost_usd else {
        let bound = settlement.bound_usd.map(|bound| format!(", at most ${bound}")).unwrap_or_default();
        return format!("the cost is unknown{bound}.");
    };
    let basis = serde_json::to_value(settlement.basis).ok();
    let basis = basis.as_ref().and_then(|basis| basis.as_str()).unwrap_or_default();
    match (settlement.amount, settlement.unit, settlement.rate) {
        (Some(amount), Some(unit), Some(rate)) => {
            format!("{amount} {} at ${rate} each is ${usd} (basis {basis}).", unit_text(unit))
        }
        _ => format!("${usd} (basis {basis})."),
    }
}

const fn unit_text(unit: Unit) -> &'static str {
    match unit {
        Unit::Second => "seconds",
        Unit::Request => "runs",
        Unit::InputToken => "tokens in",
        Unit::OutputToken => "tokens out",
        Unit::Credit => "credits",
    }
}

fn delivered(receipt: &Receipt) -> String {
    match receipt {
        Receipt::Delivered => "delivered.".to_owned(),
        Receipt::Retry { after: Some(after), reason } => {
            format!("to be tried again, not before {} s: {reason}", after.as_secs())
        }
        Receipt::Retry { after: None, reason } => format!("to be tried again: {reason}"),
        Receipt::Permanent { reason } => format!("given up: {reason}"),
        Receipt::NoRecipient => "given up: there is nobody at this address.".to_owned(),
    }
}

fn resolved(resolution: &Resolution) -> String {
    match resolution {
        Resolution::Found { run_id } => format!("that there is a run: {run_id}."),
        Resolution::NotSent => "that it was never submitted.".to_owned(),
        Resolution::GiveUp => "that it will not be found out.".to_owned(),
    }
}

fn why(failure: &FailureRecord) -> String {
    let status = failure.http_status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
    format!("{}{status}", failure.message)
}

/// The start of a text, on one line.
fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(BODY_CHARS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_between_characters() {
        assert_eq!(excerpt("a\n  b"), "a b");
        let cut = excerpt(&"é".repeat(BODY_CHARS + 5));
        assert_eq!(cut.chars().count(), BODY_CHARS + 1);
        assert!(cut.ends_with('…'));
    }
}
