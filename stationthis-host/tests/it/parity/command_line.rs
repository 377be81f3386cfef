//! The command line, as a program of its own that asks a host.

use std::process::Output;

use async_trait::async_trait;
use serde_json::Value;
use stationthis_core::task::TaskRecord;
use stationthis_host::face::summary;
use tokio::process::Command;

use super::corpus::{Ask, Given, tools};
use super::scene::{KEY, Scene};
use super::{Face, Outcome};

pub struct Run;

#[async_trait]
impl Face for Run {
    fn name(&self) -> &'static str {
        "command line"
    }

    async fn price(&self, scene: &Scene, tool: &str) -> String {
        let answer = stationthis(scene, &["run".to_owned(), scene.slug(tool).to_owned(), "--help".to_owned()]).await;
        let help = String::from_utf8(answer.stdout).unwrap();
        let price = help.lines().find_map(|line| line.trim().strip_prefix("Price: "));
        price.unwrap_or_else(|| panic!("no price: {help}")).to_owned()
    }

    async fn ask(&self, scene: &Scene, user: usize, ask: &Ask) -> Outcome {
        let folder = scene.dir.path().join(user.to_string());
        let mut words = vec!["run".to_owned(), scene.slug(ask.tool).to_owned(), "--json".to_owned()];
        words.extend(["--out".to_owned(), folder.to_str().unwrap().to_owned()]);
        for (name, given) in &ask.inputs {
            let text = match given {
                Given::Value(value) => super::typed(value),
                Given::Picture => {
                    let file = scene.dir.path().join(format!("{user}.png"));
                    std::fs::write(&file, super::PICTURE).unwrap();
                    file.to_str().unwrap().to_owned()
                }
            };
            // A flag for what the tool has; nobody has a flag for what it has not.
            let tool = tools().into_iter().find(|tool| tool.key == ask.tool).unwrap();
            if tool.properties.get(*name).is_some() {
                words.extend([format!("--{name}"), text]);
            } else {
                words.extend(["-i".to_owned(), format!("{name}={text}")]);
            }
        }
        let answer = stationthis(scene, &words).await;
        let said = String::from_utf8(answer.stderr).unwrap();
        if answer.status.code() == Some(3) {
            let lines = said.lines().map(|line| line.strip_prefix("error: ").unwrap_or_else(|| panic!("{said}")));
            return Outcome::Refused(lines.map(|line| (None, line.to_owned())).collect());
        }
        let failed = answer.status.code() == Some(4);
        assert!(failed || answer.status.success(), "{words:?}: {said}");
        let record: Value = serde_json::from_slice(&answer.stdout).unwrap();
        let saved = record["savedPaths"].as_array().unwrap().iter();
        let outputs = saved.map(|path| std::fs::read(path.as_str().unwrap()).unwrap()).collect();
        let task: TaskRecord = serde_json::from_value(record).unwrap();
        let failed = failed.then(|| super::without_id(said.trim_start_matches("error: ").trim_end(), &task));
        Outcome::Made { sent: super::sent(ask, &task.inputs_sent), failed, cost: summary::cost(&task), outputs }
    }
}

async fn stationthis(scene: &Scene, words: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stationthis"))
        .args(words)
        .args(["--host", &scene.base])
        .env_clear()
        .env("STATIONTHIS_API_KEY", KEY)
        // What a run made is on this machine, here.
        .env("STATIONTHIS_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8")
        .current_dir(scene.dir.path())
        .output()
        .await
        .unwrap()
}
