//! The workflows and deployments of the simulated account.

use super::machine::SimMachine;
use super::workflow::{SimDeployment, SimWorkflow};
use super::{ids, templates};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The deployments a simulated service offers.
///
/// Two parts: workflows held in memory, and any number of generated ones that exist only while they are
/// being written into an answer.
#[derive(Debug, Clone, Default)]
pub struct SimCatalogue {
    listed: Vec<Arc<SimWorkflow>>,
    generated: u32,
    removed: BTreeSet<u32>,
    renamed: BTreeMap<u32, String>,
}

/// A workflow that may have yet to be generated. Cheap to keep.
#[derive(Debug, Clone)]
pub(crate) enum WorkflowRef {
    Listed(Arc<SimWorkflow>),
    Generated(u32, Option<String>),
}

/// A deployment with the facts that lists are filtered by.
#[derive(Debug, Clone)]
pub(crate) struct DeploymentRef {
    pub(crate) workflow: WorkflowRef,
    pub(crate) deployment: SimDeployment,
}

impl SimCatalogue {
    /// A handful of workflows as an account has them: `Text to Image` and two more of its kind on two GPUs
    /// (one of them in production and staging), image to image, captions, and one on somebody's own
    /// computer; fluid and not. `Text to Image` is the newest, thus the first in every list.
    #[must_use]
    pub fn demo() -> Self {
        Self::empty()
            .with(
                SimWorkflow::text_to_image("SDXL Portrait")
                    .deployed(SimDeployment::production(SimMachine::A10g).fluid())
                    .deployed(SimDeployment::staging(SimMachine::A10g)),
            )
            .with(
                SimWorkflow::text_to_image("Flux Dreamscape")
                    .deployed(SimDeployment::production(SimMachine::H100).fluid()),
            )
            .with(
                SimWorkflow::image_to_image("Image Restyle")
                    .deployed(SimDeployment::production(SimMachine::A10g))
                    .deployed(SimDeployment::in_environment("preview", SimMachine::T4)),
            )
            .with(SimWorkflow::caption("Caption Writer").deployed(SimDeployment::production(SimMachine::T4).fluid()))
            .with(
                SimWorkflow::text_to_image("Workshop Sketch").deployed(SimDeployment::production(SimMachine::Classic)),
            )
            .with(SimWorkflow::text_to_image("Text to Image").deployed(SimDeployment::production(SimMachine::A10g)))
    }

    /// Nothing; add with [`with`](Self::with).
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// `count` generated workflows with one production deployment each, every other one fluid, named
    /// `Workflow 00000` and on. Their graphs have 30 to 60 nodes and are made anew for each answer, one at
    /// a time: the simulator's memory does not grow with `count`.
    #[must_use]
    pub fn sized(count: u32) -> Self {
        Self { generated: count, ..Self::default() }
    }

    /// Adds a workflow, or a new version of one that is there: ids stay, the version's id changes.
    #[must_use]
    pub fn with(mut self, workflow: SimWorkflow) -> Self {
        self.put(workflow);
        self
    }

    pub(crate) fn put(&mut self, mut workflow: SimWorkflow) {
        if let Some(at) = self.listed.iter().position(|w| w.id == workflow.id) {
            let old = self.listed.remove(at);
            workflow.version = old.version.saturating_add(1);
            workflow.created = old.created;
        }
        // Newest first, as the service lists them.
        self.listed.insert(0, Arc::new(workflow));
    }

