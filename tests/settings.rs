//! What follows from the declaration of the settings, or has to agree with it: setters, checks, text, the C++ wrapper, the
//! docs. (What the C struct has to agree with is in `src/ffi/config.rs`.)

use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;
use trip99::settings::{Setting, SettingKind};
use trip99::{Config, ConfigError, Recovery, State};

fn set(setting: &Setting, value: u64) -> Config {
    let mut config = Config::default();
    setting.set(&mut config, value).expect("the field can hold it");
    config
}

fn from_toml(text: &str) -> Result<Config, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
}

/// Every setting but its default. The values are all different, so that none is another's by mistake.
fn all_changed() -> Config {
    Config {
        quantile_ppm: 500_001,
        threshold_ns: 1_000_001,
        window_len: 77,
        window_age_ns: 4_000_001,
        sample_every: 3,
        min_samples: 6,
        min_slow: 25,
        debt_limit: 26,
        confirm_verdicts: 8,
        failure_rate_ppm: 11,
        consecutive_failures: 9,
        spike_limit_ns: 12,
        spike_count: 7,
        stall_limit_ns: 13_000_001,
        max_in_flight: 14,
        recover_threshold_ns: 15,
        recovery: Recovery::HealthChecks,
        probes: 16,
        trials_in_flight: 2,
        probe_timeout_ns: 17,
        backoff_base_ns: 18,
        backoff_multiplier: 5,
        backoff_max_ns: 19,
        jitter_ppm: 20,
        jitter_seed: 21,
        stable_after_ns: 22,
        latch_after: 23,
        owner_timeout_ns: 24_000_000,
        start: trip99::Start::HalfOpen,
        tap_len: 27,
        shadow: true,
        ..Config::default()
    }
}

#[test]
fn every_setter_sets_its_field() {
    let ns = Duration::from_nanos;
    let config = Config::default()
        .quantile(0.500_001)
        .threshold(ns(1_000_001))
        .window_len(77)
        .window_age(ns(4_000_001))
        .sample_every(3)
        .min_samples(6)
        .min_slow(25)
        .debt_limit(26)
        .confirm_verdicts(8)
        .failure_rate(0.000_011)
        .consecutive_failures(9)
        .spike_limit(ns(12))
        .spike_count(7)
        .stall_limit(ns(13_000_001))
        .max_in_flight(14)
        .recover_threshold(ns(15))
        .recovery(Recovery::HealthChecks)
        .probes(16)
        .trials_in_flight(2)
        .probe_timeout(ns(17))
        .backoff_base(ns(18))
        .backoff_multiplier(5)
        .backoff_max(ns(19))
        .jitter(0.000_02)
        .jitter_seed(21)
        .stable_after(ns(22))
        .latch_after(23)
        .owner_timeout(ns(24_000_000))
        .start(trip99::Start::HalfOpen)
        .tap_len(27)
        .shadow(true);
    assert_eq!(config, all_changed());
    for setting in Config::SETTINGS {
        assert_ne!(setting.get(&config), setting.get(&Config::default()), "{} is not in this test", setting.name());
    }
}

#[test]
fn names_are_fields_without_their_units() {
    for setting in Config::SETTINGS {
        let unit = match setting.kind() {
            SettingKind::Duration => "_ns",
            SettingKind::Share => "_ppm",
            _ => "",
        };
        assert_eq!(setting.field(), format!("{}{unit}", setting.name()));
        assert_eq!(Config::setting(setting.name()).map(Setting::field), Some(setting.field()));
        assert_eq!(Config::setting(&setting.name().replace('_', "-")).map(Setting::field), Some(setting.field()));
        assert!(!setting.doc().is_empty() && !setting.doc().ends_with('.'), "{}", setting.name());
    }
    assert!(Config::setting("threshold_ns").is_none());
}

#[test]
fn debug_shows_every_setting_and_nothing_else() {
    let text = format!("{:?}", Config::default());
    assert!(text.starts_with("Config { quantile_ppm: 990000, threshold_ns: 200000000, "), "{text}");
    assert_eq!(text.matches(": ").count(), Config::SETTINGS.len(), "{text}");
}

// Ranges. `rust_api.rs` and `tests/c/arguments.c` have them as numbers; here is what the declaration says of itself.

