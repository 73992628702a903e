use gatelodge_architecture::Tree;
use gatelodge_architecture::sizes::{
    MAX_FILE_LINES, MAX_FUNCTION_LINES, check_files, check_functions,
};

fn function_of(lines: usize) -> String {
    format!(
        "fn before() {{}}\nfn long() {{\n{}}}\n",
        "    a();\n".repeat(lines - 2)
    )
}

#[test]
fn a_file_at_the_limit_passes_and_one_line_more_fails() {
    for path in [
        "core/src/a.rs",
        "server/assets/a.css",
        "tests/run",
        "storage/a/migrations/1.sql",
    ] {
        let at_limit = "\n".repeat(MAX_FILE_LINES);
        assert_eq!(check_files(&Tree::of([(path, at_limit.as_str())])), []);
        let over = "\n".repeat(MAX_FILE_LINES + 1);
        let found = check_files(&Tree::of([(path, over.as_str())]));
        assert_eq!(found.len(), 1, "{path}");
        assert_eq!(found[0].place, path);
    }
}

#[test]
fn data_and_documents_may_be_long() {
    let long = "\n".repeat(MAX_FILE_LINES * 10);
    let tree = Tree::of([
        ("a.txt", long.as_str()),
        ("a.md", &long),
        ("Cargo.lock", &long),
    ]);
    assert_eq!(check_files(&tree), []);
}

#[test]
fn a_function_at_the_limit_passes_and_one_line_more_fails() {
    let at_limit = function_of(MAX_FUNCTION_LINES);
    assert_eq!(
        check_functions(&Tree::of([("a.rs", at_limit.as_str())])),
        []
    );
    let over = function_of(MAX_FUNCTION_LINES + 1);
    let found = check_functions(&Tree::of([("a.rs", over.as_str())]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "a.rs: fn long");
    assert!(found[0].found.contains("from line 2"));
}
