//! What a status says of members and their waits, for table and graph.

use serde_json::Value;

/// The list under a name; empty where there is none.
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text under a name; empty where there is none.
pub fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A call that waits.
pub struct Wait<'a> {
    /// How the call was made: "wait-all done guest".
    pub call: String,
    /// The ids of the members that it waits for.
    pub needs: Vec<&'a str>,
    /// For how many seconds.
    pub since: f64,
    /// How many are left.
    pub remaining: f64,
}

/// The calls of a member that wait.
pub fn of_member(member: &Value) -> impl Iterator<Item = Wait<'_>> {
    list(member, "waits").iter().map(|wait| {
        let words = ["call", "message", "expect_role"].map(|name| word(wait, name));
        let seconds = |name| wait.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        Wait {
            call: words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
            needs: list(wait, "for").iter().filter_map(Value::as_str).collect(),
            since: seconds("since"),
            remaining: seconds("remaining"),
        }
    })
}
