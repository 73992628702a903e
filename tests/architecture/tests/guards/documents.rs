use gatelodge_architecture::documents::{MAP, check_links, check_map};
use gatelodge_architecture::workspace::Crate;
use gatelodge_architecture::{Tree, Workspace};

fn workspace() -> Workspace {
    let member = |name: &str| Crate {
        name: name.to_owned(),
        ..Crate::default()
    };
    Workspace {
        crates: vec![member("gatelodge-core"), member("gatelodge-server")],
    }
}

fn places_in_map(map: &str) -> Vec<String> {
    let violations = check_map(&workspace(), &Tree::of([(MAP, map)]));
    violations.into_iter().map(|v| v.place).collect()
}

fn broken_links(text: &str) -> Vec<String> {
    let tree = Tree::of([
        ("README.md", ""),
        ("docs/guide.md", text),
        ("docs/decisions/0001-a.md", ""),
    ]);
    let violations = check_links(&tree);
    violations.into_iter().map(|v| v.place).collect()
}

#[test]
fn a_map_that_names_every_crate_passes() {
    let map = "`gatelodge-core`, `gatelodge-server`, gatelodge-provider-<x>, ./gatelodge-data/";
    assert!(places_in_map(map).is_empty());
}

#[test]
fn a_crate_that_the_map_leaves_out_fails() {
    let found = places_in_map("only `gatelodge-core` is here, and gatelodge-server-next");
    assert!(found.contains(&format!("{MAP}: gatelodge-server")));
}

#[test]
fn a_crate_that_only_the_map_knows_fails() {
    let found = places_in_map("gatelodge-core gatelodge-server gatelodge-ghost.");
    assert_eq!(found, [format!("{MAP}: gatelodge-ghost")]);
}

#[test]
fn a_missing_map_fails() {
    assert_eq!(check_map(&workspace(), &Tree::default()).len(), 1);
}

#[test]
fn links_that_lead_somewhere_pass() {
    let text = "[a](../README.md) [b](decisions/) ![c](decisions/0001-a.md#why \"title\") \
                [d](https://example.org/x) [e](#below) [f](mailto:a@example.org) [`g`](./guide.md)\n\
                [h]: ../docs/guide.md\n[i](crate::Provider)\n";
    assert!(broken_links(text).is_empty(), "{:?}", broken_links(text));
}

#[test]
fn links_that_lead_nowhere_fail() {
    for target in [
        "nowhere.md",
        "../../README.md",
        "/README.md",
        "docs/guide.md#a",
    ] {
        let place = format!("docs/guide.md: {target}");
        assert_eq!(
            broken_links(&format!("see [it]({target}).")),
            std::slice::from_ref(&place)
        );
        assert_eq!(broken_links(&format!("[it]: {target}")), [place]);
    }
}

#[test]
fn what_looks_like_a_link_in_code_is_none() {
    let text = "`[a](nowhere.md)`\n```\n[b](nowhere.md)\n```\n~~~\n```\n[c](nowhere.md)\n~~~\n[d](gone.md)";
    assert_eq!(broken_links(text), ["docs/guide.md: gone.md"]);
}
