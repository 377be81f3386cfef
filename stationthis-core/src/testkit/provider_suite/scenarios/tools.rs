//! Scenarios of names, capabilities and the catalogue.

use std::collections::BTreeSet;

use super::request;
use crate::error::{ErrorKind, Retry};
use crate::id::{RunId, TaskId};
use crate::json_doc::JsonDoc;
use crate::provider::{RunRef, ServiceProvider};
use crate::testkit::provider_suite::{Conduct, ProviderFixture};
use crate::tool::validate::InputValidator;
use crate::tool::{ExactlyOnce, ToolDefinition};

pub async fn its_names_and_capabilities_are_constant(fixture: &dyn ProviderFixture) {
    let names = |provider: &dyn ServiceProvider| {
        (provider.id().clone(), provider.service_name().to_owned(), provider.capabilities())
    };
    let provider = fixture.provider();
    let before = names(provider);
    assert!(!before.1.is_empty());
    provider.discover().await.unwrap();
    fixture.set(Conduct::Down);
    let _ = provider.discover().await;
    assert_eq!(names(provider), before, "whatever the service does");
    assert_eq!(names(fixture.unreachable()), before, "and wherever it is");
    if before.2.exactly_once == ExactlyOnce::Lookup {
        assert!(before.2.lookup, "a promise that needs searches");
    }
}

pub async fn its_catalogue_is_valid(fixture: &dyn ProviderFixture) {
    let provider = fixture.provider();
    let tools = provider.discover().await.unwrap().tools;
    assert!(!tools.is_empty(), "the fixture's service has no tools");
    let ids: BTreeSet<_> = tools.iter().map(|tool| &tool.tool_id).collect();
    assert_eq!(ids.len(), tools.len(), "each id stands once");
    for tool in &tools {
        let name = &tool.tool_id;
        assert_eq!(tool.provider_id, *provider.id(), "{name}");
        assert!(name.as_str().starts_with(&format!("{}:", provider.id())), "{name}");
        assert_eq!(tool.service_name, provider.service_name(), "{name}");
        assert!(!tool.display_name.trim().is_empty(), "{name}");
        assert!(tool.slug.is_empty() && tool.aliases.is_empty(), "{name}: those are the registry's");
        assert_eq!(tool.exactly_once, provider.capabilities().exactly_once, "{name}");
        assert_eq!(tool.revision, tool.clone().seal().revision, "{name} is sealed as it is");
        check_inputs(fixture, tool);
    }
    let again = provider.discover().await.unwrap().tools;
    let revisions = |tools: &[ToolDefinition]| {
        tools.iter().map(|tool| (tool.tool_id.clone(), tool.revision.clone())).collect::<BTreeSet<_>>()
    };
    assert_eq!(revisions(&again), revisions(&tools), "the same service has the same tools");
}

/// The schema compiles and takes the fixture's inputs.
fn check_inputs(fixture: &dyn ProviderFixture, tool: &ToolDefinition) {
    let name = &tool.tool_id;
    let schema = tool.input_schema.to_value();
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&"object".into(), &false.into()), "{name}");
    let validator = InputValidator::compile(&tool.input_schema).unwrap_or_else(|e| panic!("{name}: {e}"));
    if let Some(inputs) = fixture.inputs(tool) {
        let problems = validator.check(&inputs).err().unwrap_or_default();
        assert_eq!(problems, [], "{name} refuses the fixture's inputs");
    }
    jsonschema::draft202012::new(&tool.output_schema.to_value()).unwrap_or_else(|e| panic!("{name}: {e}"));
}

pub async fn a_catalogue_is_all_or_nothing(fixture: &dyn ProviderFixture) {
    let provider = fixture.provider();
    let whole = provider.discover().await.unwrap().tools.len();
    fixture.set(Conduct::Down);
    // A catalogue that comes with its provider needs no service, and is whole without it.
    match provider.discover().await {
        Ok(catalogue) => assert_eq!(catalogue.tools.len(), whole, "an outage is no removal"),
        Err(error) => assert_ne!(error.retry(), Retry::Never, "an outage passes: {error}"),
    }
    match fixture.unreachable().discover().await {
        Ok(catalogue) => assert_eq!(catalogue.tools.len(), whole, "an outage is no removal"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
    }
    fixture.set(Conduct::Good);
    assert_eq!(provider.discover().await.unwrap().tools.len(), whole, "nothing is remembered of it");
}

pub async fn no_secret_shows(fixture: &dyn ProviderFixture) {
    let secrets = fixture.secrets();
    let check = |what: &str, shown: &str| {
        for secret in &secrets {
            assert!(!shown.contains(secret), "{what} shows a secret: {shown}");
        }
    };
    let request = request(fixture).await;
    for provider in [fixture.provider(), fixture.unreachable()] {
        check("the provider", &format!("{provider:?} {provider:#?}"));
    }
    fixture.set(Conduct::Down);
    let run = RunRef::new(TaskId::generate(), RunId::new("run-that-never-was").unwrap(), JsonDoc::default());
    for provider in [fixture.provider(), fixture.unreachable()] {
        let asked = [provider.submit(&request).await.unwrap_err(), provider.poll(&run).await.unwrap_err()];
        for error in asked.into_iter().chain(provider.discover().await.err()) {
            check("an error", &format!("{error} {error:?}"));
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                check("the source of an error", &format!("{cause} {cause:?}"));
                source = cause.source();
            }
        }
    }
}
