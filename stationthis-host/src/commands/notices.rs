//! `stationthis notices`.

use serde_json::json;
use stationthis_core::store::NoticeRecord;

use crate::cli::operate::{NoticesArgs, NoticesCommand};
use crate::config::Config;
use crate::desk::NoticeFilter;
use crate::output::table::table;

/// Lists notices, or has a dead one tried again.
///
/// # Errors
/// As [`Desk::notices`](crate::desk::Desk::notices); a notice that is not dead is one too.
pub async fn notices(config: &Config, args: &NoticesArgs) -> anyhow::Result<()> {
    if let Some(NoticesCommand::Requeue { task, notice, all, station }) = &args.command {
        let desk = super::open(config, station).await?;
        let requeued = desk.requeue_notice(*task, *notice, *all).await;
        desk.close().await?;
        let requeued = requeued?;
        if station.json {
            anstream::println!("{:#}", json!({ "requeued": requeued }));
        }
        anyhow::ensure!(requeued, "the notice {notice} was not given up: it is delivered, or still tried");
        return Ok(());
    }
    let filter = NoticeFilter { dead: args.dead, task: args.task, all: args.all, limit: args.limit };
    let desk = super::open(config, &args.station).await?;
    let found = desk.notices(&filter).await;
    desk.close().await?;
    print(&found?, args.station.json);
    Ok(())
}

fn print(notices: &[NoticeRecord], as_json: bool) {
    if as_json {
        anstream::println!("{:#}", json!({ "notices": notices }));
        return;
    }
    let rows = notices.iter().map(|notice| {
        let target = format!("{} {}", notice.target.channel, notice.target.address);
        let what = notice.reason.clone().or_else(|| notice.due_at.map(|at| format!("next at {at}")));
        [
            notice.id.to_string(),
            notice.task_id.to_string(),
            target.trim_end().to_owned(),
            notice.state.as_str().to_owned(),
            notice.attempts.to_string(),
            what.unwrap_or_default(),
        ]
    });
    anstream::println!("{}", table(["NOTICE", "TASK", "TO", "STATE", "TRIED", ""], rows).trim_fmt());
}
