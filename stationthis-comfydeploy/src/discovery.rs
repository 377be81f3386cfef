//! The whole catalogue of an account.
//!
//! # What becomes a tool
//! One tool per workflow that has a deployment, with the workflow's id as its key: redeploying and renaming leave it
//! what it is. It runs the deployment that [`ComfyDeployConfig::environments`] prefers, among equals the one changed
//! last; the ids of all others are in its `endpointDetails`.
//!
//! # How it is read
//! Page by page, fluid deployments and others at once. An entry is read straight into a small struct that skips both
//! graphs but for the input and output nodes, so the memory is that of one page and the tools, however large the
//! account is.

mod choose;
mod page;
mod tool;

use crate::client::Client;
use crate::config::ComfyDeployConfig;
use crate::error::Operation;
use crate::pricing;
use choose::Workflows;
use stationthis_core::cost::RateCard;
use stationthis_core::provider::Catalogue;
use stationthis_core::{ProviderId, Result, ToolDefinition};
use std::collections::HashMap;

use crate::wire::deployment::Deployment;
use crate::wire::machine::Machine;

/// The most warnings kept: enough to see a pattern, whatever the account looks like.
const WARNINGS_MAX: usize = 200;

/// Machines per page.
const MACHINES_PAGE: u32 = 100;

const MACHINE_LIST: page::List = page::List {
    operation: Operation::ListMachines,
    path: "/machines",
    // Without it deleted machines are in the list, and nothing marks them.
    filter: ("is_deleted", false),
    size_name: "limit",
    size: MACHINES_PAGE,
};

/// Sentences about what looked odd, bounded.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<String>);

impl Warnings {
    pub(crate) fn add(&mut self, warning: String) {
        // Pages overlap, so an entry may be read twice.
        if self.0.len() < WARNINGS_MAX && !self.0.contains(&warning) {
            self.0.push(warning);
        }
    }
}

/// Reads everything. An error when any list fails; only the prices may be missing.
pub(crate) async fn discover(client: &Client, id: &ProviderId, config: &ComfyDeployConfig) -> Result<Catalogue> {
    let mut plain_warnings = Warnings::default();
    let mut fluid_warnings = Warnings::default();
    let mut machine_warnings = Warnings::default();
    let (plain, fluid, machines, prices) = tokio::join!(
        deployments(client, config, false, &mut plain_warnings),
        deployments(client, config, true, &mut fluid_warnings),
        machines(client, &mut machine_warnings),
        prices(client),
    );
    let (mut workflows, machines) = (plain?, machines?);
    workflows.merge(fluid?, &config.environments);

    let mut warnings = Warnings::default();
    [plain_warnings, fluid_warnings, machine_warnings].into_iter().flat_map(|w| w.0).for_each(|w| warnings.add(w));
    let mut catalogue = Catalogue::new(Vec::new());
    match prices {
        Ok((card, odd)) => {
            catalogue.rate_card = Some(card);
            odd.into_iter().for_each(|w| warnings.add(w));
        }
        Err(error) => warnings.add(format!("The service's prices cannot be read: {error}.")),
    }
    catalogue.tools = tools(id, workflows, &machines, &mut warnings);
    catalogue.warnings = warnings.0;
    Ok(catalogue)
}

/// The catalogue of an account whose lists were saved: what discovery makes of these answers of `GET /deployments` and
/// `GET /machines`, each a JSON array, without asking anybody. It has no prices.
///
/// ```
/// let catalogue = stationthis_comfydeploy::read_catalogue(&"comfydeploy".parse()?, b"[]", b"[]")?;
/// assert!(catalogue.tools.is_empty());
/// # Ok::<(), stationthis_core::Error>(())
/// ```
///
/// # Errors
/// `Corrupt` when an answer is no list. An entry that cannot be read is left out and named in the warnings.
pub fn read_catalogue(id: &ProviderId, deployments: &[u8], machines: &[u8]) -> Result<Catalogue> {
    let config = ComfyDeployConfig::default();
    let mut warnings = Warnings::default();
    let mut workflows = Workflows::default();
    for entry in page::parse(&deployment_list(&config, false), 0, deployments, &mut warnings)?.entries {
        workflows.add(entry, &config.environments, &mut warnings);
    }
    let machines = page::parse(&MACHINE_LIST, 0, machines, &mut warnings)?.entries;
    let machines = machines.into_iter().map(|machine: Machine| (machine.id.clone(), machine)).collect();
    let mut catalogue = Catalogue::new(tools(id, workflows, &machines, &mut warnings));
    catalogue.warnings = warnings.0;
    Ok(catalogue)
}

fn tools(
    id: &ProviderId,
    workflows: Workflows,
    machines: &HashMap<String, Machine>,
    warnings: &mut Warnings,
) -> Vec<ToolDefinition> {
    let mut tools = Vec::new();
    for workflow in workflows.into_sorted() {
        let key = workflow.id.clone();
        match tool::of(id, workflow, machines, warnings) {
            Ok(tool) => tools.push(tool),
            Err(error) => warnings.add(format!("Workflow {key:?} is left out: {error}.")),
        }
    }
    tools
}

async fn deployments(
    client: &Client,
    config: &ComfyDeployConfig,
    fluid: bool,
    warnings: &mut Warnings,
) -> Result<Workflows> {
    let mut workflows = Workflows::default();
    page::each(client, &deployment_list(config, fluid), warnings, |deployment, warnings| {
        workflows.add(deployment, &config.environments, warnings);
    })
    .await?;
    Ok(workflows)
}

const fn deployment_list(config: &ComfyDeployConfig, fluid: bool) -> page::List {
    page::List {
        operation: Operation::ListDeployments,
        path: "/deployments",
        filter: ("is_fluid", fluid),
        size_name: "page_size",
        size: config.page_size,
    }
}

/// Reads one page of deployments exactly as discovery does: how many entries can be read. For benches of the reading
/// alone, without HTTP.
///
/// # Errors
/// When the page is no list.
#[doc(hidden)]
pub fn read_page(body: &[u8]) -> Result<usize> {
    let list = deployment_list(&ComfyDeployConfig::default(), false);
    let page = page::parse::<Deployment>(&list, 0, body, &mut Warnings::default())?;
    Ok(std::hint::black_box(page.entries).len())
}

async fn machines(client: &Client, warnings: &mut Warnings) -> Result<HashMap<String, Machine>> {
    let mut machines = HashMap::new();
    page::each(client, &MACHINE_LIST, warnings, |machine: Machine, _| {
        machines.insert(machine.id.clone(), machine);
    })
    .await?;
    Ok(machines)
}

async fn prices(client: &Client) -> Result<(RateCard, Vec<String>)> {
    let operation = Operation::ReadPrices;
    let limit = crate::client::ANSWER_BYTES_MAX;
    let body = client.read(operation, "/platform/gpu-pricing", &[], limit).await?;
    pricing::card(&body).map_err(|e| operation.call().unreadable(200, e))
}
