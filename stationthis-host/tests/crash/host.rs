//! One life of the program.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

/// A moment between two looks at something outside this process, which tells nobody when it changes.
pub const LOOK: Duration = Duration::from_millis(20);

/// `stationthis serve` as a child; killed when dropped.
pub struct Host {
    child: Child,
    marker: PathBuf,
}

impl Host {
    /// Starts it in a folder, to stop at `halt` when there is one. Its log is appended to `log` there.
    pub fn start(folder: &Path, env: &[(&str, String)], halt: Option<&str>) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let marker = folder.join("marker");
        if marker.exists() {
            std::fs::remove_file(&marker).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_stationthis"));
        command.arg("serve").current_dir(folder).env_clear().envs(env.iter().cloned());
        if let Some(point) = halt {
            command.env("STATIONTHIS_TEST_HALT", format!("{point}={}", marker.display()));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        Self { child: command.spawn().unwrap(), marker }
    }

    /// Until it stands at its halt.
    pub async fn halted(&self) {
        while !self.marker.exists() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; was its end a clean one?
    pub async fn terminate(mut self) -> bool {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").arg(id).status().await.unwrap().success());
        self.child.wait().await.unwrap().success()
    }
}
