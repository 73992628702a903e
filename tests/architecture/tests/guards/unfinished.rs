use gatelodge_architecture::Tree;
use gatelodge_architecture::unfinished::check;

fn found(text: &str) -> usize {
    check(&Tree::of([("core/src/a.rs", text)])).len()
}

#[test]
fn placeholders_and_switched_off_tests_fail() {
    for text in [
        "fn a() { todo!() }",
        "fn a() { unimplemented!(\"later\") }",
        "#[test]\n#[ignore]\nfn a() {}",
        "#[ignore = \"slow\"]\nfn a() {}",
        "#[cfg_attr(not(feature = \"slow\"), ignore)]\nfn a() {}",
    ] {
        assert_eq!(found(text), 1, "{text}");
    }
}

#[test]
fn the_same_words_elsewhere_pass() {
    for text in [
        "// todo!()\nfn a() { \"todo!()\"; }",
        "fn a() { let todo = 1; if todo != 2 { ignore(todo); } }",
        "#[test]\nfn a() { let ignore = [1]; }",
        "#[serde(ignore)]\nstruct A;",
    ] {
        assert_eq!(found(text), 0, "{text}");
    }
}
