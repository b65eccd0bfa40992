//! Params that every workflow has over there, as `RUN_TS`. One that is read
//! becomes a param of the workflow with the same meaning, so that a start can
//! still give it.

use super::param::Kind;

/// A param that is there without being written.
pub(super) struct Builtin {
    pub(super) kind: Kind,
    /// CEL.
    pub(super) value: String,
    /// The others that the value reads.
    pub(super) reads: &'static [&'static str],
}

/// The builtin of that name; `zone` is that of the first time trigger.
pub(super) fn find(name: &str, zone: &str) -> Option<Builtin> {
    const LOCAL: &[&str] = &["RUN_TS", "WORKFLOW_CRON_TIMEZONE"];
    let text = |value: String, reads| Some(Builtin { kind: Kind::Text, value, reads });
    let run = "timestamp(params.RUN_TS / 1000)";
    let local = |pattern: &str| {
        text(format!("{run}.format('{pattern}', params.WORKFLOW_CRON_TIMEZONE)"), LOCAL)
    };
    let utc = |moved: &str| text(format!("({run}{moved}).format('%Y%m%d')"), &["RUN_TS"]);
    match name {
        "DSL_DEFAULT_TZ" => text(super::sel::quoted(zone), &[]),
        "WORKFLOW_CRON_TIMEZONE" => text("params.DSL_DEFAULT_TZ".to_owned(), &["DSL_DEFAULT_TZ"]),
        "RUN_TS" => {
            let value =
                "int(run.scheduled_at) * 1000 + run.scheduled_at.getMilliseconds()".to_owned();
            Some(Builtin { kind: Kind::Int, value, reads: &[] })
        }
        "TARGET_RUN_DATE" | "LOCAL_RUN_DATE" => local("%Y%m%d"),
        "TARGET_RUN_HOUR" => local("%H"),
        "RUN_DATE" => utc(""),
        "RUN_DATE_MINUS_1" => utc(" - duration('24h')"),
        "RUN_DATE_MINUS_7" => utc(" - duration('168h')"),
        "DERIVED_RUN_TS" => {
            let value =
                "int(parseTimestamp(params.TARGET_RUN_DATE + params.TARGET_RUN_HOUR + ' 00', \
                         '%Y%m%d%H %M', params.WORKFLOW_CRON_TIMEZONE)) * 1000"
                    .to_owned();
            let reads = &["TARGET_RUN_DATE", "TARGET_RUN_HOUR", "WORKFLOW_CRON_TIMEZONE"];
            Some(Builtin { kind: Kind::Int, value, reads })
        }
        _ => derived(name),
    }
}

/// `DERIVED_RUN_DATE_UTC`, `DERIVED_RUN_HOUR_US_PACIFIC` and their like.
fn derived(name: &str) -> Option<Builtin> {
    let rest = name.strip_prefix("DERIVED_RUN_")?;
    let (pattern, rest) = match rest.strip_prefix("DATE_") {
        Some(rest) => ("%Y%m%d", rest),
        None => ("%H", rest.strip_prefix("HOUR_")?),
    };
    let instant = "timestamp(params.DERIVED_RUN_TS / 1000)";
    let pacific = "'America/Los_Angeles'";
    let value = match (pattern, rest) {
        (_, "UTC") => format!("{instant}.format('{pattern}')"),
        (_, "UTC_MINUS_ONE_HOUR") => format!("({instant} - duration('1h')).format('{pattern}')"),
        (_, "UTC_PLUS_ONE_HOUR") => format!("({instant} + duration('1h')).format('{pattern}')"),
        ("%Y%m%d", "UTC_MINUS_ONE") => format!("date({instant}).addDays(-1).format('{pattern}')"),
        ("%Y%m%d", "UTC_PLUS_ONE") => format!("date({instant}).addDays(1).format('{pattern}')"),
        (_, "US_PACIFIC") => format!("{instant}.format('{pattern}', {pacific})"),
        ("%Y%m%d", "US_PACIFIC_MINUS_ONE") => {
            format!("date({instant}, {pacific}).addDays(-1).format('{pattern}')")
        }
        _ => return None,
    };
    Some(Builtin { kind: Kind::Text, value, reads: &["DERIVED_RUN_TS"] })
}