    /// Whether there was one of that name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.listed.len();
        self.listed.retain(|w| w.name != name);
        let index = self.generated_named(name);
        self.removed.extend(index);
        before != self.listed.len() || index.is_some()
    }

    /// Whether there was one of that name. No time changes: a deployment's `updated_at` is its own, and a
    /// client cannot learn of a new name from it.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> bool {
        if let Some(workflow) = self.listed.iter_mut().find(|w| w.name == from) {
            Arc::make_mut(workflow).name = to.to_owned();
            return true;
        }
        let Some(index) = self.generated_named(from) else {
            return false;
        };
        self.renamed.insert(index, to.to_owned());
        true
    }

    fn generated_named(&self, name: &str) -> Option<u32> {
        let renamed = self.renamed.iter().find(|(_, to)| *to == name);
        let index = match renamed {
            Some((index, _)) => *index,
            None => name.strip_prefix(GENERATED_PREFIX)?.parse().ok()?,
        };
        let plain = renamed.is_some() || !self.renamed.contains_key(&index);
        (plain && self.has_generated(index)).then_some(index)
    }

    fn has_generated(&self, index: u32) -> bool {
        index < self.generated && !self.removed.contains(&index)
    }

    /// Every workflow, newest first.
    pub(crate) fn workflows(&self) -> impl Iterator<Item = WorkflowRef> + '_ {
        let listed = self.listed.iter().cloned().map(WorkflowRef::Listed);
        let generated = (0..self.generated).filter(|i| self.has_generated(*i));
        listed.chain(generated.map(|i| self.generated_ref(i)))
    }

    /// Every deployment, newest first.
    pub(crate) fn deployments(&self) -> impl Iterator<Item = DeploymentRef> + '_ {
        self.workflows().flat_map(|workflow| {
            workflow
                .deployments()
                .into_iter()
                .map(move |deployment| DeploymentRef { workflow: workflow.clone(), deployment })
        })
    }

    pub(crate) fn deployment(&self, id: Uuid) -> Option<DeploymentRef> {
        let generated = ids::index_of(GENERATED_DEPLOYMENT, id);
        if let Some(index) = generated.filter(|i| self.has_generated(*i)) {
            return Some(DeploymentRef {
                workflow: self.generated_ref(index),
                deployment: generated_deployment(index),
            });
        }
        self.listed.iter().find_map(|workflow| {
            let deployment = workflow.deployments.iter().find(|d| d.id == id)?;
            Some(DeploymentRef { workflow: WorkflowRef::Listed(workflow.clone()), deployment: deployment.clone() })
        })
    }

    pub(crate) fn workflow(&self, id: Uuid) -> Option<WorkflowRef> {
        let generated = ids::index_of(GENERATED_WORKFLOW, id);
        if let Some(index) = generated.filter(|i| self.has_generated(*i)) {
            return Some(self.generated_ref(index));
        }
        let listed = self.listed.iter().find(|w| w.id == id)?;
        Some(WorkflowRef::Listed(listed.clone()))
    }

    fn generated_ref(&self, index: u32) -> WorkflowRef {
        WorkflowRef::Generated(index, self.renamed.get(&index).cloned())
    }
}

const GENERATED_PREFIX: &str = "Workflow ";
const GENERATED_WORKFLOW: &str = "generated-workflow";
const GENERATED_DEPLOYMENT: &str = "generated-deployment";

/// The moment the newest generated workflow was made (2025-01-01): before any that is added later, since
/// lists are newest first. Each next one is a minute older.
const GENERATED_NEWEST_S: i64 = 1_735_689_600;

impl WorkflowRef {
    /// The workflow itself, generated if need be.
    pub(crate) fn load(&self) -> Arc<SimWorkflow> {
        match self {
            Self::Listed(workflow) => workflow.clone(),
            Self::Generated(index, renamed) => Arc::new(generate(*index, renamed.clone())),
        }
    }

    /// Without generating the rest.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Listed(workflow) => workflow.name.clone(),
            Self::Generated(_, Some(name)) => name.clone(),
            Self::Generated(index, None) => generated_name(*index),
        }
    }

    /// Without generating the rest.
    pub(crate) fn deployments(&self) -> Vec<SimDeployment> {
        match self {
            Self::Listed(workflow) => workflow.deployments.clone(),
            Self::Generated(index, _) => vec![generated_deployment(*index)],
        }
    }
}

fn generated_deployment(index: u32) -> SimDeployment {
    let machine = match index % 3 {
        0 => SimMachine::A10g,
        1 => SimMachine::T4,
        _ => SimMachine::H100,
    };
    let mut deployment = SimDeployment::production(machine);
    deployment.fluid = index % 2 == 1;
    deployment.id = ids::indexed(GENERATED_DEPLOYMENT, index);
    deployment
}

fn generated_name(index: u32) -> String {
    format!("{GENERATED_PREFIX}{index:05}")
}

fn generate(index: u32, renamed: Option<String>) -> SimWorkflow {
    let age = SignedDuration::from_mins(index.into());
    let made =
        Timestamp::from_second(GENERATED_NEWEST_S).and_then(|newest| newest.checked_sub(age)).unwrap_or_default();
    SimWorkflow {
        id: ids::indexed(GENERATED_WORKFLOW, index),
        name: renamed.unwrap_or_else(|| generated_name(index)),
        version: 1,
        created: made,
        updated: made,
        graph: templates::heavy(index),
        deployments: vec![generated_deployment(index)],
    }
}
