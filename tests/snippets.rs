//! The README's Rust is the example that is built and run.

#[test]
fn the_readme_shows_the_example() {
    let example = include_str!("../examples/encode.rs");
    let code = example.split_once("\n\n").expect("after its first line").1;
    let shown = format!("```rust,no_run\n{code}```");
    assert!(include_str!("../README.md").contains(&shown), "README.md lacks:\n{shown}");
}