#[test]
fn each_end_of_each_range_is_legal_and_what_lies_beyond_is_not() {
    for setting in Config::SETTINGS {
        let default = Config::default();
        let (min, max) = (setting.min(&default), setting.max(&default));
        assert!((min..=max).contains(&setting.get(&default)), "{}", setting.name());
        let ends = [setting.min_field(), setting.max_field()];
        assert!(ends.iter().flatten().count() <= 1, "a message names one other field: {}", setting.name());
        for field in ends.into_iter().flatten() {
            let index = |field| Config::SETTINGS.iter().position(|setting| setting.field() == field);
            assert!(index(field) < index(setting.field()), "{field} stands before what hangs on it");
        }
        for value in [min, max] {
            let error = set(setting, value).validate().err();
            assert!(error.is_none_or(|error| error.field() != setting.field()), "{} {value}", setting.name());
        }
        let or_zero = setting.or_zero();
        assert!(!or_zero || (min > 1 && set(setting, 0).validate().is_ok()), "{}", setting.name());
        assert!(!setting.is_above() || setting.min_field().is_some(), "{}", setting.name());
        for value in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            let mut config = Config::default();
            let Err(error) = setting.set(&mut config, value).and_then(|()| config.validate()) else {
                panic!("{} may be {value}", setting.name());
            };
            let other = ends.into_iter().flatten().next();
            let end = if setting.min_field().is_some() { min - u64::from(setting.is_above()) } else { max };
            let bound = other.map(|field| (field, end));
            assert_eq!(error, ConfigError::OutOfRange { field: setting.field(), value, min, max, or_zero, bound });
        }
    }
}

#[test]
fn an_error_names_the_field_that_the_range_hangs_on() {
    for (config, text) in [
        (Config::default().window_len(10), "min_samples is 20; legal: 1 to 10, as window_len is 10"),
        (
            Config::default().recover_threshold(Duration::from_secs(1)),
            "recover_threshold_ns is 1000000000; legal: 0 to 200000000, as threshold_ns is 200000000",
        ),
        (Config::default().trials_in_flight(11), "trials_in_flight is 11; legal: 1 to 10, as probes is 10"),
        (
            Config::default().backoff_max(Duration::ZERO),
            "backoff_max_ns is 0; legal: at least 1000000000, as backoff_base_ns is 1000000000",
        ),
        (Config::default().threshold(Duration::ZERO), "threshold_ns is 0; legal: 1 to 9223372036854775807"),
        (
            Config::default().owner_timeout(Duration::from_millis(1)),
            "owner_timeout_ns is 1000000; legal: 0 or at least 10000000",
        ),
        (Config::default().jitter(2.0), "jitter_ppm is 2000000; legal: 0 to 1000000"),
        (
            Config::default().threshold(Duration::from_secs(1)),
            "stall_limit_ns is 1000000000; legal: 0 or above 1000000000, as threshold_ns is 1000000000",
        ),
        (
            Config::default().probe_timeout(Duration::from_millis(160)),
            "probe_timeout_ns is 160000000; legal: above 160000000, as recover_threshold_ns is 160000000",
        ),
        (
            Config::default().window_age(Duration::from_millis(200)),
            "window_age_ns is 200000000; legal: 0 or above 200000000, as threshold_ns is 200000000",
        ),
    ] {
        assert_eq!(config.validate().expect_err(text).to_string(), text);
    }
}

#[test]
fn a_field_takes_no_number_that_it_cannot_hold() {
    for (name, number) in
        [("probes", 1 << 32), ("jitter", 1 << 32), ("shadow", 2), ("recovery", 2), ("start", 1), ("start", 4)]
    {
        let setting = Config::setting(name).expect(name);
        let mut config = Config::default();
        assert_eq!(setting.set(&mut config, number).expect_err(name).field(), setting.field());
        assert_eq!(config, Config::default());
    }
}

// Text.

/// Any legal config: of each range the ends, the default if it may be, or anything between.
fn legal() -> impl Strategy<Value = Config> {
    let value = prop_oneof![Just(None), Just(Some(0)), Just(Some(u64::MAX)), any::<u64>().prop_map(Some)];
    let small = (any::<u64>(), 0..64u32).prop_map(|(bits, shift)| Some(bits >> shift));
    prop::collection::vec(prop_oneof![value, small], Config::SETTINGS.len()).prop_map(|values| {
        let mut config = Config::default();
        // Fields stand before those that hang on them.
        for (setting, value) in Config::SETTINGS.iter().zip(values) {
            let (min, max) = (setting.min(&config), setting.max(&config));
            let value = match value.unwrap_or(setting.get(&config)) {
                value if (min..=max).contains(&value) || (setting.or_zero() && value == 0) => value,
                u64::MAX => max,
                value => min + value % (max - min + 1),
            };
            let is_open = setting.kind() == SettingKind::Start && value == State::Open as u64;
            setting.set(&mut config, if is_open { 0 } else { value }).expect("it is in the range");
        }
        config
    })
}

