mod scripted;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::TryRecvError;

use self::scripted::{Answer, Scripted};
use super::*;
use crate::cost::RateCard;
use crate::id::ToolId;
use crate::json_doc::JsonDoc;
use crate::time::TokioClock;

fn tool(provider: &str, key: &str, name: &str) -> ToolDefinition {
    let provider = ProviderId::new(provider).unwrap();
    ToolDefinition::new(ToolId::for_key(&provider, key).unwrap(), provider, "scripted", name).seal()
}

fn tools(provider: &str, keys: impl IntoIterator<Item = u32>) -> Vec<ToolDefinition> {
    keys.into_iter().map(|key| tool(provider, &format!("k{key}"), &format!("Tool {key}"))).collect()
}

fn registry(providers: &[&Arc<Scripted>]) -> ToolRegistry {
    let providers = providers.iter().map(|p| Arc::clone(*p) as Arc<dyn ServiceProvider>).collect();
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_micros(0)));
    ToolRegistry::new(providers, clock, RegistryPolicy::default()).unwrap()
}

fn count(registry: &ToolRegistry) -> usize {
    registry.snapshot().tools().len()
}

#[tokio::test(start_paused = true)]
async fn a_failing_provider_keeps_its_tools_and_is_stale_with_its_age_and_error() {
    let flaky = Scripted::new("flaky", [Answer::Tools(tools("flaky", 0..3)), Answer::Fails]);
    let steady =
        Scripted::new("steady", [Answer::Tools(tools("steady", 10..12)), Answer::Tools(tools("steady", 10..13))]);
    let registry = registry(&[&flaky, &steady]);
    registry.refresh().await.unwrap();
    tokio::time::advance(Duration::from_secs(300)).await;

    let outcome = registry.refresh().await.unwrap();
    assert_eq!(outcome.failed, std::slice::from_ref(&flaky.id));
    assert_eq!(outcome.diff.added, [ToolId::new("steady:k12").unwrap()]);
    assert!(outcome.diff.removed.is_empty());
    let status = outcome.snapshot.provider(&flaky.id).unwrap();
    assert_eq!((status.stale, status.tools), (true, 3));
    assert_eq!(status.age(Timestamp::from_micros(300_000_000)), Some(Duration::from_secs(300)));
    assert_eq!(status.error.as_ref().unwrap().http_status, Some(502));
    assert_eq!(status.rate_card, Some(RateCard::new("script")));
    let status = outcome.snapshot.provider(&steady.id).unwrap();
    assert_eq!((status.stale, status.tools, &status.error), (false, 3, &None));
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_with_the_names_and_inputs_of_before_and_after() {
    let with = |name: &str, inputs: Value| {
        let mut tool = tool("p", "k1", name);
        tool.input_schema = JsonDoc::from_value(&json!({ "type": "object", "properties": inputs }));
        tool.seal()
    };
    let before = with("Portrait", json!({ "prompt": {}, "steps": { "maximum": 50 }, "old": {} }));
    let after = with("Face", json!({ "prompt": {}, "steps": { "maximum": 60 }, "new": {} }));
    let first = vec![before, tool("p", "k2", "Gone")];
    let provider =
        Scripted::new("p", [Answer::Tools(first), Answer::Tools(vec![after.clone(), tool("p", "k3", "Come")])]);
    let registry = registry(&[&provider]);
    let empty = registry.snapshot();
    let old = registry.refresh().await.unwrap().snapshot;
    assert_eq!(LastChange::between(&empty, &old).unwrap().added.len(), 2);
    assert_eq!(LastChange::between(&old, &old), None);
    let change = LastChange::between(&old, &registry.refresh().await.unwrap().snapshot).unwrap();
    let slugs = |tools: &[ToolRef]| tools.iter().map(|tool| tool.slug.clone()).collect::<Vec<_>>();
    assert_eq!((slugs(&change.added), slugs(&change.removed)), (vec!["come".to_owned()], vec!["gone".to_owned()]));
    let [changed] = change.changed.as_slice() else { panic!("{change:?}") };
    assert_eq!((changed.tool.slug.as_str(), changed.renamed_from.as_deref()), ("face", Some("portrait")));
    assert_eq!(changed.impact, Impact::Breaking);
    assert_eq!(
        (changed.inputs_added.as_slice(), changed.inputs_removed.as_slice()),
        (&["new".to_owned()][..], &["old".to_owned()][..])
    );
    assert_eq!(changed.inputs_changed, ["steps"]);
    let text = serde_json::to_string(&change).unwrap();
    assert_eq!(serde_json::from_str::<LastChange>(&text).unwrap(), change, "{text}");
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_nothing_is_lost_and_the_caller_is_told() {
    let provider = Scripted::new("p", [Answer::Fails, Answer::Tools(tools("p", 0..3)), Answer::Fails]);
    let registry = registry(&[&provider]);
    let error = registry.refresh().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Backoff));
    assert!(registry.next_refresh_in() <= Duration::from_secs(11));
    registry.refresh().await.unwrap();
    assert!(registry.next_refresh_in() >= Duration::from_secs(270));
    registry.refresh().await.unwrap_err();
    assert_eq!(count(&registry), 3);
    assert!(registry.snapshot().providers()[0].stale);
}

