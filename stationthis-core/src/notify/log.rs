//! Notices as lines in the log.

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::notify::{Notice, Notifier, Receipt};

/// Writes each notice to the log (`tracing`, target `stationthis::notice`). Channel `log`; always delivers.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

#[async_trait]
impl Notifier for LogNotifier {
    fn channel(&self) -> &str {
        "log"
    }

    fn check(&self, address: &str) -> Result<()> {
        if address.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "check notification target").with_message("The log takes no address."))
    }

    fn destination(&self, _: &str) -> String {
        String::new()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        let task = &notice.task;
        tracing::info!(
            target: "stationthis::notice",
            notice_id = %notice.id,
            task_id = %task.task_id,
            tool = %task.tool_name,
            status = %task.state.status,
            reason = task.state.status_reason.as_ref().map_or("", |r| r.code.as_str()),
            outputs = task.state.outputs.len(),
            cost_usd = task.state.cost_usd.map_or_else(|| "unknown".to_owned(), |c| c.to_string()),
            "task ended"
        );
        Receipt::Delivered
    }
}