proptest! {
    #[test]
    fn every_legal_config_is_read_from_what_it_is_written_as(config in legal()) {
        prop_assert_eq!(config.validate(), Ok(()));

        let text = toml::to_string(&config).expect("TOML can hold it");
        let read = from_toml(&text);
        prop_assert_eq!(read.as_ref(), Ok(&config), "{}", text);
        let again = toml::to_string(&read.expect("as above"));
        prop_assert_eq!(again.as_ref(), Ok(&text));

        let text = serde_json::to_string(&config).expect("JSON can hold it");
        let read: Config = serde_json::from_str(&text).expect(&text);
        prop_assert_eq!(&read, &config, "{}", text);

        let mut read = Config::default();
        for setting in Config::SETTINGS {
            setting.set_text(&mut read, &setting.show(&config)).expect("it is read as it is shown");
        }
        prop_assert_eq!(&read, &config);
    }

    /// A float is one of the shares or refused: the naive twin reads the same digits as a number of millionths.
    #[test]
    fn a_share_is_exact_as_float_and_as_string(millionths in 0..=1_000_000u32, rest in 0..1000u32) {
        let fraction = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
        let longer = format!("{fraction}{rest:03}");
        for (text, is_exact) in [(fraction, true), (longer, rest == 0)] {
            for toml in [format!("jitter = {text}"), format!("jitter = \"{text}\"")] {
                match from_toml(&toml) {
                    Ok(config) => prop_assert!(is_exact && config.jitter_ppm == millionths, "{toml}: {config:?}"),
                    Err(error) => prop_assert!(!is_exact, "{toml}: {error}"),
                }
            }
        }
    }

    #[test]
    fn no_text_is_taken_for_an_illegal_config(name in 0..Config::SETTINGS.len(), text in "[-+0-9a-z._ ]{0,12}") {
        let setting = &Config::SETTINGS[name];
        let toml = format!("{} = \"{text}\"", setting.name());
        match from_toml(&toml) {
            Ok(config) => prop_assert_eq!(config.validate(), Ok(())),
            Err(error) => prop_assert!(error.contains("; legal: "), "{toml}: {error}"),
        }
    }
}

#[test]
fn the_keys_and_values_are_those_of_the_tool() {
    let written = serde_json::to_value(Config::default()).expect("it is written");
    let Value::Object(written) = written else { panic!("no object: {written}") };
    assert_eq!(written.len(), Config::SETTINGS.len());
    for (key, value) in [
        ("quantile", Value::from(0.99)),
        ("threshold", "200ms".into()),
        ("window_len", 1024.into()),
        ("window_age", "1m".into()),
        ("spike_limit", "0".into()),
        ("jitter_seed", 0.into()),
        ("recovery", "trials".into()),
        ("start", "closed".into()),
        ("shadow", false.into()),
    ] {
        assert_eq!(written.get(key), Some(&value), "{key}");
    }
    let all = "quantile = 0.500001\nthreshold = \"1ms 1ns\"\nwindow-len = 77\nwindow_age = 4000001\nsample_every = \"3\"\n\
               min_samples = 6\nmin_slow = 25\ndebt-limit = 26\nconfirm_verdicts = 8\nfailure_rate = \"0.000011\"\nconsecutive-failures = 9\n\
               spike_limit = \"12\"\nspike_count = 7\nstall_limit = \"13ms 1ns\"\nmax_in_flight = 14\n\
               recover_threshold = 15\nrecovery = \"health_checks\"\nprobes = 16\ntrials_in_flight = 2\n\
               probe_timeout = 17\nbackoff_base = 18\nbackoff_multiplier = 5\nbackoff_max = 19\njitter = 2e-5\n\
               jitter_seed = 21\nstable_after = 22\nlatch_after = 23\nowner_timeout = \"24ms\"\nstart = \"half-open\"\ntap-len = 27\nshadow = true\n";
    assert_eq!(from_toml(all), Ok(all_changed()));
}

