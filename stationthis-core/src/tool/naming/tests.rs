use proptest::prelude::*;

use super::*;
use crate::id::ProviderId;

fn tool(key: &str, name: &str) -> ToolDefinition {
    let provider = ProviderId::new("p").unwrap();
    ToolDefinition::new(ToolId::for_key(&provider, key).unwrap(), provider, "test", name)
}

fn slugs(assigned: &Assigned) -> Vec<&str> {
    assigned.tools.iter().map(|tool| tool.slug.as_str()).collect()
}

#[test]
fn of_equal_names_the_lowest_id_has_the_plain_one() {
    let assigned = assign(&[], vec![tool("b", "Flux"), tool("a", "flux!")]);
    assert_eq!(assigned.tools[0].slug, "flux");
    assert!(assigned.tools[1].slug.starts_with("flux-"), "{:?}", slugs(&assigned));
    let collision = &assigned.collisions[0];
    assert_eq!((collision.wanted.as_str(), collision.held_by.as_ref().unwrap().as_str()), ("flux", "p:a"));
}

#[test]
fn a_newcomer_with_a_lower_id_takes_no_name_away() {
    let first = assign(&[], vec![tool("b", "Flux")]);
    let second = assign(&first.names, vec![tool("a", "Flux"), tool("b", "Flux")]);
    assert_eq!(second.tools[1].slug, "flux");
    assert_ne!(second.tools[0].slug, "flux");
}

#[test]
fn a_renamed_tool_is_found_by_its_former_name_and_may_have_it_back() {
    let first = assign(&[], vec![tool("a", "Flux")]);
    let renamed = assign(&first.names, vec![tool("a", "Flux Pro"), tool("b", "Flux")]);
    assert_eq!((renamed.tools[0].slug.as_str(), &renamed.tools[0].aliases), ("flux-pro", &vec!["flux".to_owned()]));
    assert!(renamed.tools[1].slug.starts_with("flux-"));
    let back = assign(&renamed.names, vec![tool("a", "Flux"), tool("b", "Flux")]);
    assert_eq!((back.tools[0].slug.as_str(), &back.tools[0].aliases), ("flux", &vec!["flux-pro".to_owned()]));
    assert_eq!(back.tools[1].slug, renamed.tools[1].slug);
}

#[test]
fn a_removed_tools_name_is_kept_until_it_is_forgotten() {
    let first = assign(&[], vec![tool("a", "Flux")]);
    let gone = assign(&first.names, Vec::new());
    assert_eq!(gone.names.len(), 1);
    let other = assign(&gone.names, vec![tool("b", "Flux")]);
    assert_ne!(other.tools[0].slug, "flux");
    assert_eq!(other.collisions[0].held_by.as_ref().unwrap().as_str(), "p:a");
    let forgotten = assign(&[], vec![tool("b", "Flux")]);
    assert_eq!(forgotten.tools[0].slug, "flux");
}

#[test]
fn only_the_last_aliases_are_kept() {
    let mut names = Vec::new();
    for i in 0..20 {
        names = assign(&names, vec![tool("a", &format!("name {i}"))]).names;
    }
    assert_eq!(names[0].aliases.len(), MAX_ALIASES);
    assert_eq!(names[0].aliases.last().unwrap(), "name-18");
}

#[test]
fn a_damaged_memory_still_gives_valid_names() {
    let damaged = |key: &str| Names {
        tool_id: tool(key, "").tool_id,
        plain: "flux".into(),
        slug: "Flux/../x".into(),
        aliases: vec!["same".into(), "NOT a slug".into()],
        removed_at: None,
    };
    let assigned = assign(&[damaged("a"), damaged("b")], vec![tool("a", "flux"), tool("b", "flux")]);
    check_valid(&assigned);
    assert_eq!(assigned.tools[0].slug, "flux");
}

#[test]
fn commands_of_long_slugs_stay_apart() {
    let long = "a very long name that goes on and on ";
    let tools = (0..50).map(|i| tool(&format!("k{i}"), &format!("{long}{i}"))).collect();
    check_valid(&assign(&[], tools));
}

fn check_valid(assigned: &Assigned) {
    let mut seen = HashSet::new();
    for tool in &assigned.tools {
        for name in tool.aliases.iter().chain([&tool.slug]) {
            assert!(is_slug(name), "{name:?}");
            assert!(seen.insert(name.clone()), "{name:?} twice");
        }
    }
    let commands = telegram_commands(&assigned.tools);
    let distinct: HashSet<&String> = commands.iter().map(|(command, _)| command).collect();
    assert_eq!(distinct.len(), assigned.tools.len());
    for (command, _) in &commands {
        assert!((1..=MAX_COMMAND).contains(&command.len()), "{command:?}");
        assert!(command.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{command:?}");
    }
}

/// Names that are likely to collide, and any others.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("Flux".to_owned()),
        Just("flux!".to_owned()),
        "[a-c]{0,2}",
        "[a-b]{60,70}",
        "[éßÆøŁ１Ａ画🚀\u{301}'-]{0,12}",
        "(long ){6,20}[ab]",
        any::<String>(),
    ]
}

fn any_catalogue() -> impl Strategy<Value = Vec<ToolDefinition>> {
    prop::collection::btree_map("[a-f]", any_name(), 0..6)
        .prop_map(|tools| tools.iter().map(|(key, name)| tool(key, name)).collect())
}

proptest! {
    #[test]
    fn slugs_are_valid_for_any_name(name in any_name()) {
        let id = tool("k", "").tool_id;
        let slug = slug(&name, &id);
        prop_assert!(is_slug(&slug), "{:?}", slug);
    }

    /// I8.
    #[test]
    fn i08_names_are_valid_unique_and_stable(catalogues in prop::collection::vec(any_catalogue(), 1..6)) {
        let mut names: Vec<Names> = Vec::new();
        for tools in catalogues {
            let next = assign(&names, tools.clone());
            check_valid(&next);
            for tool in &next.tools {
                let Some(before) = names.iter().find(|names| names.tool_id == tool.tool_id) else { continue };
                if before.plain == slug(&tool.display_name, &tool.tool_id) {
                    prop_assert_eq!(&tool.slug, &before.slug);
                } else {
                    prop_assert!(tool.aliases.contains(&before.slug) || tool.slug == before.slug);
                }
            }
            // Whatever once named a tool names no other now.
            for before in &names {
                for tool in next.tools.iter().filter(|tool| tool.tool_id != before.tool_id) {
                    prop_assert!(tool.slug != before.slug && !tool.aliases.contains(&before.slug));
                }
            }
            // A restart, and another order, give the same.
            let kept: Vec<Names> = serde_json::from_str(&serde_json::to_string(&next.names).unwrap()).unwrap();
            prop_assert_eq!(&kept, &next.names);
            prop_assert_eq!(&assign(&kept, tools.iter().rev().cloned().collect()), &next);
            names = kept;
        }
    }
}
