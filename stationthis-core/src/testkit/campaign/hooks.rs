//! What becomes of a run's webhooks.

use std::time::Duration;

use bytes::Bytes;

use crate::id::RunId;
use crate::provider::WebhookAuth;
use crate::secret::Secret;
use crate::task::report::{RunReport, RunStatus};
use crate::testkit::campaign::books::{Books, Run};
use crate::testkit::campaign::scenario::HookShares;
use crate::time::Timestamp;
use crate::webhook::{WEBHOOK_PATH, WebhookRequest};

/// The host's address, as providers see it.
pub(super) const PUBLIC_URL: &str = "https://host.example";

/// The header of a provider that signs.
const SIGNATURE: &str = "x-signature";

/// One webhook that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct HookPlan {
    pub(super) at: Timestamp,
    /// What it says is how things were then.
    pub(super) as_of: Timestamp,
    pub(super) run: usize,
    pub(super) kind: HookKind,
    /// The callback URL of the task, or none where the provider signs.
    pub(super) url: Option<Secret>,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HookKind {
    /// Nothing.
    Genuine,
    /// It says that the run failed.
    SaysFailed,
    /// It says that the run succeeded, and shows nothing.
    SaysSuccess,
    /// The token or the signature is wrong.
    WrongToken,
    /// Its token was made for another task.
    OtherToken,
    /// It has no token or signature.
    Unsigned,
    /// It is signed, and about a run that nobody submitted.
    NobodysRun,
    /// It is signed, and about the run of another task.
    OthersRun,
}

impl HookKind {
    /// Must the station refuse it?
    pub(super) const fn is_forged(self) -> bool {
        match self {
            Self::WrongToken | Self::OtherToken | Self::Unsigned => true,
            Self::Genuine | Self::SaysFailed | Self::SaysSuccess | Self::NobodysRun | Self::OthersRun => false,
        }
    }

    /// Does it say how things are?
    pub(super) const fn tells_the_truth(self) -> bool {
        match self {
            Self::Genuine => true,
            Self::SaysFailed
            | Self::SaysSuccess
            | Self::WrongToken
            | Self::OtherToken
            | Self::Unsigned
            | Self::NobodysRun
            | Self::OthersRun => false,
        }
    }
}

/// Counts of webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HookCounts {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) forged: u64,
    pub(super) reordered: u64,
    /// Taken by the station: its raw bytes are durable.
    pub(super) taken: u64,
    /// Refused by the station.
    pub(super) refused: u64,
}

/// Plans what is sent about a state that a run reaches at `at`.
pub(super) fn plan(books: &mut Books, shares: HookShares, nth: usize, at: Timestamp, url: Option<&Secret>) {
    let (rng, counts) = (&mut books.rng, &mut books.hook_counts);
    let hook = |at: Timestamp, as_of, kind| HookPlan { at, as_of, run: nth, kind, url: url.cloned() };
    let mut hooks = Vec::new();
    let mut send_at = at.plus(rng.millis(5, 400));
    if rng.chance(shares.reordered) {
        counts.reordered += 1;
        send_at = send_at.plus(rng.millis(0, 120_000));
    }
    if rng.chance(shares.lost) {
        counts.lost += 1;
    } else {
        hooks.push(hook(send_at, at, HookKind::Genuine));
        if rng.chance(shares.doubled) {
            counts.doubled += 1;
            hooks.push(hook(send_at.plus(rng.millis(0, 3000)), at, HookKind::Genuine));
        }
    }
    if rng.chance(shares.forged) {
        counts.forged += 1;
        let kind = match rng.below(5) {
            0 => HookKind::WrongToken,
            1 => HookKind::OtherToken,
            2 => HookKind::Unsigned,
            3 => HookKind::NobodysRun,
            _ => HookKind::OthersRun,
        };
        hooks.push(hook(at.minus(Duration::from_millis(200)).plus(rng.millis(0, 5000)), at, kind));
    }
    if rng.chance(shares.lying) {
        let kind = if rng.chance(500) { HookKind::SaysFailed } else { HookKind::SaysSuccess };
        hooks.push(hook(at.plus(rng.millis(0, 20_000)), at, kind));
    }
    books.hooks.extend(hooks);
}

/// The request that a plan makes; `other` is the run of another task, with that one's callback URL.
pub(super) fn request(
    plan: &HookPlan,
    run: &Run,
    auth: WebhookAuth,
    other: Option<&(Run, Secret)>,
    now: Timestamp,
) -> WebhookRequest {
    // Where nothing but the run names the task, what is said of another's run would be a lie about that one.
    let others = other.map(|(other, _)| other).filter(|_| auth == WebhookAuth::TaskUrl);
    let body = Bytes::from(serde_json::to_vec(&says(plan, run, others)).unwrap_or_default());
    if auth == WebhookAuth::ProviderSignature {
        let signature = match plan.kind {
            HookKind::Unsigned => None,
            HookKind::WrongToken | HookKind::OtherToken => Some("0".to_owned()),
            HookKind::Genuine
            | HookKind::SaysFailed
            | HookKind::SaysSuccess
            | HookKind::NobodysRun
            | HookKind::OthersRun => Some(signature(&body)),
        };
        let headers = signature.map(|signature| (SIGNATURE.to_owned(), signature)).into_iter().collect();
        let path = format!("{WEBHOOK_PATH}{}", run.provider);
        return WebhookRequest::new("POST", path, "", body, now).with_headers(headers);
    }
    let url = plan.url.as_ref().map_or("", |url| url.expose());
    let (path, token) = url.strip_prefix(PUBLIC_URL).unwrap_or_default().split_once('?').unwrap_or_default();
    let query = match plan.kind {
        HookKind::Unsigned => String::new(),
        // The last digit of the MAC is another one.
        HookKind::WrongToken => {
            let (head, last) = token.split_at(token.len().saturating_sub(1));
            format!("{head}{}", if last == "0" { '1' } else { '0' })
        }
        HookKind::OtherToken => other
            .and_then(|(_, url)| url.expose().split_once('?'))
            .map_or_else(String::new, |(_, token)| token.to_owned()),
        HookKind::Genuine
        | HookKind::SaysFailed
        | HookKind::SaysSuccess
        | HookKind::NobodysRun
        | HookKind::OthersRun => token.to_owned(),
    };
    WebhookRequest::new("POST", path, query, body, now)
}

fn says(plan: &HookPlan, run: &Run, others: Option<&Run>) -> RunReport {
    let of_run =
        |id: Option<RunId>| RunReport { run_id: id.unwrap_or_else(|| run.id.clone()), ..run.report_at(plan.as_of) };
    let nobody = RunId::new(format!("nobody-{}", run.id)).ok();
    let bare = |status, word: &str| RunReport::new(run.id.clone(), status, word);
    match plan.kind {
        HookKind::Genuine | HookKind::WrongToken | HookKind::OtherToken | HookKind::Unsigned => {
            run.report_at(plan.as_of)
        }
        HookKind::SaysFailed => bare(RunStatus::Failed, "failed"),
        HookKind::SaysSuccess => bare(RunStatus::Succeeded, "success"),
        HookKind::NobodysRun => of_run(nobody),
        HookKind::OthersRun => match others {
            Some(other) => of_run(Some(other.id.clone())),
            None => of_run(nobody),
        },
    }
}

/// Is it signed?
pub(super) fn is_signed(request: &WebhookRequest) -> bool {
    let expected = signature(&request.body);
    request.headers.iter().any(|(name, value)| name == SIGNATURE && *value == expected)
}

/// Enough of a signature for a provider that is made up.
fn signature(body: &[u8]) -> String {
    let sum = body
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}
