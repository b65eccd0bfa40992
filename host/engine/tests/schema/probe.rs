//! What the schema and the reader are both asked about: a definition with every
//! key, and what is put into each of its places.

use serde_json::{Map, Value, json};

/// A definition in which every key occurs.
pub fn full() -> Value {
    json!({
        "workflow": "w",
        "description": "d",
        "owner": "o",
        "tags": ["nightly"],
        "run_strategy": { "rule": "parallel", "concurrency": 3 },
        "step_concurrency": 20,
        "run_step_concurrency": 5,
        "timeout": "1h",
        "params": {
            "p": { "type": "json", "value": [1], "mode": "mutable", "description": "x" },
            "q": 1,
            "r": { "type": "int", "optional": true }
        },
        "triggers": triggers(),
        "steps": [
            { "id": "a", "component": "hello" },
            {
                "id": "b",
                "component": "hello@1",
                "needs": ["a"],
                "when": "true",
                "description": "d",
                "params": {
                    "x": 1,
                    "y": { "type": "int", "value": 1, "mode": "immutable", "description": "d" }
                },
                "outputs": { "rows": "int" },
                "signals": [{ "name": "s", "params": { "m": 1 }, "payload": "${self.output}" }],
                "timeout": "1s",
                "heartbeat_timeout": "1s",
                "failure_mode": "ignore_failure",
                "tags": ["warehouse"],
                "retry": {
                    "user": 1, "platform": 1, "timeout": 1,
                    "backoff": { "initial": "1s", "factor": 1.5, "max": "1m", "jitter": false }
                },
                "limits": {
                    "memory": "1MiB", "table_elements": 1, "cpu": "1s", "wall": "1s", "handles": 1,
                    "host_call": "1B", "log": "1kB", "output": "1B", "journal": "1GB",
                    "journal_entries": 1
                },
                "grants": {
                    "http": ["https://a.example"], "secrets": ["PAY_KEY"], "kv": ["shared"],
                    "signals": ["report.*"]
                }
            },
            {
                "id": "c",
                "needs": { "a": "true" },
                "foreach": { "x": [1], "concurrency": 2, "strict_ordering": true },
                "steps": [{ "id": "d", "component": "hello" }],
                "output": 1
            },
            {
                "id": "e",
                "while": { "condition": "loop.n < 3", "n": 0, "max_iterations": 9 },
                "steps": [{ "id": "f", "noop": true, "params": { "n": 1 } }],
                "output": { "n": 1 }
            },
            { "id": "g", "sleep": "30s", "params": { "x": 1 } },
            { "id": "h", "wait": { "signal": "s", "match": { "m": 1, "t": { ">=": 1, "in": [1, "a"], "prefix": "a" } } }, "timeout": "1d" },
            {
                "id": "i", "workflow": "other", "version": 3, "sync": false,
                "explicit_params": true, "outputs": { "x": "json" }
            }
        ],
        "output": "${params.p}"
    })
}

/// Triggers with every key.
fn triggers() -> Value {
    json!([
        {
            "cron": "0 6 * * *", "id": "t", "timezone": "Europe/Berlin",
            "start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z", "jitter": "30s",
            "overlap": "skip", "catch_up": "1d", "ambiguous": "twice", "paused": true,
            "params": { "p": "${schedule.at}" }
        },
        { "every": "15m" },
        {
            "signal": { "name": "s", "match": { "m": 1 } }, "when": "true",
            "when_false": "consume", "params": { "p": "${signal.id}" }, "key": "k"
        },
        {
            "signals": [{ "name": "s", "match": { "m": 1 }, "join": ["j"] }],
            "when": "signals[0].params.n > 1", "when_false": "keep"
        }
    ])
}