#[test]
fn a_missing_key_leaves_its_default() {
    assert_eq!(from_toml(""), Ok(Config::default()));
    assert_eq!(from_toml("probes = 3"), Ok(Config::default().probes(3)));
    assert_eq!(serde_json::from_str::<Config>("{}").expect("nothing is legal"), Config::default());
}

#[test]
fn the_tools_table_of_a_logs_columns_is_skipped() {
    let expected = Config::default().probes(3);
    for table in ["[columns]\nstart = \"t:ms\"\nwhere = { a = 1 }", "[columns]", "[columns.where]\nprobes = 0"] {
        assert_eq!(Config::from_toml(&format!("probes = 3\n{table}\n")), Ok(expected.clone()), "{table}");
    }
    assert_eq!(Config::from_toml("columns.start = \"t\"\nprobes = 3\n"), Ok(expected));
    for (toml, error) in [
        ("probes = 3\ncolumns = 5", "line 2: columns is of type integer; legal: a table, which is the tool's"),
        ("[[columns]]\nstart = 1", "line 1: columns is of type array; legal: a table"),
        ("[column]\nstart = 1", "line 1: column is not a setting; legal: quantile, "),
        ("[columns]\nstart = 1\n[backoff]\nbase = 1", "line 3: backoff is not a setting"),
        ("[columns]\nstart = 1\nstart = 1", "line 3: duplicate key"),
    ] {
        let found = Config::from_toml(toml).expect_err(toml).to_string();
        assert!(found.starts_with(error), "{toml}: {found}");
    }
}

