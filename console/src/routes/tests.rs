use super::{Role, Verb, Who, roles_document, rule_of, rules};

#[test]
fn the_document_of_roles_is_printed_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/console-roles.md");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == roles_document(), "run: console roles >docs/console-roles.md");
}

#[test]
fn each_route_has_one_rule_and_each_role_a_page() {
    for (index, rule) in rules().iter().enumerate() {
        let same = |other: &&super::Rule| (other.verb, other.path) == (rule.verb, rule.path);
        assert_eq!(rules().iter().find(same).map(|first| first.path), Some(rule.path));
        assert_eq!(rules().iter().position(|other| same(&other)), Some(index), "{}", rule.path);
    }
    for role in Role::ALL {
        let page =
            |rule: &&super::Rule| matches!(rule.who, Who::Roles(roles) if roles.contains(&role));
        assert!(rules().iter().any(|rule| page(&rule)), "{} has nothing to do", role.name());
    }
}

#[test]
fn what_changes_something_is_never_open_but_the_door_itself() {
    for rule in rules().iter().filter(|rule| rule.verb == Verb::Post && rule.who == Who::Everybody)
    {
        assert!(rule.path.starts_with("/login"), "{} is open to everybody", rule.path);
    }
}

#[test]
fn who_only_looks_changes_nothing() {
    // An auditor shows a plate, which changes nothing but the log of it.
    for role in [Role::Auditor, Role::Authority] {
        let posts = rules().iter().filter(|rule| rule.verb == Verb::Post);
        let changing = posts.filter(|rule| matches!(rule.who, Who::Roles(r) if r.contains(&role)));
        for rule in changing {
            let shows = rule.path.starts_with("/passages/") || rule.path.ends_with("/looks");
            assert!(shows, "{} posts to {}", role.name(), rule.path);
        }
    }
}

#[test]
fn who_gives_rights_changes_nothing_but_people_keys_and_how_lanes_work() {
    let changes = |rule: &&super::Rule| {
        rule.verb == Verb::Post
            && matches!(rule.who, Who::Roles(roles) if roles.contains(&Role::Administrator))
    };
    // No money: of lanes, only how they are to work.
    let lanes = |rule: &&super::Rule| rule.path.starts_with("/equipment/");
    for rule in rules().iter().filter(changes).filter(|rule| !lanes(rule)) {
        let own = ["/people/", "/keys/"].iter().any(|own| rule.path.starts_with(own));
        assert!(own && rule.who == Who::Roles(&[Role::Administrator]), "{}", rule.path);
    }
}

#[test]
fn no_route_is_made_anywhere_else() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut folders = vec![std::path::PathBuf::from(source)];
    let mut makers = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                if text.contains(&format!(".{}(", "route")) {
                    makers.push(path.strip_prefix(source).unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(makers, [std::path::PathBuf::from("routes.rs")]);
}

#[test]
fn a_station_serves_what_needs_no_books() {
    assert!(rule_of(Verb::Get, "/station", true).is_some());
    assert!(rule_of(Verb::Get, "/finance", true).is_none());
    assert!(rule_of(Verb::Get, "/finance", false).is_some());
    assert!(rule_of(Verb::Post, "/finance", false).is_none());
}