/// Values that are right in one place or another, and their neighbours that are not.
pub fn values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(1.5),
        json!(99),
        json!(100),
        json!(101),
        json!(1_000),
        json!(1_001),
        json!(u64::MAX),
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!([1]),
        json!([null]),
        json!(["${params.p}"]),
        json!({}),
        json!({ "a": null }),
        json!({ "a": "true" }),
        json!({ "a": [1] }),
        json!({ "x": "${[1]}", "concurrency": 4 }),
        json!({ "concurrency": 4 }),
        json!({ "x": "${[1]} " }),
        json!({ "value": null }),
        json!({ "value": 1 }),
        json!({ "description": "${x}" }),
        json!({ "id": "x", "component": "hello" }),
        json!({ "id": "x", "foreach": { "y": [1] } }),
        json!({ "id": "x" }),
        json!({ "id": "x", "noop": true }),
        json!({ "id": "x", "sleep": 3, "retry": 1 }),
        json!({ "condition": "true", "n": 0 }),
        json!({ "signal": "s" }),
        json!({ "=": 1 }),
        json!({ "<": "a", "!=": true }),
        json!({ "in": ["a", 1] }),
        json!({ "in": [] }),
        json!({ "prefix": 1 }),
        json!({ "name": "s" }),
        json!([{ "name": "s", "params": { "a": 1 }, "payload": [1] }]),
        json!([{ "params": {} }]),
        json!({ "rule": "parallel" }),
        json!({ "rule": "sequential", "concurrency": 3 }),
        json!([{ "id": "x", "component": "hello" }]),
        json!((0..101).map(|number| format!("n{number}")).collect::<Vec<_>>()),
        json!((0..9).map(|number| (format!("v{number}"), json!([1]))).collect::<Map<_, _>>()),
        json!((0..129).map(|number| (format!("v{number}"), json!(1))).collect::<Map<_, _>>()),
    ];
    for kind in ["string", "int", "double", "bool", "json", "list<int>", " map < list<json> > "] {
        values.push(json!({ "type": kind }));
        for value in
            [json!(null), json!("x"), json!(7), json!(1.5), json!(true), json!([]), json!({})]
        {
            values.push(json!({ "type": kind, "value": value }));
        }
    }
    values.extend(texts().into_iter().map(Value::from));
    values
}

/// Texts that are right in one place or another, and their neighbours that are not.
#[rustfmt::skip]
const TEXTS: &[&str] = &[
    "", " ", "a", "A", "2", "a-b", "a_b", "-a", "_a", "a.b", "a b", "in", "null", "é", "30s",
    " 2h 30m ", "2h30m", "1.5h", "1 0s", "1000us", "1000000 nanos", "0s", "0.0s", "30", "s", "1x",
    "-1s", "1e3s", "64MiB", "1 gib", "007B", "7kB ", " 7kB", "64", "0B", "MiB", "1.5MiB", "9M",
    "${params.p}", " ${params.p}", "a ${1}", "${", "true", "1 > 0", "string", "int", "list",
    "list<>", "list<int", "list<number>", "list<list<number>>", "list<map<list<int>>>", "integer",
    "hello", "hello@1", "hello@1.2", "hello@0.1.0", "hello@1.2.3.4", "hello@01", "hello@v1",
    "hello@", "a//b", "weather/load@1", "weather/", "Hello", "hello@1234567890",
    "https://*.a.example:*", "HTTP://[::1]:80/", "https://a.example.", "http://localhost:0",
    "http://localhost:65535", "https://*", "ftp://a.example", "https://a.example/v1",
    "https://u@a.example", "https://a*b", "a.example", "https://", "https://bücher.example", "*",
    "report.*", "a*b", "**", "PAY_KEY", "1KEY", "a\nb", "parallel", "parallel(20)", "parallel(0)",
    "parallel(1001)", "sequential", "active", "newest", "constant", "mutable", "fail_immediately",
];

/// All texts, long ones included.
pub fn texts() -> Vec<String> {
    let long = [63, 64, 128, 129, 200, 201].map(|length| "a".repeat(length));
    TEXTS.iter().map(|text| (*text).to_owned()).chain(long).collect()
}
