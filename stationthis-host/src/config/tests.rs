mod page;

use super::*;

fn load(file: Option<&str>, env: &[(&str, &str)]) -> Result<Config> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("host.toml");
    let flags = Flags {
        config: file.map(|text| {
            std::fs::write(&path, text).unwrap();
            path.clone()
        }),
        ..Flags::default()
    };
    Config::load(&flags, &|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

fn refusal(file: Option<&str>, env: &[(&str, &str)]) -> String {
    let error = load(file, env).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error.message().unwrap().to_owned()
}

#[test]
fn defaults_alone_are_a_configuration() {
    let config = load(None, &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8484");
    assert_eq!(config.unpriced, Unpriced::Refuse);
    assert_eq!(config.comfydeploy.api_url, "https://api.comfydeploy.com/api");
    assert!(config.api_key.is_none() && config.public_url.is_none());
    assert_eq!(config.caller_limits(), CallerLimits::default(), "the library's own are the same");
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let file = "listen = \"127.0.0.1:1\"\ntask_deadline_s = 60\n[comfydeploy]\napi_url = \"http://127.0.0.1:9/api/\"\n";
    let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
    let config = load(Some(file), &[("STATIONTHIS_LISTEN", "127.0.0.1:2"), ("COMFY_DEPLOY_API_KEY", "k")]).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.task_deadline_s, Some(60));
    assert_eq!(config.comfydeploy.api_url, "http://127.0.0.1:9/api");
    assert_eq!(config.comfydeploy.api_key.unwrap().expose(), "k");
    assert_eq!(Config::load(&flags, &|_| Some(String::new())).unwrap().listen.port(), 3);
}

#[test]
fn private_ranges_are_a_list_in_a_file_and_separated_by_commas_in_a_variable() {
    let ranges = ["10.1.0.0/16", "fd00::1"].map(|text| text.parse().unwrap());
    let file = load(Some("allow_private_targets = [\"10.1.0.0/16\", \"fd00::1\"]"), &[]).unwrap();
    assert_eq!(file.allow_private_targets, ranges);
    let variable = load(None, &[("STATIONTHIS_ALLOW_PRIVATE_TARGETS", "10.1.0.0/16, fd00::1")]).unwrap();
    assert_eq!(variable.allow_private_targets, ranges);
    assert!(load(None, &[]).unwrap().allow_private_targets.is_empty());
    assert!(load(Some("allow_private_targets = [7]"), &[]).is_err());
}

#[test]
fn a_typo_is_named_with_its_place() {
    let message = refusal(Some("lisen = \"127.0.0.1:1\""), &[]);
    assert!(message.contains("host.toml") && message.contains("`lisen`"), "{message}");
    let message = refusal(Some("[comfydeploy]\napi_ulr = \"http://x/\""), &[]);
    assert!(message.contains("`api_ulr`") && message.contains("comfydeploy"), "{message}");
}

#[test]
fn a_bad_value_is_named_with_its_key() {
    let cases = [
        ("STATIONTHIS_LISTEN", "nowhere", "listen"),
        ("STATIONTHIS_PUBLIC_URL", "ftp://x", "public_url"),
        ("STATIONTHIS_TASK_DEADLINE_S", "soon", "task_deadline_s"),
        ("STATIONTHIS_TASK_DEADLINE_S", "0", "task_deadline_s"),
        ("STATIONTHIS_RATE_LIMIT_PER_MIN", "0", "rate_limit_per_min"),
        ("STATIONTHIS_RATE_LIMIT_BURST", "many", "rate_limit_burst"),
        ("STATIONTHIS_WAITS_PER_CALLER", "1025", "waits_per_caller"),
        ("STATIONTHIS_POLL_INTERVAL_MS", "-5", "poll_interval_ms"),
        ("STATIONTHIS_LOOKUP_INTERVAL_MS", "0", "lookup_interval_ms"),
        ("STATIONTHIS_ABSENT_AFTER_MS", "3600001", "absent_after_ms"),
        ("STATIONTHIS_ALLOW_PRIVATE_TARGETS", "10.0.0.0/8,everything", "allow_private_targets"),
        ("STATIONTHIS_CORS_ORIGINS", "https://app.example,*", "cors_origins"),
        ("STATIONTHIS_UNPRICED", "maybe", "unpriced"),
        ("COMFY_DEPLOY_API_URL", "not a url", "comfydeploy.api_url"),
    ];
    for (variable, value, key) in cases {
        let message = refusal(None, &[(variable, value)]);
        assert!(message.starts_with(&format!("{variable}: {key}: ")), "{message}");
    }
}

#[test]
fn a_refused_secret_is_not_quoted() {
    let message = refusal(None, &[("STATIONTHIS_API_KEY", "canary 4711 with spaces")]);
    assert!(message.contains("api_key") && !message.contains("canary"), "{message}");
    let message = refusal(Some("api_key = \"canary-4711"), &[]);
    assert!(!message.contains("canary"), "{message}");
    let shown = format!("{:?}", load(None, &[("STATIONTHIS_API_KEY", "canary-4711-4711-4711")]).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn an_open_address_needs_a_key() {
    let open = [("STATIONTHIS_LISTEN", "0.0.0.0:8484")];
    let message = load(None, &open).unwrap().check_exposure().unwrap_err().message().unwrap().to_owned();
    assert!(message.contains("api_key"), "{message}");
    let keyed = [open[0], ("STATIONTHIS_API_KEY", "0123456789abcdef")];
    load(None, &keyed).unwrap().check_exposure().unwrap();
}

#[test]
fn the_bots_chats_are_a_list_in_a_file_and_separated_by_commas_in_a_variable() {
    let file = load(Some("[telegram]\nallowed = [4242, -1001234567890]\nwebhook = true\n"), &[]).unwrap();
    assert_eq!((file.telegram.allowed, file.telegram.webhook), (vec![4242, -1_001_234_567_890], true));
    let variables = [("TELEGRAM_ALLOWED", "4242, -100"), ("TELEGRAM_BOT_TOKEN", "1:a"), ("TELEGRAM_WEBHOOK", "false")];
    let variable = load(None, &variables).unwrap();
    assert_eq!((variable.telegram.allowed, variable.telegram.webhook), (vec![4242, -100], false));
    assert_eq!(variable.telegram.token.unwrap().expose(), "1:a");
    let none = load(None, &[]).unwrap().telegram;
    assert!(none.token.is_none() && none.allowed.is_empty(), "nobody is served who is not named");
    for (name, bad) in [("TELEGRAM_ALLOWED", "@ana"), ("TELEGRAM_WEBHOOK", "yes"), ("TELEGRAM_API_URL", "ftp://x")] {
        assert!(refusal(None, &[(name, bad)]).starts_with(&format!("{name}: telegram.")), "{name}");
    }
    refusal(Some("[telegram]\nallowed = [\"4242\"]\n"), &[]);
}

#[test]
fn a_section_names_a_provider_and_a_variable_alone_makes_one() {
    let file = "[providers.vidu-eu]\nservice = \"vidu\"\napi_key = \"k\"\nprice_per_credit = \"0.0045\"\n";
    let config = load(Some(file), &[("VIDU_API_KEY", "v"), ("VIDU_API_URL", "http://127.0.0.1:9/")]).unwrap();
    let [(vidu, of_vidu), (eu, of_eu)] = config.providers.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", config.providers)
    };
    assert_eq!(
        (eu.as_str(), of_eu.service(eu), vidu.as_str(), of_vidu.service(vidu)),
        ("vidu-eu", "vidu", "vidu", "vidu")
    );
    assert_eq!(of_eu.price_per_credit.map(|price| price.to_string()).as_deref(), Some("0.0045"));
    assert_eq!(of_vidu.api_key.as_ref().map(Secret::expose), Some("v"));
    assert_eq!(of_vidu.api_url.as_deref(), Some("http://127.0.0.1:9"));
    // A section and the variable lie over each other as everything does.
    let both =
        load(Some("[providers.vidu]\napi_key = \"k\"\ncatalogue = \"own.toml\"\n"), &[("VIDU_API_KEY", "v")]).unwrap();
    let vidu = both.providers.get("vidu").unwrap();
    assert_eq!((vidu.key("vidu").unwrap().expose(), vidu.catalogue.is_some()), ("v", true));
    assert!(load(None, &[]).unwrap().providers.is_empty());
}

#[test]
fn webhook_secrets_are_a_list_in_a_file_and_separated_by_commas_in_a_variable() {
    let secrets = |config: &Config| -> Vec<String> {
        let tripo = config.providers.get("tripo").unwrap();
        tripo.webhook_secrets.iter().map(|secret| secret.expose().to_owned()).collect()
    };
    let file = "[providers.tripo]\nwebhook_secrets = [\"whsec_canary-1\", \"whsec_canary-2\"]\n";
    let config = load(Some(file), &[]).unwrap();
    assert_eq!(secrets(&config), ["whsec_canary-1", "whsec_canary-2"]);
    assert!(!format!("{config:?}").contains("canary"));
    let config = load(Some(file), &[("TRIPO_WEBHOOK_SECRETS", "whsec_3, whsec_4")]).unwrap();
    assert_eq!(secrets(&config), ["whsec_3", "whsec_4"]);
    for bad in ["\"canary,,b\"", "[\"canary\", \"\"]", "[\"canary b\"]", "[5]", "5"] {
        let message = refusal(Some(&format!("[providers.tripo]\nwebhook_secrets = {bad}\n")), &[]);
        assert!(message.contains("providers.tripo.webhook_secrets") && !message.contains("canary"), "{message}");
    }
}

#[test]
fn what_is_wrong_in_a_section_is_named_and_its_key_is_not_quoted() {
    for (section, parts) in [
        ("api_kee = \"canary-4711\"", ["providers.vidu", "`api_kee`"]),
        ("api_key = \"canary 4711\"", ["providers.vidu.api_key", "white space"]),
        ("api_key = \"canary-4711\"\nprice_per_credit = 0.005", ["providers.vidu.price_per_credit", "floating point"]),
        ("api_key = \"canary-4711\"\napi_url = \"ftp://x\"", ["providers.vidu.api_url", "http"]),
    ] {
        let message = refusal(Some(&format!("[providers.vidu]\n{section}\n")), &[]);
        assert!(parts.iter().all(|part| message.contains(part)) && !message.contains("canary"), "{message}");
    }
    let shown = format!("{:?}", load(Some("[providers.vidu]\napi_key = \"canary-4711\"\n"), &[]).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}
