//! One workflow of the simulated account, with its deployments.

use super::graph::Graph;
use super::machine::SimMachine;
use super::{ids, templates, times};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// A workflow with a graph and any number of deployments.
///
/// Its ids follow from its name at construction: the same workflow has the same ids in every simulation,
/// and keeps them when it is renamed or replaced by a newer version.
///
/// ```
/// use stationthis_comfydeploy::sim::{SimDeployment, SimMachine, SimWorkflow};
///
/// let workflow = SimWorkflow::text_to_image("Woodcut")
///     .deployed(SimDeployment::production(SimMachine::A10g))
///     .deployed(SimDeployment::staging(SimMachine::Classic));
/// assert_eq!(workflow.name(), "Woodcut");
/// assert_eq!(workflow.deployment_ids().len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct SimWorkflow {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) graph: Graph,
    pub(crate) deployments: Vec<SimDeployment>,
}

/// One deployment of a workflow: the service allows one per workflow and environment.
#[derive(Debug, Clone)]
pub struct SimDeployment {
    pub(crate) id: Uuid,
    pub(crate) environment: String,
    pub(crate) machine: SimMachine,
    pub(crate) fluid: bool,
}

impl SimDeployment {
    /// In environment `production`.
    #[must_use]
    pub fn production(machine: SimMachine) -> Self {
        Self::in_environment("production", machine)
    }

    /// In environment `staging`.
    #[must_use]
    pub fn staging(machine: SimMachine) -> Self {
        Self::in_environment("staging", machine)
    }

    /// In any of the service's environments (protocol notes §2.1).
    #[must_use]
    pub fn in_environment(environment: &str, machine: SimMachine) -> Self {
        Self { id: Uuid::nil(), environment: environment.to_owned(), machine, fluid: false }
    }

    /// With its own image: listed only with `is_fluid=true`, and the GPU stands on the deployment.
    #[must_use]
    pub fn fluid(mut self) -> Self {
        self.fluid = true;
        self
    }

    /// The GPU stated on the deployment itself; null for those that are not fluid.
    pub(crate) fn gpu(&self) -> Option<&'static str> {
        self.fluid.then(|| self.machine.gpu()).flatten()
    }
}

impl SimWorkflow {
    /// A diffusion pipeline with prompt, negative prompt, size, steps, guidance, sampler, seed and LoRA.
    #[must_use]
    pub fn text_to_image(name: &str) -> Self {
        Self::with_graph(name, templates::text_to_image(name))
    }

    /// Redraws a given picture after a prompt.
    #[must_use]
    pub fn image_to_image(name: &str) -> Self {
        Self::with_graph(name, templates::image_to_image())
    }

    /// Describes a given picture in a text file.
    #[must_use]
    pub fn caption(name: &str) -> Self {
        Self::with_graph(name, templates::caption())
    }

    /// Any graph in ComfyUI's API format. `SaveImage` and `ComfyDeployOutputImage` nodes give pictures,
    /// `ComfyDeployOutputText` nodes text files; a graph with neither never ends, as on the service.
    ///
    /// # Errors
    /// A sentence when `api` is not an object of `{"class_type", "inputs"}` nodes.
    pub fn from_graph(name: &str, api: &Value) -> Result<Self, String> {
        Ok(Self::with_graph(name, Graph::parse(api)?))
    }

    pub(crate) fn with_graph(name: &str, graph: Graph) -> Self {
        let now = times::now();
        Self {
            id: ids::stable("workflow", name),
            name: name.to_owned(),
            version: 1,
            created: now,
            updated: now,
            graph,
            deployments: Vec::new(),
        }
    }

    /// Adds a deployment; one of the same environment is replaced.
    #[must_use]
    pub fn deployed(mut self, mut deployment: SimDeployment) -> Self {
        let environment = deployment.environment.clone();
        let name = format!("{}/{environment}", self.id);
        deployment.id = ids::stable("deployment", &name);
        self.deployments.retain(|d| d.environment != environment);
        self.deployments.push(deployment);
        self
    }

    /// The name people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The workflow's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// The ids of its deployments, in the order they were added.
    #[must_use]
    pub fn deployment_ids(&self) -> Vec<String> {
        self.deployments.iter().map(|d| d.id.to_string()).collect()
    }

    /// The id of the version in use: changes with each version, unlike the deployments' ids.
    pub(crate) fn version_id(&self) -> Uuid {
        ids::stable("version", &format!("{}/{}", self.id, self.version))
    }
}
