//! The contract of a notifier, over the fake Bot API.

use stationthis_core::notify::Notifier;
use stationthis_core::testkit::{NotifierFixture, ReceiverConduct};
use stationthis_core::{NoticeId, Secret};
use stationthis_host::outgoing::Guard;
use stationthis_host::telegram::{Limits, Telegram, TelegramConfig, TelegramNotifier};

use super::ANA;
use super::fake::{Fake, Manner, TOKEN};
use super::rules::Refusal;
use super::world::FASTER;

struct Chat {
    fake: Fake,
    notifier: TelegramNotifier,
    _dir: tempfile::TempDir,
}

async fn fresh() -> Chat {
    let fake = Fake::start().await;
    fake.change(|state| state.world.open(ANA.0, "private").kind = "private");
    let config = TelegramConfig::new(Secret::new(TOKEN)).with_api_url(&fake.url).with_allowed([ANA.0]);
    let config = config.with_limits(Limits::default().faster(FASTER));
    let dir = tempfile::tempdir().unwrap();
    let telegram = Telegram::new(config, super::outputs(Guard::default()), super::files(&dir)).unwrap();
    Chat { notifier: telegram.notifier(), fake, _dir: dir }
}

impl NotifierFixture for Chat {
    fn notifier(&self) -> &dyn Notifier {
        &self.notifier
    }

    fn address(&self) -> String {
        format!("{}::12", ANA.0)
    }

    fn bad_addresses(&self) -> Vec<String> {
        // Of no form, and of chats that are not served.
        ["", "somebody", "77:x", "77:1:2:3", "99", "-77"].map(str::to_owned).to_vec()
    }

    fn heard(&self) -> Option<Vec<NoticeId>> {
        // A message in a chat has no id of its notice.
        None
    }

    fn set(&self, conduct: ReceiverConduct) -> bool {
        self.fake.change(|state| state.manners.clear());
        match conduct {
            ReceiverConduct::Good => {}
            ReceiverConduct::Busy => self.fake.manner("", Manner::Refuse(Refusal::flood(1))),
            ReceiverConduct::Silent => self.fake.manner("", Manner::Hang),
            ReceiverConduct::Gone => {
                self.fake.manner("", Manner::Refuse(Refusal::new(403, "Forbidden: bot was blocked by the user")));
            }
        }
        true
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }
}

stationthis_core::notifier_suite!(fresh);
