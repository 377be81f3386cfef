//! Which deployment of a workflow its tool runs.

use super::Warnings;
use crate::wire::deployment::{Deployment, InputType};
use crate::wire::graph::Graph;
use stationthis_core::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// The workflows of an account, each with its chosen deployment.
#[derive(Debug, Default)]
pub(super) struct Workflows(HashMap<String, Workflow>);

/// A workflow.
#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) id: String,
    pub(super) chosen: Chosen,
    /// Environment to deployment id; of two in one environment the one changed last.
    pub(super) ids: BTreeMap<String, (Option<Timestamp>, String)>,
}

/// What is kept of the chosen deployment.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) deployment: Deployment,
    pub(super) graph: Graph,
    pub(super) input_types: Option<Vec<InputType>>,
}

impl Workflows {
    /// Adds a deployment; of a workflow's deployments only the preferred one is kept.
    pub(super) fn add(&mut self, mut deployment: Deployment, preference: &[String], warnings: &mut Warnings) {
        let graph = deployment.version.take().and_then(|version| version.workflow_api);
        let Some(graph) = graph else {
            warnings.add(format!("Deployment {} is left out: its version has no graph to run.", deployment.id));
            return;
        };
        let input_types = deployment.input_types.take();
        let id = deployment.workflow_id.clone();
        let entry = (deployment.updated_at, deployment.id.clone());
        let ids = BTreeMap::from([(deployment.environment.clone(), entry)]);
        self.put(Workflow { id, chosen: Chosen { deployment, graph, input_types }, ids }, preference);
    }

    /// Takes over all workflows of another list.
    pub(super) fn merge(&mut self, other: Self, preference: &[String]) {
        for workflow in other.0.into_values() {
            self.put(workflow, preference);
        }
    }

    fn put(&mut self, new: Workflow, preference: &[String]) {
        let Some(old) = self.0.get_mut(&new.id) else {
            self.0.insert(new.id.clone(), new);
            return;
        };
        for (environment, entry) in new.ids {
            let known = old.ids.entry(environment).or_insert_with(|| entry.clone());
            if entry.0 > known.0 {
                *known = entry;
            }
        }
        if rank(&new.chosen.deployment, preference) < rank(&old.chosen.deployment, preference) {
            old.chosen = new.chosen;
        }
    }

    /// By id, so that two readings of one account give the same list.
    pub(super) fn into_sorted(self) -> Vec<Workflow> {
        let mut all: Vec<Workflow> = self.0.into_values().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}

/// Smaller is better: the environment's place, then the newest, then the id, so that the choice is always the same.
fn rank<'a>(deployment: &'a Deployment, preference: &[String]) -> (usize, Reverse<Option<Timestamp>>, &'a str) {
    let place = preference.iter().position(|e| *e == deployment.environment).unwrap_or(preference.len());
    (place, Reverse(deployment.updated_at), &deployment.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ComfyDeployConfig;
    use serde_json::json;

    fn deployment(id: &str, environment: &str, day: u32) -> Deployment {
        serde_json::from_value(json!({
            "id": id, "workflow_id": "w", "environment": environment,
            "updated_at": format!("2026-11-{day:02}T00:00:00Z"), "version": { "workflow_api": {} },
        }))
        .unwrap()
    }

    fn check_choice(deployments: Vec<Deployment>, chosen: &str, ids: &[(&str, &str)]) {
        let preference = ComfyDeployConfig::default().environments;
        let mut workflows = Workflows::default();
        for deployment in deployments {
            workflows.add(deployment, &preference, &mut Warnings::default());
        }
        let workflow = workflows.into_sorted().remove(0);
        assert_eq!(workflow.chosen.deployment.id, chosen);
        let all: Vec<_> = workflow.ids.iter().map(|(e, (_, id))| (e.as_str(), id.as_str())).collect();
        assert_eq!(all, ids);
    }

    #[test]
    fn production_comes_first_then_the_newest() {
        let all =
            || vec![deployment("p", "preview", 9), deployment("s", "staging", 8), deployment("x", "production", 1)];
        check_choice(all(), "x", &[("preview", "p"), ("production", "x"), ("staging", "s")]);
        check_choice(
            all().into_iter().rev().collect(),
            "x",
            &[("preview", "p"), ("production", "x"), ("staging", "s")],
        );
        check_choice(
            vec![deployment("n", "new-kind", 9), deployment("p", "preview", 1)],
            "p",
            &[("new-kind", "n"), ("preview", "p")],
        );
        check_choice(vec![deployment("a", "staging", 1), deployment("b", "staging", 2)], "b", &[("staging", "b")]);
    }

    #[test]
    fn a_deployment_without_a_graph_is_named_and_left_out() {
        let mut warnings = Warnings::default();
        let mut workflows = Workflows::default();
        let mut bare = deployment("d", "production", 1);
        bare.version = None;
        workflows.add(bare, &[], &mut warnings);
        assert!(workflows.into_sorted().is_empty());
        assert!(warnings.0[0].contains("Deployment d"));
    }
}