#[test]
fn a_mistake_names_key_value_and_what_is_legal() {
    let names: Vec<&str> = Config::SETTINGS.iter().map(Setting::name).collect();
    let unknown = format!("threshhold is not a setting; legal: {}", names.join(", "));
    for (toml, error) in [
        ("threshhold = \"1s\"", unknown.as_str()),
        ("threshold_ns = 5", "threshold_ns is not a setting; legal: quantile, threshold, "),
        ("window-len = 200\nwindow_len = 200", "window_len is set twice; legal: once"),
        ("threshold = \"soon\"", "threshold is \"soon\"; legal: a duration like 200ms, 1.5s or 1m, or a number"),
        ("threshold = \"0s\"", "threshold is 0; legal: 1ns to 9223372036854775807ns"),
        ("threshold = -5", "threshold is \"-5\"; legal: a duration like"),
        ("threshold = 1.5", "threshold is \"1.5\"; legal: a duration like"),
        ("threshold = [1]", "invalid type: sequence, expected for threshold a duration like"),
        ("owner_timeout = \"9ms\"", "owner_timeout is 9ms; legal: 0 or at least 10ms"),
        (
            "owner_timeout = \"soon\"",
            "owner_timeout is \"soon\"; legal: a duration like 200ms, 1.5s or 1m, or a number of nanoseconds, 0 or at",
        ),
        ("window_len = 0", "window_len is 0; legal: 1 to 1048576"),
        ("window_len = 10", "min_samples is 20; legal: 1 to 10, as window_len is 10"),
        ("probes = true", "probes is \"true\"; legal: a whole number, from 1 to 65535"),
        ("probes = 2.0", "probes is \"2.0\"; legal: a whole number, from 1 to 65535"),
        ("probes = 4294967296", "probes is \"4294967296\"; legal: a whole number, from 1 to 65535"),
        ("quantile = 1", "quantile is 1; legal: 0.000001 to 0.999999"),
        (
            "quantile = 0.9999999",
            "quantile is \"0.9999999\"; legal: a fraction like 0.99, with at most six decimals, from",
        ),
        ("quantile = nan", "quantile is \"NaN\"; legal: a fraction like"),
        ("quantile = inf", "quantile is \"inf\"; legal: a fraction like"),
        ("failure_rate = 1.000001", "failure_rate is \"1.000001\"; legal: a fraction like"),
        ("recovery = \"prayer\"", "recovery is \"prayer\"; legal: trials or health-checks"),
        ("start = \"open\"", "start is \"open\"; legal: closed, half-open or halted"),
        ("shadow = 1", "shadow is \"1\"; legal: true or false"),
        ("backoff_max = \"1ms\"", "backoff_max is 1ms; legal: at least 1s, as backoff_base is 1s"),
        ("start = 1979-05-27", "invalid type: map, expected for start closed, half-open or halted"),
    ] {
        let found = from_toml(toml).expect_err(toml);
        assert!(found.starts_with(error), "{toml}: {found}");
    }
    let twice = serde_json::from_str::<Config>(r#"{"probes": 5, "probes": 5}"#).expect_err("it comes twice");
    assert!(twice.to_string().starts_with("probes is set twice; legal: once"), "{twice}");
    assert!(serde_json::from_str::<Config>("[5]").expect_err("a list").to_string().contains("settings by name"));
}

// Other places that have the settings, too.

/// What is legal, as the docs have it.
fn range(setting: &Setting) -> String {
    let config = Config::default();
    let end = |field: Option<&str>, value: u64| match field {
        None => setting.show_value(value),
        Some(field) => {
            let other = Config::SETTINGS.iter().find(|setting| setting.field() == field).expect(field);
            format!("`{}`", other.name())
        }
    };
    let (min, max) = (end(setting.min_field(), setting.min(&config)), end(setting.max_field(), setting.max(&config)));
    match (setting.kind(), setting.min(&config), setting.max(&config)) {
        (SettingKind::Switch | SettingKind::Recovery, ..) => format!("{min} or {max}"),
        (SettingKind::Start, ..) => format!("{min}, {} or {max}", setting.show_value(State::HalfOpen as u64)),
        _ if setting.is_above() => {
            let field = end(setting.min_field(), 0);
            format!("{}above {field}", if setting.or_zero() { "0 or " } else { "" })
        }
        (_, 0, u64::MAX) => "any".to_owned(),
        (SettingKind::Count, 0, max) if max == u64::from(u32::MAX) => "any".to_owned(),
        (_, _, u64::MAX) if setting.or_zero() => format!("0 or at least {min}"),
        (_, _, u64::MAX) => format!("at least {min}"),
        _ => format!("{min} to {max}"),
    }
}

#[test]
fn the_docs_list_every_setting() {
    let row = |setting: &Setting| {
        let default = setting.show(&Config::default());
        format!("| `{}` | {default} | {} | {} |", setting.name(), range(setting), setting.doc())
    };
    let expected: Vec<String> = Config::SETTINGS.iter().map(row).collect();
    let page = include_str!("../docs/settings.md");
    let table = page.split("|---|---|---|---|\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("its table");
    let found: Vec<&str> = table.lines().collect();
    assert!(found == expected, "the table in docs/settings.md should be:\n{}", expected.join("\n"));
}

#[test]
fn the_cpp_config_has_every_setting() {
    let header = include_str!("../include/trip99/config.hpp");
    let body = header.split("\nstruct Config {\n").nth(1).and_then(|rest| rest.split("\n};").next()).expect("its body");
    let (members, rest) = body.split_once("\n\n").expect("members stand first");
    let (from_c, to_c) = rest.split_once("cb_config to_c() const {").expect("from C, and to C");
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (from_c, to_c) = (squeeze(from_c), squeeze(to_c));
    assert_eq!(members.lines().count(), Config::SETTINGS.len(), "{members}");
    for setting in Config::SETTINGS {
        let (name, field) = (setting.name(), setting.field());
        let (member, form, from, to) = match setting.kind() {
            SettingKind::Duration => (
                name,
                "std::chrono::nanoseconds",
                format!("{name}(detail::duration(config.{field}))"),
                // Latencies end where durations do, and so do the limits that they are held against.
                format!("detail::{}(\"{name}\", {name})", if name.ends_with("threshold") { "limit_ns" } else { "ns" }),
            ),
            SettingKind::Switch => (field, "bool", format!("{field}(config.{field} != 0)"), format!("{field} ? 1 : 0")),
            SettingKind::Recovery => (
                field,
                "Recovery",
                format!("{field}(static_cast<Recovery>(config.{field}))"),
                format!("static_cast<cb_recovery>({field})"),
            ),
            SettingKind::Start => (
                field,
                "Start",
                format!("{field}(static_cast<Start>(config.{field}))"),
                format!("static_cast<cb_start>({field})"),
            ),
            SettingKind::Number => (field, "std::uint64_t", format!("{field}(config.{field})"), field.to_owned()),
            _ => (field, "std::uint32_t", format!("{field}(config.{field})"), field.to_owned()),
        };
        assert!(members.lines().any(|line| line.trim() == format!("{form} {member};")), "{form} {member}: {members}");
        assert!(from_c.contains(&from), "{from}: {from_c}");
        let to = format!("config.{field} = {to};");
        assert!(to_c.contains(&to), "{to}: {to_c}");
    }
}
