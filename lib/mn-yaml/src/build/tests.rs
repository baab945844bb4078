use super::*;
use crate::Style;
use serde_json::{Value, json};

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap().root.value()
}

fn error(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn only_plain_scalars_are_resolved() {
    assert_eq!(value("[yes, 'yes', \"yes\", ! yes, !!str yes]"), json!([true, "yes", "yes", true, "yes"]));
    assert_eq!(value("- |\n  yes\n- >-\n  yes\n"), json!(["yes\n", "yes"]));
}

#[test]
fn style_and_position_are_kept() {
    let root = parse(b"a: 'x'\nb:\n  - |\n    y\n  - z\n").unwrap().root;
    let map = root.as_map().unwrap();
    let style = |node: &Node| match node.kind() {
        Kind::Scalar(scalar) => scalar.style(),
        other => panic!("{other:?}"),
    };
    assert_eq!(style(map.get("a").unwrap()), Style::Quoted);
    let items = map.get("b").unwrap().as_list().unwrap();
    assert_eq!((style(&items[0]), items[0].position().to_string()), (Style::Block, "4:5".to_owned()));
    assert_eq!((style(&items[1]), items[1].position().to_string()), (Style::Plain, "5:5".to_owned()));
    assert_eq!(map.entry("b").unwrap().key_position.to_string(), "2:1");
}

#[test]
fn lines_of_a_quoted_value_need_no_indentation() {
    // As PyYAML 6 reads them.
    let text = "a:\n    k: '\n'\n    m: \"x\ny z\\\n  w\\\"\"\n    n: ['it''s\n b', c]\n";
    assert_eq!(value(text), json!({"a": {"k": " ", "m": "x y zw\"", "n": ["it's b", "c"]}}));
    let root = parse(b"a:\n  - ['x\ny', z]\n").unwrap().root;
    let list = root.as_map().unwrap().get("a").unwrap().as_list().unwrap();
    assert_eq!(list[0].as_list().unwrap()[1].position().to_string(), "3:5");
    assert!(error("a:\n  b: 'x\n---\n  y'\n").starts_with("2:6: not YAML: "));
    assert!(error("a:\n  b: 'x\ny\n").starts_with("2:6: "));
    let many = "a:\n".to_owned() + &"  - 'x\ny'\n".repeat(101);
    assert_eq!(error(&many), "202:5: every line of this value must be indented deeper than its key");
}

#[test]
fn keys_that_are_no_text_print_as_python_prints_them() {
    assert_eq!(
        value("on: 1\n~: 2\n010: 3\n1.50: 4\n'on': 5\n"),
        json!({"True": 1, "None": 2, "8": 3, "1.5": 4, "on": 5})
    );
}

#[test]
fn of_equal_keys_the_last_one_counts_in_the_place_of_the_first() {
    let document = parse(b"a: 1\nb: 2\na: 3\n").unwrap();
    assert_eq!(document.root.value().to_string(), r#"{"a":3,"b":2}"#);
    let warnings: Vec<String> = document.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["3:1: duplicate key 'a': this one counts, the one at 1:1 does not"]);
}

#[test]
fn merged_keys_come_first_and_yield_to_the_mappings_own() {
    let text = "base: &b {x: 1, y: 2}\nc:\n  z: 4\n  <<: *b\n  y: 3\n";
    assert_eq!(value(text)["c"].to_string(), r#"{"x":1,"y":3,"z":4}"#);
    assert!(parse(text.as_bytes()).unwrap().warnings.is_empty());
    assert_eq!(value("<<: [{a: 1}, {a: 2, b: 3}]\n"), json!({"a": 1, "b": 3}));
    assert_eq!(value("'<<': 1\n"), json!({"<<": 1}));
    assert_eq!(error("<<: 5\n"), "1:5: expected a mapping, or a list of mappings, to merge, found the integer 5");
}

#[test]
fn an_alias_stands_for_its_anchor() {
    assert_eq!(value("a: &x [1]\nb: *x\n"), json!({"a": [1], "b": [1]}));
    assert!(error("b: *x\n").starts_with("1:4: not YAML: "));
    assert_eq!(error("a: &x [*x]\n"), "1:8: alias inside the node it names");
}

#[test]
fn a_file_holds_one_document() {
    assert_eq!(value(""), Value::Null);
    assert_eq!(value("--- \na: 1\n...\n"), json!({"a": 1}));
    assert_eq!(error("a: 1\n---\nb: 2\n"), "2:1: a second document starts here: a file holds one");
}

#[test]
fn common_mistakes_are_told_in_plain_words() {
    assert_eq!(error("a:\n\t- b\n"), "2:1: tab in the indentation: use spaces");
    assert_eq!(error("a: @b\n"), "1:4: a value cannot begin with '@': quote it");
    assert_eq!(error("a: b: c\n"), "1:5: ': ' inside a plain value: quote the value");
    assert_eq!(error("a: {{ b }}\n"), "1:5: a key must be a single value: quote it if it is text");
    assert_eq!(error("a: <<\n"), "1:4: plain '<<' is no value in YAML 1.1: quote it");
    assert_eq!(error("- =\n"), "1:3: plain '=' is no value in YAML 1.1: quote it");
    assert_eq!(error("- !!set {a}\n"), "1:3: tag '!!set' is not supported");
    assert_eq!(error("- !vault x\n"), "1:3: tag '!vault' is not supported");
}

#[test]
fn a_block_at_the_end_of_a_file_without_a_newline_has_none_either() {
    assert_eq!(value("- |\n  x\n  y"), json!(["x\ny"]));
    assert_eq!(value("- |\n  x\n  y\n"), json!(["x\ny\n"]));
    assert_eq!(value("- |-\n  x"), json!(["x"]));
}

#[test]
fn depth_has_a_limit_however_it_is_reached() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(error(&nested(MAX_DEPTH + 1)).contains("nested too deep"));
    assert!(error(&nested(20_000)).contains("nested too deep"));
    assert!(error(&"- ".repeat(20_000)).contains("nested too deep"));
    assert!(error(&"{a: ".repeat(20_000)).contains("nested too deep"));
    let half = nested(40);
    assert!(error(&format!("- &a {half}\n- {}*a{}\n", "[".repeat(30), "]".repeat(30))).contains("nested too deep"));
}

#[test]
fn aliases_cannot_make_a_small_file_large() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
    }
    assert!(error(&bomb).contains("document too large"));
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000));
    assert!(error(&text).contains("document too large"));
    assert!(error(&format!("[{}]", "a, ".repeat(MAX_NODES))).contains("document too large"));
}

#[test]
fn accessors_name_the_place_and_the_mend() {
    let root = parse(b"prompt: 12:30\nlist: {}\nempty:\n").unwrap().root;
    let map = root.as_map().unwrap();
    let prompt = map.get("prompt").unwrap();
    assert_eq!(
        prompt.as_str().unwrap_err().to_string(),
        "1:9: expected text, found the integer 750: quote it as '12:30'"
    );
    assert_eq!(prompt.as_int(), Ok(750));
    assert_eq!(map.get("list").unwrap().as_list().unwrap_err().to_string(), "2:7: expected a list, found a mapping");
    assert!(map.get("empty").unwrap().as_str().unwrap_err().message.ends_with("found nothing"));
    assert_eq!(map.require("name").unwrap_err().to_string(), "1:1: missing key 'name'");
}

#[test]
fn a_jobs_duplicate_install_is_read_as_lava_reads_it() {
    let text = "repository:\n  install:\n    deps: [a]\n  run: {}\n  install:\n    deps: [b]\n";
    let document = parse(text.as_bytes()).unwrap();
    assert_eq!(document.root.value(), json!({"repository": {"install": {"deps": ["b"]}, "run": {}}}));
    assert_eq!(document.warnings[0].position.to_string(), "5:3");
}