/// Ten tools; then `script`; then one more refresh. How many tools are left, and how often was it asked for them?
async fn check_loss(script: impl IntoIterator<Item = Answer>, left: usize, asked: u32, stale: bool) {
    let provider = Scripted::new("p", [Answer::Tools(tools("p", 0..10))].into_iter().chain(script));
    let registry = registry(&[&provider]);
    registry.refresh().await.unwrap();
    let outcome = registry.refresh().await;
    assert_eq!((count(&registry), provider.asked() - 1), (left, asked));
    assert_eq!(registry.snapshot().providers()[0].stale, stale);
    match outcome {
        Ok(outcome) => assert_eq!(outcome.diff.removed.len(), 10 - left),
        Err(_) => assert!(stale),
    }
}

#[tokio::test(start_paused = true)]
async fn a_great_loss_is_believed_only_when_told_twice() {
    let list = |keys: std::ops::Range<u32>| Answer::Tools(tools("p", keys));
    // An empty list and half a list that were a moment's fault.
    check_loss([list(0..0), list(0..10)], 10, 2, false).await;
    check_loss([list(0..5), list(0..10)], 10, 2, false).await;
    // The same twice.
    check_loss([list(0..0), list(0..0)], 0, 2, false).await;
    check_loss([list(0..5), list(0..5)], 5, 2, false).await;
    // Two stories, or no second answer.
    check_loss([list(0..5), list(5..10)], 10, 2, true).await;
    check_loss([list(0..0), Answer::Fails], 10, 2, true).await;
    check_loss([list(0..0), Answer::Takes(Duration::from_secs(90), Vec::new())], 10, 2, true).await;
    // A small loss is a removal.
    check_loss([list(0..8)], 8, 1, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_provider_is_given_up_and_does_not_hold_the_others() {
    let slow = Scripted::new("slow", [Answer::Takes(Duration::from_secs(3600), tools("slow", 0..3))]);
    let fast = Scripted::new("fast", [Answer::Tools(tools("fast", 0..3))]);
    let registry = registry(&[&slow, &fast]);
    let begun = tokio::time::Instant::now();
    let outcome = registry.refresh().await.unwrap();
    assert_eq!(begun.elapsed(), RegistryPolicy::default().discover_timeout);
    assert_eq!(outcome.failed, std::slice::from_ref(&slow.id));
    assert_eq!(count(&registry), 3);
}

#[tokio::test(start_paused = true)]
async fn callers_at_the_same_time_share_one_refresh() {
    let provider = Scripted::new("p", [Answer::Takes(Duration::from_secs(5), tools("p", 0..3))]);
    let registry = registry(&[&provider]);
    // One of them gives up; the refresh goes on for the others.
    let gives_up = tokio::time::timeout(Duration::from_secs(1), registry.refresh());
    let (first, second, third) = tokio::join!(gives_up, registry.refresh(), registry.refresh());
    assert!(first.is_err());
    assert!(Arc::ptr_eq(&second.unwrap().snapshot, &third.unwrap().snapshot));
    assert_eq!(provider.asked(), 1);
    registry.refresh().await.unwrap();
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_nobody_waits_for_is_dropped() {
    let provider = Scripted::new("p", [Answer::Takes(Duration::from_secs(5), tools("p", 0..3))]);
    let registry = registry(&[&provider]);
    assert!(tokio::time::timeout(Duration::from_secs(1), registry.refresh()).await.is_err());
    assert_eq!(registry.snapshot().revision(), 0);
    registry.refresh().await.unwrap();
    assert_eq!((provider.asked(), count(&registry)), (2, 3));
}

#[tokio::test]
async fn a_tool_that_cannot_be_the_providers_is_left_out_with_a_warning() {
    let odd = vec![tool("p", "a", "A"), tool("other", "b", "B"), tool("p", "a", "A again")];
    let provider = Scripted::new("p", [Answer::Tools(odd)]);
    let outcome = registry(&[&provider]).refresh().await.unwrap();
    assert_eq!(outcome.snapshot.tools().len(), 1);
    assert_eq!(outcome.snapshot.tools()[0].definition().display_name, "A");
    assert_eq!(outcome.snapshot.providers()[0].warnings.len(), 2);
}

#[test]
fn two_providers_of_one_id_are_refused() {
    let provider = Scripted::new("p", []);
    let providers: Vec<Arc<dyn ServiceProvider>> = vec![Arc::clone(&provider) as _, provider];
    let clock = Arc::new(crate::SystemClock);
    let error = ToolRegistry::new(providers, clock, RegistryPolicy::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

fn with_schema(mut tool: ToolDefinition, schema: &Value) -> ToolDefinition {
    tool.input_schema = JsonDoc::from_value(schema);
    tool.seal()
}

#[tokio::test]
async fn subscribers_get_each_change_with_its_impact_and_nothing_else() {
    let steps = |maximum: u32| json!({ "type": "object", "properties": { "steps": { "type": "integer", "maximum": maximum } }, "additionalProperties": false });
    let day = |a: u32, b: &str, key: u32| {
        let a = with_schema(tool("p", "a", "A"), &steps(a));
        Answer::Tools([vec![a, tool("p", "b", b), tool("p", "c", "C")], tools("p", [key])].concat())
    };
    let provider = Scripted::new("p", [day(50, "B", 1), day(50, "B", 1), day(40, "Bee", 2)]);
    let registry = registry(&[&provider]);
    let mut changes = registry.subscribe();
    for _ in 0..3 {
        registry.refresh().await.unwrap();
    }
    assert_eq!(changes.try_recv().unwrap().diff.added.len(), 4);
    let change = changes.try_recv().unwrap();
    let diff = serde_json::to_value(&*change.diff).unwrap();
    let expected = json!({
        "added": ["p:k2"], "removed": ["p:k1"],
        "changed": [{ "toolId": "p:a", "impact": "breaking" }, { "toolId": "p:b", "impact": "compatible" }]
    });
    assert_eq!(diff, expected);
    assert_eq!(change.snapshot.revision(), registry.snapshot().revision());
    assert_eq!(changes.try_recv().unwrap_err(), TryRecvError::Empty);
}

#[tokio::test]
async fn a_validator_is_compiled_once_for_a_schema() {
    let schema = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false });
    let (old, renamed) = (with_schema(tool("p", "a", "A"), &schema), with_schema(tool("p", "a", "Z"), &schema));
    let other = with_schema(tool("p", "a", "Z"), &json!({ "type": "object" }));
    let provider = Scripted::new("p", [old.clone(), old, renamed, other].map(|tool| Answer::Tools(vec![tool])));
    let registry = registry(&[&provider]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let snapshot = registry.refresh().await.unwrap().snapshot;
        seen.push((Arc::clone(&snapshot.tools()[0]), snapshot.tools()[0].validator().unwrap()));
    }
    assert!(Arc::ptr_eq(&seen[0].0, &seen[1].0), "an unchanged tool is shared");
    assert!(!Arc::ptr_eq(&seen[1].0, &seen[2].0) && Arc::ptr_eq(&seen[1].1, &seen[2].1));
    assert!(!Arc::ptr_eq(&seen[2].1, &seen[3].1));
}

#[tokio::test]
async fn an_unusable_schema_spoils_its_own_tool_only() {
    let bad = with_schema(tool("p", "a", "A"), &json!({ "type": "no such" }));
    let provider = Scripted::new("p", [Answer::Tools(vec![bad, tool("p", "b", "B")])]);
    let snapshot = registry(&[&provider]).refresh().await.unwrap().snapshot;
    let error = snapshot.tools()[0].validator().unwrap_err();
    assert_eq!(error.context().next(), Some(("tool", "p:a")));
    assert!(snapshot.tools()[1].validator().is_ok());
}

fn resolved(snapshot: &Snapshot, typed: &str) -> String {
    let id = |tool: &&Arc<Tool>| tool.definition().tool_id.to_string();
    match snapshot.resolve(typed) {
        Resolution::Exact(tool) => id(&tool),
        Resolution::Ambiguous(tools) => format!("one of {}", tools.iter().map(id).collect::<Vec<_>>().join(" ")),
        Resolution::Removed { names, suggestions } => {
            format!("gone {}: {}", names.tool_id, suggestions.iter().map(id).collect::<Vec<_>>().join(" "))
        }
        Resolution::Unknown { suggestions } => {
            format!("no: {}", suggestions.iter().map(id).collect::<Vec<_>>().join(" "))
        }
    }
}

#[tokio::test]
async fn what_was_typed_is_resolved_exactly_or_not_at_all() {
    let mut hidden = tool("a", "h", "Flux Pri");
    hidden.visibility = crate::tool::Visibility::Unlisted;
    let first = vec![tool("a", "w1", "Flux Dev"), tool("a", "w2", "Upscale"), hidden.clone()];
    let renamed = vec![tool("a", "w1", "Flux Pro"), tool("a", "w2", "Upscale"), hidden];
    let a = Scripted::new("a", [Answer::Tools(first), Answer::Tools(renamed)]);
    let b = Scripted::new("b", [Answer::Tools(vec![tool("b", "w2", "Video"), tool("b", "upscale", "Other")])]);
    let registry = registry(&[&a, &b]);
    registry.refresh().await.unwrap();
    registry.refresh().await.unwrap();
    let snapshot = registry.snapshot();
    for (typed, meant) in [
        ("a:w1", "a:w1"),
        (" flux-pro ", "a:w1"),
        ("FLUX-PRO", "a:w1"),
        ("flux-dev", "a:w1"),
        ("w1", "a:w1"),
        ("w2", "one of a:w2 b:w2"),
        ("W1", "no: "),
        // A slug goes before another tool's key.
        ("upscale", "a:w2"),
        ("flux-pri", "a:h"),
        ("flux-prp", "no: a:w1"),
        ("Flux Pro!", "no: a:w1"),
        ("flux", "no: a:w1"),
        ("", "no: "),
        ("画像", "no: "),
    ] {
        assert_eq!(resolved(&snapshot, typed), meant, "{typed:?}");
    }
    assert_eq!(resolved(&snapshot, &"x".repeat(1_000_000)), "no: ");
}

#[tokio::test(start_paused = true)]
async fn a_restart_serves_the_same_tools_at_once_and_marks_them_stale() {
    let before = Scripted::new("p", [Answer::Tools(tools("p", 0..5)), Answer::Tools(tools("p", 1..5))]);
    let gone = Scripted::new("gone", [Answer::Tools(tools("gone", 10..12))]);
    let old = registry(&[&before, &gone]);
    old.refresh().await.unwrap();
    old.refresh().await.unwrap();
    let saved = old.export().unwrap();

    let after = Scripted::new("p", [Answer::Tools([tools("p", 1..5), vec![tool("p", "new", "Tool 0")]].concat())]);
    let new = registry(&[&after]);
    let mut changes = new.subscribe();
    new.restore(&saved).unwrap();
    assert_eq!(changes.try_recv().unwrap().diff.added.len(), 4);
    let (old, restored) = (old.snapshot(), new.snapshot());
    let of_p = old.definitions_of(&before.id).collect::<Vec<_>>();
    assert_eq!(restored.tools().iter().map(|tool| tool.definition()).collect::<Vec<_>>(), of_p);
    let status = &restored.providers()[0];
    assert_eq!((status.stale, status.tools, status.refreshed_at), (true, 4, Some(Timestamp::from_micros(0))));
    assert_eq!(restored.providers().len(), 1);

    let outcome = new.refresh().await.unwrap();
    assert!(!outcome.snapshot.providers()[0].stale);
    // The name of a tool that was removed before the restart is still kept from another.
    let newcomer = outcome.snapshot.get(&ToolId::new("p:new").unwrap()).unwrap();
    assert!(newcomer.definition().slug.starts_with("tool-0-"));
    assert_eq!(outcome.snapshot.collisions().len(), 1);
    assert_eq!(new.restore(&saved).unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn every_name_of_a_removed_tool_says_so_after_a_restart_too() {
    let rest = || vec![tool("p", "x", "Xylophone"), tool("p", "y", "Yak")];
    let with = |name: &str| Answer::Tools([vec![tool("p", "a", name)], rest()].concat());
    let back = Answer::Tools([vec![tool("p", "b", "Flux Pro")], rest()].concat());
    let provider = Scripted::new("p", [with("Flux Dev"), with("Flux Pro"), Answer::Tools(rest()), back]);
    let (registry, restarted) = (registry(&[&provider]), registry(&[&provider]));
    for _ in 0..3 {
        registry.refresh().await.unwrap();
    }
    restarted.restore(&registry.export().unwrap()).unwrap();
    for snapshot in [registry.snapshot(), restarted.snapshot()] {
        for name in ["p:a", "a", "flux-pro", " Flux-Dev"] {
            assert_eq!(resolved(&snapshot, name), "gone p:a: ", "{name:?}");
        }
        assert_eq!(resolved(&snapshot, "flux"), "no: ");
    }
    registry.refresh().await.unwrap();
    // Another tool of the same name is suggested, and not run.
    assert_eq!(resolved(&registry.snapshot(), "flux-pro"), "gone p:a: p:b");
}

#[tokio::test(start_paused = true)]
async fn the_names_of_a_removed_tool_are_free_after_a_month() {
    let flux = |key: &str| Answer::Tools(vec![tool("p", key, "Flux"), tool("p", "x", "X"), tool("p", "y", "Y")]);
    let without = Answer::Tools(vec![tool("p", "x", "X"), tool("p", "y", "Y")]);
    let provider = Scripted::new("p", [flux("a"), without.clone(), without, flux("b")]);
    let registry = registry(&[&provider]);
    registry.refresh().await.unwrap();
    registry.refresh().await.unwrap();
    tokio::time::advance(NAMES_KEPT).await;
    registry.refresh().await.unwrap();
    registry.refresh().await.unwrap();
    assert_eq!(resolved(&registry.snapshot(), "flux"), "p:b");
}

#[tokio::test]
async fn damaged_bytes_are_refused_and_change_nothing() {
    let provider = Scripted::new("p", [Answer::Tools(tools("p", 0..3))]);
    let old = registry(&[&provider]);
    old.refresh().await.unwrap();
    let saved = old.export().unwrap();
    let newer = String::from_utf8(saved.clone()).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    let new = registry(&[&provider]);
    for bytes in [b"".as_slice(), b"{}", b"[1]", &saved[..saved.len() - 1], newer.as_bytes()] {
        assert_eq!(new.restore(bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert_eq!(new.snapshot().revision(), 0);
    new.restore(&saved).unwrap();
    assert_eq!(count(&new), 3);
}

#[test]
fn only_so_many_removed_tools_are_remembered() {
    let names = |key: usize, removed_at| Names {
        tool_id: ToolId::new(format!("p:{key}")).unwrap(),
        plain: String::new(),
        slug: String::new(),
        aliases: Vec::new(),
        removed_at,
    };
    let now = Timestamp::from_micros(0);
    let all = (0..MAX_NAMES_KEPT + 5).map(|key| names(key, Some(now))).chain([names(99_999, None)]).collect();
    let kept = remembered(all, &[tool("p", "99999", "A")], now);
    assert_eq!(kept.len(), MAX_NAMES_KEPT + 1);
    assert!(kept.iter().any(|names| names.removed_at.is_none()));
}

#[test]
fn it_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<ToolRegistry>();
    shared::<CatalogueChange>();
}

/// What a provider may answer: any of its eight tools, nothing, an error, or all of them too late.
fn any_answer() -> impl Strategy<Value = Answer> {
    let some = prop::collection::btree_set(0_u32..8, 0..8).prop_map(|keys| Answer::Tools(tools("p", keys)));
    let all = || tools("p", 0..8);
    prop_oneof![
        4 => some,
        2 => Just(Answer::Tools(all())),
        1 => Just(Answer::Tools(Vec::new())),
        1 => Just(Answer::Fails),
        1 => Just(Answer::Takes(Duration::from_secs(3600), all())),
        1 => Just(Answer::Takes(Duration::from_secs(5), all())),
    ]
}

proptest! {
    /// I9. Whatever a provider answers: no tool goes without a diff that says so, none in a failed refresh, and half of
    /// them or more only when it was told twice.
    #[test]
    fn i09_a_failing_refresh_never_shrinks_the_catalogue(script in prop::collection::vec(any_answer(), 1..16)) {
        let rounds = script.len();
        let provider = Scripted::new("p", script);
        let registry = registry_of(&provider);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        for _ in 0..rounds {
            let (before, asked) = (registry.snapshot(), provider.asked());
            let outcome = runtime.block_on(registry.refresh());
            let after = registry.snapshot();
            let removed = before.tools().iter().filter(|tool| after.get(&tool.definition().tool_id).is_none()).count();
            match outcome {
                Ok(outcome) => prop_assert_eq!(outcome.diff.removed.len(), removed),
                Err(_) => {
                    prop_assert_eq!((removed, after.tools().len()), (0, before.tools().len()));
                    prop_assert!(after.providers()[0].stale && after.providers()[0].error.is_some());
                }
            }
            let told = provider.asked() - asked;
            prop_assert!(removed == 0 || removed * 2 < before.tools().len() || told == 2, "{} lost, told once", removed);
            prop_assert_eq!(after.providers()[0].tools, after.tools().len());
            for tool in after.tools() {
                prop_assert_eq!(resolved(&after, &tool.definition().slug), tool.definition().tool_id.as_str());
            }
        }
    }
}

fn registry_of(provider: &Arc<Scripted>) -> ToolRegistry {
    let providers = vec![Arc::clone(provider) as Arc<dyn ServiceProvider>];
    ToolRegistry::new(providers, Arc::new(crate::SystemClock), RegistryPolicy::default()).unwrap()
}
